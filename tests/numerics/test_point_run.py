"""A point of a sweep: the network that is trained is the one that its variant, its seed and its record say."""

import pytest
import torch

from bench import data
from bench.numerics import point_run
from bench.numerics.points import Point, Variant
from bench.reversible import InvertibleBatchNorm2d, InvertibleConv2d, InvertibleLeakyReLU
from bench.training.outcome import Diverged

CPU = torch.device("cpu")


@pytest.fixture
def run_point(configuration, monkeypatch, torch_settings):
    """(train, point) -> the point's record, with a function of the trainer in the place of its training."""
    small = {"name": "digits", "image_size": 8, "train_images": 300, "test_images": 20}
    images = data.load(small, configuration["in_channels"])

    def run(train, point):
        monkeypatch.setattr(point_run.Trainer, "train", train)
        return point_run.run_point(configuration, point, images, CPU)

    return run


@pytest.fixture
def trained(run_point):
    """(variant, seed) -> the trainer of a noisy layer-wise network of that variant, which has trained nothing."""

    def of(variant, seed=1):
        trainers = []

        def train(trainer):
            trainers.append(trainer)
            raise Diverged("enough")

        run_point(train, Point("layerwise", "noisy", 0, seed, variant))
        return trainers[0]

    return of


def layers(trainer, kind):
    return [module for module in trainer.model.modules() if isinstance(module, kind)]


@pytest.mark.parametrize("architecture", ["layerwise", "hybrid"])
def test_units_are_the_convolutions_of_the_network(configuration, architecture):
    point = Point(architecture, "noisy", 2, 1)
    model = point_run.network(configuration, point)
    convolutions = sum(isinstance(module, InvertibleConv2d) for module in model.modules())
    assert point_run.settings(configuration, point, model)["units"] == convolutions


@pytest.mark.parametrize(
    ("variant", "learned", "dtype"),
    [
        (Variant(), True, torch.float32),
        (Variant(frozen_gamma=True), False, torch.float32),
        (Variant(float64=True), True, torch.float64),
    ],
)
def test_a_repair_reaches_the_network_that_is_trained(trained, variant, learned, dtype):
    norms = layers(trained(variant), InvertibleBatchNorm2d)
    assert {norm.weight.requires_grad for norm in norms} == {learned}
    assert {norm.weight.dtype for norm in norms} == {dtype}


def test_a_slope_reaches_the_network_that_is_trained(trained):
    slopes = {layer.negative_slope for layer in layers(trained(Variant({"negative_slope": 0.5})), InvertibleLeakyReLU)}
    assert slopes == {0.5}


def test_the_seed_decides_both_weights_and_batches(trained):
    one, other = (trained(Variant(), seed) for seed in (1, 2))
    assert not torch.equal(one.model[0].weight, other.model[0].weight)
    assert [trainer.batches.generator.initial_seed() for trainer in (one, other)] == [1, 2]


def test_the_accuracy_of_a_point_is_that_of_its_last_epoch(run_point):
    def train(trainer):
        trainer.history += [{"epoch": i, "loss": 1.0, "test_accuracy": a} for i, a in ((1, 0.9), (2, 0.6))]

    record = run_point(train, Point("layerwise", "noisy", 0, 1))
    assert record["outcome"] == {"status": "ok", "reason": None, "accuracy": 0.6}
