"""The diagnostic tells what the real backward pass restored, and leaves the network as it was."""

import copy
import dataclasses

import pytest
import torch
from torch.nn import functional

from bench.architectures import build
from bench.numerics import retraced_signal
from bench.numerics.diagnosis import diagnosis
from bench.numerics.gradient_angle import angle_degrees, convolution_gradients
from bench.numerics.retraced_signal import RetracedLayer, smallest_snr_db, snr_db
from bench.reversible import InvertibleConv2d, InvertibleLayer, ReversibleBlock, slices
from tests.reversible.networks import images

SHAPE = {"initial_channels": 8, "depths": (1, 1, 1), "in_channels": 1}
LABELS = torch.arange(8) % 10


def network(architecture, **options):
    torch.manual_seed(0)
    return build(architecture, "noisy", **SHAPE, **options)


@pytest.mark.parametrize("architecture", ["layerwise", "hybrid"])
def test_every_invertible_layer_is_told_in_the_order_of_the_forward_pass(architecture):
    model = network(architecture)
    layers = retraced_signal(model, images(1, 8, 1, 8, 8, dtype=torch.float32), LABELS)
    assert [layer.position for layer in layers] == list(range(1, len(layers) + 1))
    modules = dict(model.named_modules())
    assert all(type(modules[layer.name]).__name__ == layer.kind for layer in layers)
    expected = [name for name, module in model.named_modules() if isinstance(module, InvertibleLayer)]
    containers = {name for name, module in model.named_modules() if type(module).__name__ == "InvertibleChain"}
    assert {layer.name for layer in layers} == set(expected) - containers
    blocks = [f"{name}." for name, module in model.named_modules() if isinstance(module, ReversibleBlock)]
    assert any(layer.inside_block for layer in layers) == (architecture == "hybrid")
    assert all(layer.inside_block == layer.name.startswith(tuple(blocks)) for layer in layers)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_ratio_of_the_last_layer_is_that_of_its_inverse():
    model = network("layerwise")
    x = images(1, 8, 1, 8, 8, dtype=torch.float32)
    twin = copy.deepcopy(model)
    last = [layer for layer in twin if isinstance(layer, InvertibleLayer)][-1]
    with torch.no_grad():
        true = x
        for layer in twin:
            if layer is last:
                break
            true = layer(true)
        restored = last.inverse(last(true.clone()))  # the activation works in place
    expected = snr_db(float(true.double().square().sum()), float((restored.double() - true.double()).square().sum()))
    assert retraced_signal(model, x, LABELS)[-1].snr_db == pytest.approx(expected, abs=1.0)


def test_float64_gains_the_digits_that_it_has_more():
    x = images(1, 8, 1, 8, 8, dtype=torch.float32)
    single = smallest_snr_db(retraced_signal(network("layerwise"), x, LABELS))
    double = smallest_snr_db(retraced_signal(network("layerwise").double(), x.double(), LABELS))
    assert 160 < double - single < 190  # 29 bits of 6 dB


@pytest.mark.parametrize("slice_bytes", [slices.SLICE_BYTES["cpu"], 1])
def test_batch_pooling_is_compared_image_by_image(slice_bytes, monkeypatch):
    monkeypatch.setitem(slices.SLICE_BYTES, "cpu", slice_bytes)
    model = network("layerwise", pooling=("batch", "channel"))
    layers = retraced_signal(model, images(1, 8, 1, 8, 8, dtype=torch.float32), LABELS)
    assert any(layer.kind == "BatchPooling" for layer in layers)
    assert all(layer.snr_db is None or layer.snr_db > 60 for layer in layers)


def test_a_diagnosis_changes_nothing():
    model = network("hybrid")
    before = copy.deepcopy(model.state_dict())
    diagnosis(model, images(1, 8, 1, 8, 8, dtype=torch.float32), LABELS)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(layer.observer is None for layer in model.modules() if isinstance(layer, InvertibleLayer))


@pytest.mark.parametrize("architecture", ["layerwise", "hybrid"])
def test_angles_are_between_the_noisy_and_the_ideal_gradient(architecture):
    x, largest = images(1, 8, 1, 8, 8, dtype=torch.float32), []
    for norm_inverse in ("statistics", "renormalised"):
        look = diagnosis(network(architecture, norm_inverse=norm_inverse), x, LABELS)
        angles = [angle for angle in look["angle_degrees"] if angle is not None]
        assert len(angles) == look["kind"].count("InvertibleConv2d") > 0
        largest.append(max(angles))
    assert largest[0] < 1e-2 < largest[1] < 90


@pytest.mark.parametrize("architecture", ["layerwise", "hybrid"])
def test_angles_are_those_of_two_networks_trained_a_step_each(architecture):
    x = images(1, 8, 1, 8, 8, dtype=torch.float32)

    def gradients(reconstruction):
        twin = network(architecture, norm_inverse="renormalised").train()
        twin.reconstruction = reconstruction
        functional.cross_entropy(twin(x), LABELS).backward()
        convolutions = [module for module in twin.modules() if isinstance(module, InvertibleConv2d)]
        return [torch.cat([each.f.grad.flatten(), each.g.grad.flatten()]).double() for each in convolutions]

    expected = [angle_degrees(ideal, noisy) for ideal, noisy in zip(*map(gradients, ("ideal", "noisy")), strict=True)]
    model = network(architecture, norm_inverse="renormalised").eval()
    found = [angle for angle in diagnosis(model, x, LABELS)["angle_degrees"] if angle is not None]
    assert sorted(found) == pytest.approx(sorted(expected), rel=1e-2, abs=1e-3)


def test_gradients_are_of_one_pass_and_leave_nothing_behind():
    model, x = network("hybrid"), images(1, 8, 1, 8, 8, dtype=torch.float32)
    first, second = (convolution_gradients(model, "ideal", x, LABELS) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert model.reconstruction == "noisy"
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_noise_of_slices_is_added_up(monkeypatch):
    x = images(1, 8, 1, 8, 8, dtype=torch.float32)
    at_once = retraced_signal(network("hybrid"), x, LABELS)
    monkeypatch.setitem(slices.SLICE_BYTES, "cpu", 1)
    sliced = retraced_signal(network("hybrid"), x, LABELS)
    # Of eight slices, one has a noise 9 dB lower.
    assert [layer.snr_db for layer in sliced] == pytest.approx([layer.snr_db for layer in at_once], abs=5)


def test_a_value_that_is_not_finite_gives_no_ratio():
    model = network("layerwise")
    with torch.no_grad():
        model[0].weight.fill_(float("inf"))
    layers = retraced_signal(model, images(1, 8, 1, 8, 8, dtype=torch.float32), LABELS)
    assert smallest_snr_db(layers) is None
    told = RetracedLayer(1, "0", "InvertibleConv2d", False, 50.0, True)
    broken = RetracedLayer(2, "1", "InvertibleConv2d", False, None, False)
    assert smallest_snr_db([told, dataclasses.replace(told, snr_db=None)]) == 50
    assert smallest_snr_db([told, broken]) is None


def test_angles():
    a = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert angle_degrees(a, 3 * a) == 0
    assert angle_degrees(a, torch.tensor([1.0, 1.0]).double()) == pytest.approx(45)
    assert angle_degrees(a, -a) == pytest.approx(180)
    assert angle_degrees(a, torch.tensor([1.0, 1e-9]).double()) == pytest.approx(5.7e-8, rel=0.01)
    assert angle_degrees(a, 0 * a) is None
