"""The scale of batch normalisation by recipe, in every architecture."""

import pytest
import torch
from torch.nn import functional

from bench.architectures import ARCHITECTURES, build
from bench.training.norms import set_norms
from bench.training.recipe import Recipe, make_optimizer

SMALL = {"initial_channels": 8, "depths": (1, 1)}
PAIRS = [(name, mode) for name, entry in ARCHITECTURES.items() for mode in entry.reconstructions]


def recipe(**changes):
    return Recipe(**{"epochs": 1, "batch_size": 8, "peak_learning_rate": 0.05, **changes})


def norms(model):
    return [module for module in model.modules() if hasattr(module, "running_mean") and hasattr(module, "momentum")]


def scale(norm):
    return norm.scale() if hasattr(norm, "scale") else norm.weight


@pytest.mark.parametrize(("name", "mode"), PAIRS)
@pytest.mark.parametrize("norm_scale", ["frozen", "absolute"])
def test_every_architecture_trains_with_either_scale(name, mode, norm_scale):
    torch.manual_seed(0)
    model, settings = build(name, mode, **SMALL), recipe(norm_scale=norm_scale, norm_scale_eps=0.2, norm_momentum=0.3)
    set_norms(model, settings)
    assert len(norms(model)) > 2 and all(norm.momentum == 0.3 for norm in norms(model))
    if norm_scale == "absolute":
        with torch.no_grad():
            for norm in norms(model):
                for parameter in norm.parameters():
                    if parameter is not norm.bias:
                        parameter[0] = -0.9  # |-0.9 + 0.2| = 0.7
    optimizer, losses = make_optimizer(model, settings), []
    images, labels = torch.randn(8, 3, 4, 4), torch.arange(8)
    for _ in range(4):
        losses.append(functional.cross_entropy(model(images).float(), labels))
        losses[-1].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0]
    if norm_scale == "frozen":
        assert all(torch.allclose(scale(norm), torch.ones(())) for norm in norms(model))
    else:
        assert all(scale(norm).min() > 0 for norm in norms(model))
        assert all(0.3 < scale(norm)[0] < 1.1 for norm in norms(model))


def test_noisy_and_ideal_agree_with_an_absolute_scale():
    def gradients(mode):
        torch.manual_seed(0)
        model = build("revnet", mode, **SMALL).double()
        set_norms(model, recipe(norm_scale="absolute"))
        torch.manual_seed(1)
        model(torch.randn(4, 3, 8, 8, dtype=torch.float64)).square().sum().backward()
        return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])

    ideal, noisy = gradients("ideal"), gradients("noisy")
    assert (ideal - noisy).norm() / ideal.norm() < 1e-9
