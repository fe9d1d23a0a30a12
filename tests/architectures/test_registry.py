"""The registry: what is found by name, what is refused, and how an architecture enters."""

import pytest
import torch
from torch import nn

from bench.architectures import ARCHITECTURES, build, names
from bench.architectures.registry import register
from bench.architectures.search import NearestWidth
from bench.errors import InputError
from bench.reversible import InvertibleConv2d, InvertibleLeakyReLU

SMALL = {"initial_channels": 4, "depths": (1, 1)}


@pytest.mark.parametrize("name", names())
def test_every_network_builds_from_defaults_and_on_the_meta_device(name):
    entry = ARCHITECTURES[name]
    for reconstruction in entry.reconstructions:
        with torch.device("meta"):
            model = build(name, reconstruction)
        assert all(parameter.is_meta for parameter in model.parameters())
    assert entry.summary
    assert entry.depths == entry.defaults["depths"]


@pytest.mark.parametrize("name", names())
def test_every_network_maps_images_to_logits_in_training_and_evaluation(name):
    architecture = ARCHITECTURES[name]
    channels = architecture.search.multiple * 2
    model = build(name, architecture.reconstructions[0], classes=7, in_channels=1, initial_channels=channels)
    for images in (torch.randn(4, 1, 32, 32), torch.randn(2, 1, 32, 32)):
        logits = model(images)
        assert logits.shape == (len(images), 7)
        assert logits.dtype == torch.float32
        logits.sum().backward()
    with torch.no_grad():
        assert model.eval()(images).shape == (2, 7)


def test_names_lists_architectures_before_baselines():
    kinds = [ARCHITECTURES[name].kind for name in names()]
    assert kinds == sorted(kinds)
    assert {"resnet18", "checkpointing", "offloading", "mixed-precision"} <= set(names())


def test_a_wrong_name_names_the_choices():
    with pytest.raises(InputError, match=r"no architecture 'resnet50'; choose one of: resnet18, .*checkpointing"):
        build("resnet50")


def test_a_reconstruction_that_the_network_lacks_names_the_choices():
    with pytest.raises(InputError, match="resnet18 has no reconstruction 'noisy'; choose one of: ideal"):
        build("resnet18", "noisy")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pooling": ("channel",)}, "takes no argument 'pooling'; choose from: initial_channels, depths"),
        ({"initial_channels": 0}, "initial_channels must be a whole number of at least 1, not 0"),
        ({"classes": 2.5}, "classes must be a whole number"),
        ({"in_channels": True}, "in_channels must be a whole number"),
        ({"depths": 3}, "depths must be whole numbers"),
        ({"depths": [1, -1]}, "depths must be whole numbers"),
        ({"depths": ()}, "depths must be whole numbers"),
        ({"depths": (1, 0)}, "at least one block a stage"),
        ({"depths": (1, 1), "widths": (4,)}, "needs 2 positive widths"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        build("resnet18", **arguments)


def test_initial_channels_must_be_a_multiple_of_the_architectures(chain):
    with pytest.raises(InputError, match="initial_channels must be a multiple of 4, not 6"):
        build(chain, initial_channels=6)


def test_the_reconstruction_and_lists_reach_the_builder(chain):
    model = build(chain, "noisy", depths=[1, 1])
    assert model.reconstruction == "noisy"
    assert len(model.layers) == 3


@pytest.mark.parametrize("name", ["layerwise", "hybrid"])
def test_options_reach_the_layers(name):
    def network(**options):
        torch.manual_seed(0)
        return build(name, "noisy", initial_channels=32, depths=(1, 1), negative_slope=0.5, **options)

    model, twice = network(gain=0.25, logit_scale=0.1), network(gain=0.5, logit_scale=0.2)
    for one, other in zip(model.modules(), twice.modules(), strict=True):
        if isinstance(one, InvertibleConv2d):
            torch.testing.assert_close(2 * one.f, other.f)
        if isinstance(one, InvertibleLeakyReLU):
            assert one.negative_slope == 0.5
    twice.load_state_dict(model.state_dict())
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(2 * model.eval()(images), twice.eval()(images))


def test_the_logits_of_an_irevnet_are_scaled():
    plain, scaled = build("irevnet", initial_channels=4), build("irevnet", initial_channels=4, logit_scale=0.25)
    scaled.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(0.25 * plain.eval()(images), scaled.eval()(images))


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("hybrid", {"logit_scale": "abc"}, "hybrid: the option logit_scale must be a number, not 'abc'"),
        ("hybrid", {"gain": float("nan")}, "hybrid: the option gain must be a number, not nan"),
        ("hybrid", {"units": 1.5}, "hybrid: the option units must be a whole number, not 1.5"),
        ("hybrid", {"units": True}, "hybrid: the option units must be a whole number, not True"),
        ("hybrid", {"grid_bits": "a"}, "hybrid: the option grid_bits must be a whole number or null, not 'a'"),
        ("hybrid", {"pooling": 3}, "hybrid: the option pooling must be a list or null, not 3"),
        ("hybrid", {"pooling": [["batch"]]}, r"hybrid cannot be built with pooling \(\['batch'\],\)"),
        ("hybrid", {"head_pooling": "median"}, r"hybrid cannot be built with head_pooling 'median' \(.* 'mean' and"),
        *((name, {"units": 0}, "the option units must be above 0, not 0") for name in ("hybrid", "streamed")),
        *(
            (name, {"logit_scale": -1}, "the option logit_scale must be above 0, not -1")
            for name in ("hybrid", "layerwise", "streamed", "irevnet")
        ),
        *(
            (name, {"negative_slope": 0}, "the option negative_slope must be above 0, not 0")
            for name in ("hybrid", "layerwise", "streamed", "inplace-abn")
        ),
    ],
)
def test_a_value_that_an_option_cannot_have_is_one_sentence(name, options, told):
    with pytest.raises(InputError, match=told) as caught:
        build(name, **SMALL, **options)
    assert str(caught.value).startswith(name) and "\n" not in str(caught.value)


def entered(monkeypatch, builder):
    """`builder` as the network "mine", until the test ends."""
    monkeypatch.setattr("bench.architectures.registry.ARCHITECTURES", dict(ARCHITECTURES))
    register("mine", summary="", search=NearestWidth())(builder)


def test_an_option_whose_type_nobody_said_may_be_anything(monkeypatch):
    def builder(
        initial_channels=4, depths=(1,), classes=10, in_channels=3, steps=1, extra=None, kind: "str | None" = "a"
    ):
        return nn.ParameterDict({"given": nn.Parameter(torch.tensor([steps, extra]))})

    entered(monkeypatch, builder)
    assert build("mine", steps=0.5, extra=2)["given"].tolist() == [0.5, 2]
    with pytest.raises(InputError, match="mine cannot be built with extra 'x'"):
        build("mine", extra="x")
    with pytest.raises(InputError, match="mine: the option kind must be text or null, not 3"):
        build("mine", kind=3, extra=2)
    assert build("mine", kind=None, steps=0.5, extra=2)["given"].tolist() == [0.5, 2]


def test_a_builder_that_fails_without_options_is_a_fault_of_its_own(monkeypatch):
    def builder(initial_channels=4, depths=(1,), classes=10, in_channels=3):
        raise ValueError("a mistake")

    entered(monkeypatch, builder)
    with pytest.raises(ValueError, match="a mistake"):
        build("mine")


def test_registering_refuses_a_taken_name_and_arguments_without_default():
    def builder(initial_channels, depths=(1,), classes=10, in_channels=3):
        return nn.Identity()

    with pytest.raises(ValueError, match="every argument has a default"):
        register("unfinished", summary="", search=NearestWidth())(builder)
    for name in ("resnet18", "Upper", "a b"):
        with pytest.raises(ValueError, match="name is new"):
            register(name, summary="", search=NearestWidth())(builder)
    with pytest.raises(ValueError, match="reconstructions are of"):
        register("unfinished", summary="", search=NearestWidth(), reconstructions=("perfect",))(builder)
    assert "unfinished" not in ARCHITECTURES
