"""The solver: within 2 % of the budget, deterministic, what it returns builds, and the nearest is named otherwise."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench.architectures import ARCHITECTURES, Shape, build, solve
from bench.architectures.budget import parameters_of
from bench.architectures.registry import register
from bench.architectures.search import NearestWidth, StageWidths
from bench.errors import InputError


def parameters_built(name: str, shape: Shape, **arguments) -> int:
    with torch.device("meta"):
        return parameters_of(build(name, **shape.arguments(), **arguments))


@settings(max_examples=15, deadline=None)
@given(budget=st.integers(5_000, 3_000_000), classes=st.sampled_from([2, 10, 100]))
def test_resnet18_is_within_two_percent_of_any_budget(budget, classes):
    shape = solve("resnet18", budget, classes=classes)
    assert abs(shape.parameters - budget) <= 0.02 * budget
    assert shape.depths == (2, 2, 2, 2)
    assert parameters_built("resnet18", shape, classes=classes) == shape.parameters


def test_the_standard_shape_is_kept_when_it_is_near_enough():
    shape = solve("resnet18", 11_200_000)
    assert shape == Shape(initial_channels=64, depths=(2, 2, 2, 2), parameters=11_173_962)
    assert shape.arguments() == {"initial_channels": 64, "depths": (2, 2, 2, 2)}


def test_stage_widths_are_tuned_where_the_proportion_does_not_do():
    shape = solve("resnet18", 60_000, depths=[2, 2, 2, 2])
    assert shape.widths is not None
    assert shape.widths[0] == shape.initial_channels
    assert all(1.5 < wide / narrow < 2.5 for narrow, wide in zip(shape.widths, shape.widths[1:], strict=False))


def test_widths_keep_to_the_multiple():
    def even(initial_channels=4, depths=(1, 1, 1), classes=10, in_channels=3, widths=None):
        return build("resnet18", initial_channels=initial_channels, depths=depths, widths=widths)

    register("even", summary="even widths", search=StageWidths(multiple=2))(even)
    shape = solve("even", 70_000)
    assert shape.widths is not None
    assert all(width % 2 == 0 for width in shape.widths)


def test_asked_depths_are_kept_when_some_width_meets_the_budget(chain):
    with torch.device("meta"):
        budget = parameters_of(build(chain, initial_channels=12, depths=(1, 2, 2)))
    assert solve(chain, budget, depths=(1, 2, 2)) == Shape(12, (1, 2, 2), budget)


def test_depths_deviate_as_little_as_the_budget_allows(chain):
    """Every nearer depth, at every width, was further than 2 % away."""
    budget, asked = 170_000, (1, 2, 2)
    shape = solve(chain, budget, depths=asked)
    deviation = sum(abs(each - wish) for each, wish in zip(shape.depths, asked, strict=True))
    assert deviation > 0
    assert abs(shape.parameters - budget) <= 0.02 * budget
    assert shape.initial_channels % 4 == 0
    assert parameters_built(chain, shape) == shape.parameters
    assert min(shape.depths) >= 1
    shapes = [(first, second, third) for first in range(1, 4) for second in range(1, 5) for third in range(1, 5)]
    for depths in shapes:
        if sum(abs(each - wish) for each, wish in zip(depths, asked, strict=True)) < deviation:
            for channels in (4, 8, 12):
                count = parameters_built(chain, Shape(channels, depths, 0))
                assert abs(count - budget) > 0.02 * budget


def test_the_same_budget_gives_the_same_shape_for_every_reconstruction(chain):
    shape = solve(chain, 200_000)
    assert solve(chain, 200_000) == shape
    counts = {parameters_of(build(chain, mode, **shape.arguments())) for mode in ("ideal", "noisy")}
    assert counts == {shape.parameters}


def test_the_nearest_is_named_when_none_is_near_enough(chain):
    with pytest.raises(InputError, match=r"within 2% of 500; the nearest has [\d,]+ \(initial_channels 4, depths"):
        solve(chain, 500)


def test_a_reported_count_may_be_far_from_the_budget():
    def doubling(initial_channels=1, depths=(1,), classes=10, in_channels=3):
        return nn.Linear(2**initial_channels, 1000)

    register("doubling", summary="coarse", search=NearestWidth())(doubling)
    shape = solve("doubling", 70_000)
    assert (shape.initial_channels, shape.parameters) == (6, 65_000)
    assert not ARCHITECTURES["doubling"].budget_is_solved


def test_a_count_that_does_not_grow_is_a_fault_and_not_an_endless_search():
    def constant(initial_channels=1, depths=(1,), classes=10, in_channels=3):
        return nn.Linear(2, 2)

    register("constant", summary="constant", search=NearestWidth())(constant)
    with pytest.raises(ValueError, match="stays at 6 whatever the width"):
        solve("constant", 1000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "resnet50", "budget": 1000}, "no architecture 'resnet50'"),
        ({"name": "resnet18", "budget": 0}, "budget is a whole number"),
        ({"name": "resnet18", "budget": 1e6}, "budget is a whole number"),
        ({"name": "resnet18", "budget": 1000, "widths": (1, 2, 3, 4)}, "solver chooses widths"),
        ({"name": "resnet18", "budget": 1000, "pooling": "channel"}, "takes no argument 'pooling'"),
        ({"name": "resnet18", "budget": 1000, "depths": ("a",)}, "depths must be whole numbers"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    with pytest.raises(InputError, match=message):
        solve(**arguments)
