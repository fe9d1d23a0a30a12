"""The networks of the paper's own shapes: their parameters, and the batch that their theory is about."""

import pytest

from bench.memory import paper_shapes


@pytest.mark.parametrize(("name", "parameters"), [("resnet18", 11_173_962), ("revnet", 11_040_150)])
def test_the_shapes_of_the_claims_are_the_papers(name, parameters):
    shape = paper_shapes.theory(name)
    assert shape["parameters"] == parameters
    pixels = 512 * 32 * 32
    assert shape["batch_bytes"] == 4 * parameters + pixels * shape["bytes_per_pixel"]
