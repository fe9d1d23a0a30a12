"""The control is the network and the recipe that were published, and its records say what they are of."""

import argparse
import dataclasses
import itertools
import math
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from bench.__main__ import main
from bench.control import command, training
from bench.control import record as control_record
from bench.control.network import ControlNetwork, convolution, whitening_kernels
from bench.control.recipe import make_optimizer, rate, recipe_of
from bench.control.training import Views, train_control, trainer_of
from bench.errors import InputError
from bench.records import read_record, write_record
from bench.training.clock import Clock
from bench.training.loop import Trainer
from bench.training.settings import PRECISIONS
from tests import tiny_run
from tests.training.small_task import CPU, make_images

RECIPE = recipe_of()
SMALL = dataclasses.replace(recipe_of(epochs=4, batch_size=16), precision="float32")


@given(channels=st.integers(1, 3), side=st.integers(6, 12), seed=st.integers(0, 2**16))
def test_whitened_patches_are_uncorrelated_and_of_power_one(channels: int, side: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(40, channels, side, side, generator=generator).cumsum(3)
    kernels = whitening_kernels(images)
    assert kernels.shape == (4 * channels, channels, 2, 2)
    features = functional.conv2d(images, kernels).double().transpose(0, 1).flatten(1)
    moments = features @ features.T / features.shape[1]
    assert torch.allclose(moments, torch.eye(4 * channels, dtype=torch.float64), atol=5e-3)


def test_the_published_size() -> None:
    network = ControlNetwork(torch.randn(20, 3, 32, 32), 10)
    trained = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    # 24 biases; convolutions 24-64-64-256-256-256-256; a bias for each of their channels; 256 x 10
    widths = [24, 64, 64, 256, 256, 256, 256]
    convolutions = sum(9 * i * o for i, o in itertools.pairwise(widths))
    assert trained == 24 + convolutions + sum(widths[1:]) + 2560
    assert network(torch.randn(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(("i", "o"), [(3, 8), (8, 8)])
def test_a_new_convolution_hands_its_input_on(i: int, o: int) -> None:
    x = torch.randn(2, i, 5, 5)
    assert torch.equal(convolution(i, o)(x)[:, :i], x)


def test_the_rate_rises_from_a_fifth_and_ends_at_seven_hundredths() -> None:
    rates = [rate(step, 1000, RECIPE) / RECIPE.peak_learning_rate for step in range(1001)]
    assert (rates[0], rates[115], max(rates), rates[-1]) == pytest.approx((0.2, 0.6, 1.0, 0.07))
    assert rates.index(max(rates)) == 230


def test_biases_learn_faster_and_are_decayed_alike() -> None:
    weights, biases = make_optimizer(ControlNetwork(torch.randn(9, 3, 9, 9), 2), RECIPE).param_groups
    assert [tuple(p.shape) for p in biases["params"]] == [(64,), (64,), (256,), (256,), (256,), (256,)]
    assert len(weights["params"]) == 1 + 6 + 1  # the first layer's bias, convolutions, the head
    assert weights["factor"] * weights["weight_decay"] == pytest.approx(biases["factor"] * biases["weight_decay"])
    assert (weights["factor"], biases["factor"]) == (1, 64)
    # Published per thousand images and their sum: 11.5 and 0.0153 over 1 + 1 / (1 - momentum).
    share = 1 + 1 / (1 - RECIPE.momentum)
    assert pytest.approx(11.5 / share, rel=1e-2) == RECIPE.peak_learning_rate
    assert RECIPE.weight_decay * RECIPE.peak_learning_rate == pytest.approx(0.0153 / share, rel=1e-2)
    assert recipe_of(batch_size=256).peak_learning_rate == RECIPE.peak_learning_rate / 4


def test_the_first_bias_begins_at_zero_and_learns_as_weights_do() -> None:
    network = ControlNetwork(torch.randn(9, 3, 9, 9), 2)
    slow = make_optimizer(network, RECIPE).param_groups[0]["params"]
    assert any(each is network.whitening.bias for each in slow) and not network.whitening.bias.any()
    assert {norm.eps for norm in network.modules() if isinstance(norm, torch.nn.BatchNorm2d)} == {1e-12}


def test_six_views() -> None:
    x = torch.randn(2, 3, 6, 6)
    padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
    position = torch.randn(3, 6, 6)  # a model that tells every pixel from every other

    def model(images: torch.Tensor) -> torch.Tensor:
        return (images * position).sum((1, 2, 3))[:, None]

    views = [(x, 1 / 2), (padded[:, :, :6, :6], 1 / 4), (padded[:, :, 2:, 2:], 1 / 4)]
    expected = sum(share * (model(view) + model(view.flip(3))) / 2 for view, share in views)
    assert torch.allclose(Views(model)(x), expected, atol=1e-5)


def test_the_first_layer_keeps_its_weights_and_after_three_epochs_its_bias(monkeypatch) -> None:
    layers, weights, biases = [], [], []

    def watched(network: ControlNetwork, *rest: Any) -> Trainer:
        layers.append(network.whitening)
        weights.append(network.whitening.weight.clone())
        return trainer_of(network, *rest)

    monkeypatch.setattr(training, "trainer_of", watched)
    trained: list[bool] = []

    def on_epoch(*_: Any) -> None:
        biases.append(layers[0].bias.clone())
        trained.append(layers[0].bias.requires_grad)

    train_control(make_images(size=9), SMALL, 1, Clock(CPU), on_epoch)
    assert trained == [True, True, True, False]
    assert torch.equal(layers[0].weight, weights[0])
    assert not torch.equal(biases[1], biases[2])
    # Not trained, and lookahead moves it no more than rounding does: its slow copy is all but there.
    assert (biases[3] - biases[2]).abs().max() < (biases[2] - biases[1]).abs().max()


def test_it_learns_and_the_same_seed_gives_the_same_numbers() -> None:
    ends = [train_control(make_images(size=9), SMALL, seed, Clock(CPU), lambda *_: None) for seed in (1, 1, 2)]
    assert ends[0] == ends[1] != ends[2]
    assert ends[0].losses[-1] < ends[0].losses[0] < math.inf
    assert min(ends[0].accuracy, ends[0].flip_tta_accuracy, ends[0].views_accuracy) > 0.9


def test_images_that_are_too_small() -> None:
    with pytest.raises(InputError, match="9 pixels a side or more, not 8"):
        train_control(make_images(size=8), SMALL, 1, Clock(CPU), lambda *_: None)


@pytest.mark.usefixtures("torch_settings")
def test_the_command_trains_what_has_no_record_yet(tmp_path, capsys, monkeypatch) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny_run.CONFIG))
    words = [
        "control",
        "--config",
        str(tmp_path / "tiny.yaml"),
        "--batch-size",
        "20",
        "--precision",
        "float32",  # in bfloat16 some channels of so few pixels are constant, over a deviation of 1e-6
        "--output",
        str(tmp_path / "out"),
    ]
    assert main([*words, "--seeds", "1", "--epochs", "2"]) == 0
    told = capsys.readouterr().out.splitlines()
    record = read_record(tmp_path / "out" / "seed1.json")
    assert (record["kind"], record["settings"]["seed"], len(record["losses"])) == ("control", 1, 2)
    assert record["settings"]["data"]["name"] == "digits" and record["published"]["data"] == "cifar10"
    assert f"mean of 1: {100 * record['accuracy']:.2f} % of the images as they are" in told[-2]
    assert "94.01 %" in told[-1]

    trained, train = [], control_record.train_control
    monkeypatch.setattr(control_record, "train_control", lambda *given: trained.append(given[2]) or train(*given))
    assert main([*words, "--seeds", "1", "2", "--epochs", "2"]) == 0
    assert trained == [2]
    assert main([*words, "--seeds", "1", "--epochs", "1"]) == 0  # other settings
    assert read_record(tmp_path / "out" / "seed1.json")["settings"]["training"]["epochs"] == 1
    write_record(tmp_path / "out" / "seed1.json", {**record, "digest": {"code": "older"}})
    assert main([*words, "--seeds", "1", "--epochs", "2"]) == 0
    assert trained == [2, 1, 1]
    again = read_record(tmp_path / "out" / "seed1.json")
    assert again["digest"] == record["digest"] and again["losses"] == record["losses"]


def test_the_command_offers_every_number_format() -> None:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    for precision in PRECISIONS:
        words = ["--config", "tiny.yaml", "--output", "out", "--precision", precision]
        assert parser.parse_args(words).precision == precision


@pytest.mark.usefixtures("torch_settings")
def test_a_training_that_diverges_is_a_record_that_says_so(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("bench.control.recipe.PEAK_RATE_OF_AN_IMAGE", 1e6)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny_run.CONFIG))
    words = ["--seeds", "1", "--epochs", "1", "--batch-size", "20", "--output", str(tmp_path / "out")]
    words += ["--precision", "float32"]
    assert main(["control", "--config", str(tmp_path / "tiny.yaml"), *words]) == 0
    record = read_record(tmp_path / "out" / "seed1.json")
    assert record["outcome"]["status"] == "diverged" and record["accuracy"] is None
    assert record["settings"]["training"]["precision"] == "float32"
    seed, published = capsys.readouterr().out.splitlines()
    assert seed == f"seed 1: {record['outcome']['reason']}" and "is nan" in seed
    assert published.startswith("published for cifar10: 94.01 %")
