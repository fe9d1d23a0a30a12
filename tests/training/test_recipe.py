"""The recipe's schedule, optimizer and loss."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.architectures import ARCHITECTURES, build
from bench.errors import InputError
from bench.training.norms import set_norms
from bench.training.recipe import Recipe, batch_loss, make_optimizer, recipe_from
from bench.training.schedule import learning_rate

TRAINING = {"epochs": 4, "batch_size": 8, "peak_learning_rate": 0.4}


@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("steps", [1, 7, 100])
def test_rates_rise_to_the_peak_and_end_at_0(steps, fraction):
    recipe = Recipe(**TRAINING, warmup_fraction=fraction)
    rates = [learning_rate(step, steps, recipe) for step in range(steps + 1)]
    top = rates.index(max(rates))
    assert rates[top] == pytest.approx(0.4) and top == int(fraction * steps)
    assert rates[-1] == 0 and min(rates[:-1]) > 0
    assert rates[: top + 1] == sorted(rates[: top + 1]) and rates[top:] == sorted(rates[top:], reverse=True)


def test_rates_are_linear_on_both_sides():
    recipe = Recipe(epochs=1, batch_size=8, peak_learning_rate=1.0, warmup_fraction=0.2)
    rates = torch.tensor([learning_rate(step, 50, recipe) for step in range(51)], dtype=torch.float64)
    differences = rates.diff()
    assert torch.allclose(differences[:10], torch.full((10,), 1 / 11, dtype=torch.float64))
    assert torch.allclose(differences[10:], torch.full((40,), -1 / 40, dtype=torch.float64))


def test_only_weights_decay_and_each_parameter_once():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    model[0].bias.requires_grad_(False)
    optimizer = make_optimizer(model, Recipe(**TRAINING, weight_decay=0.1))
    weights, scales, biases = (group["params"] for group in optimizer.param_groups)
    assert list(map(id, weights)) == [id(model[0].weight), id(model[3].weight)]
    assert list(map(id, scales)) == [id(model[1].weight)]
    assert list(map(id, biases)) == [id(model[1].bias), id(model[3].bias)]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0, 0.0]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_shifts_and_biases_of_every_architecture_have_their_own_rate(name):
    model = build(name, initial_channels=8, depths=(1, 1), reconstruction=ARCHITECTURES[name].reconstructions[0])
    recipe = Recipe(**TRAINING, bias_rate=16)
    set_norms(model, recipe)
    fast = {
        id(p) for group in make_optimizer(model, recipe).param_groups for p in group["params"] if group["factor"] == 16
    }
    norms = [module for module in model.modules() if hasattr(module, "running_mean")]
    linear = [module for module in model.modules() if isinstance(module, nn.Linear) and module.bias is not None]
    assert fast == {id(module.bias) for module in [*norms, *linear]} and len(norms) > 2


def test_optimizer_steps_as_plain_nesterov_sgd_does():
    torch.manual_seed(0)
    model = nn.Linear(5, 3, bias=False)
    weight, velocity = model.weight.detach().clone().double(), torch.zeros(3, 5).double()
    optimizer = make_optimizer(model, Recipe(**TRAINING, momentum=0.8, weight_decay=0.01))
    for _ in range(4):
        gradient = torch.randn(3, 5)
        model.weight.grad = gradient.clone()
        optimizer.step()
        decayed = gradient.double() + 0.01 * weight
        velocity = 0.8 * velocity + decayed
        weight -= 0.4 * (decayed + 0.8 * velocity)
    assert torch.allclose(model.weight.double(), weight, atol=1e-6)


def test_loss_is_smoothed_cross_entropy_in_float32():
    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    log_probabilities = functional.log_softmax(logits, 1)
    true = -log_probabilities[range(6), labels].mean()
    expected = 0.8 * true - 0.2 * log_probabilities.mean()
    assert batch_loss(logits, labels, Recipe(**TRAINING, label_smoothing=0.2)).allclose(expected)
    assert batch_loss(logits.bfloat16(), labels, Recipe(**TRAINING)).dtype == torch.float32


def test_a_device_overrides_what_it_states():
    recipe = recipe_from(TRAINING, {"name": "small", "batch_size": 4, "epochs": None, "memory_cap_mb": 9})
    assert (recipe.batch_size, recipe.epochs) == (4, 4)


@pytest.mark.parametrize(
    ("key", "value"),
    [("epochs", 0), ("batch_size", 1), ("peak_learning_rate", 0.0), ("momentum", 1.0), ("flip", "up"), ("cutout", -1)],
)
def test_values_out_of_range_are_named(key, value):
    with pytest.raises(InputError, match=rf"training\.{key} is {value!r}; it must be"):
        recipe_from({**TRAINING, key: value})


def test_unknown_settings_are_named():
    with pytest.raises(InputError, match=r"training\.momentums is no setting"):
        recipe_from({**TRAINING, "momentums": 0.9})
