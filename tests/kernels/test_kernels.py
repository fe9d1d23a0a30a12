"""The comparison of fused and plain passes: on a GPU, or its values in Triton's interpreter."""

import pytest
import torch

from bench.__main__ import main
from bench.kernels.measure import FORMATS, TRAFFIC, rows
from bench.records import read_record
from tests.reversible.test_fused import DEVICE, kernels, needs_triton


@needs_triton
def test_fused_and_plain_passes_are_compared():
    calls = []

    def timer(call):
        calls.append(call())
        return 1.0 + len(calls) % 2  # the fused one is called first

    with kernels() as names:
        found = list(rows((2, 4, 5, 5), torch.device(DEVICE), 2, timer))
    assert [(row["memory_format"], row["pass"]) for row in found] == [(f, name) for f in FORMATS for name in TRAFFIC]
    assert all(row["difference"] < 1e-5 and (row["fused_ms"], row["plain_ms"]) == (2.0, 1.0) for row in found)
    assert len(names) == len(calls) // 2 + len(found)  # the plain calls ran none


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_without_a_gpu_it_says_what_it_needs(tmp_path, capsys):
    assert main(["kernels", "--output", str(tmp_path / "kernels.json")]) == 2
    assert capsys.readouterr().err == (
        "error: Fused passes run on a CUDA GPU and torch finds none; run this on a machine with one.\n"
    )
    assert not list(tmp_path.iterdir())


@needs_triton
@pytest.mark.skipif(DEVICE == "cpu", reason="needs a GPU")
def test_on_a_gpu_it_writes_a_record(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.kernels.command.SHAPES", ((4, 8, 16, 16),))
    output = tmp_path / "kernels.json"
    assert main(["kernels", "--output", str(output), "--rounds", "2"]) == 0
    record = read_record(output)
    assert record["hardware"]["passes"].startswith("Triton")
    assert all(row["fused_ms"] > 0 and row["difference"] < 1e-5 for row in record["rows"])
