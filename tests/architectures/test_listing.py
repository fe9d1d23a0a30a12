"""`python -m bench list` names everything that a configuration can choose."""

import sys
from types import SimpleNamespace

import pytest

from bench import listing
from bench.__main__ import main
from bench.architectures import ARCHITECTURES
from bench.configuration import SCALES


@pytest.fixture
def data_sets(monkeypatch):
    """One data set in place of bench.data's."""
    data_sets = {"digits": SimpleNamespace(summary="handwritten digits")}
    monkeypatch.setitem(sys.modules, "bench.data", SimpleNamespace(DATASETS=data_sets))


def test_it_lists_every_architecture_data_set_and_scale(data_sets, capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for name, entry in ARCHITECTURES.items():
        assert f"\n  {name} " in out
        assert entry.summary in out
    for line in (
        "  ideal  every layer's",
        "  noisy  inputs",
        "  exact  inputs",
        "  digits  handwritten digits",
        *(f"  {name:{max(map(len, SCALES))}}  config/{name}.yaml" for name in SCALES),
    ):
        assert f"\n{line}" in out
    assert "schema" not in out


def test_columns_are_aligned_and_a_section_may_be_empty():
    assert listing.section("Title", [("a", "b c", "d"), ("long", "e", "f")]) == "Title\n  a     b c  d\n  long  e    f"
    assert listing.section("Title", []) == "Title\n  none"
