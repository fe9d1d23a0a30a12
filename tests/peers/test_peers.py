"""The comparison with other libraries on a tiny chain, with stand-ins for the libraries."""

import math
import statistics
import sys
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from bench.__main__ import main
from bench.peers import comparison
from bench.peers.chain import Parts
from bench.peers.measure import Shape
from bench.peers.methods import METHODS, PLAIN, Method, network
from bench.peers.table import HEAD, markdown
from bench.records import read_record
from bench.reversible import StreamedUnits

TINY = Shape(channels=8, blocks=2, batch_size=8, image_size=8)
CPU = torch.device("cpu")
OURS = [name for name in METHODS if name.startswith("bench")]


class Coupling(nn.Module):
    """What a library's coupling is to its user."""

    def __init__(self, f: nn.Module, g: nn.Module) -> None:
        super().__init__()
        self.f, self.g = f, g

    def forward(self, x: Tensor) -> Tensor:
        x1, x2 = x.chunk(2, dim=1)
        y1 = x1 + self.f(x2)
        return torch.cat([y1, x2 + self.g(y1)], dim=1)


class Broken(Coupling):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("torch is too new\nfor this")


def stand_in(coupling: type[nn.Module]) -> ModuleType:
    library = ModuleType("memcnn")
    library.AdditiveCoupling, library.InvertibleModuleWrapper = coupling, nn.Sequential
    return library


@pytest.fixture
def libraries(monkeypatch):
    """MemCNN is there in a stand-in; revlib is not."""
    monkeypatch.setitem(sys.modules, "memcnn", stand_in(Coupling))
    monkeypatch.setitem(sys.modules, "revlib", None)


@pytest.fixture
def same_process(monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr("bench.training.allocator.set_allocator", lambda device, capped: "default")
    yield
    torch.set_num_threads(threads)


def test_the_record_and_its_table(tmp_path, libraries, same_process, capsys):
    output = tmp_path / "peers.json"
    words = ["peers", "--output", str(output), "--channels", "8", "--blocks", "2", "--batch-size", "8"]
    assert main([*words, "--image-size", "8", "--rounds", "2"]) == 0
    record = read_record(output)
    rows = record["rows"]
    assert list(rows) == list(METHODS)
    assert rows["revlib"]["status"] == "not installed"
    assert all(row["status"] == "ok" for name, row in rows.items() if name != "revlib")
    for row in rows.values():
        if row["status"] == "ok":
            assert row["gradients"]["relative_error"] < 1e-4
            assert len(row["seconds"]) == 2
            assert row["bytes_ratio"] == row["bytes_per_pixel"] / rows[PLAIN]["bytes_per_pixel"]
            assert [peak["batch_size"] for peak in row["peaks"]] == [4, 8]
            ratios = [one / plain for one, plain in zip(row["seconds"], rows[PLAIN]["seconds"], strict=True)]
            assert row["time_ratio"]["median"] == pytest.approx(statistics.median(ratios))
    assert all(rows[name]["statistics_updates"] == 1 for name in OURS)
    assert 0 < record["rounding"]["relative_error"] < 1e-4
    table = output.with_suffix(".md").read_text()
    assert table in capsys.readouterr().out
    assert "| revlib | not installed |" in table
    assert "allocator: default" in table


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].library is None])
def test_gradients_in_float64_are_those_of_plain_autograd(name):
    reference = comparison._gradients(METHODS[PLAIN], TINY, CPU, torch.float64)
    found = comparison._gradients(METHODS[name], TINY, CPU, torch.float64)
    assert comparison.measure.compared(found, reference).worst_parameter < 1e-9


def test_each_of_our_rows_is_of_the_functions_that_it_names():
    held = {}
    for name in OURS:
        model, _ = network(METHODS[name], TINY.channels, TINY.blocks)
        units = [module for module in model.modules() if isinstance(module, StreamedUnits)]
        assert len(units) == (0 if name == "bench: any F and G" else 2 * TINY.blocks)
        held[name] = {each.hold for each in units}
    assert all(kinds == {name.endswith("held")} for name, kinds in held.items() if kinds)


def test_an_error_of_a_gradient_is_seen():
    reference = [torch.tensor([3.0, 4.0]), torch.tensor([12.0])]
    found = comparison.measure.compared([torch.tensor([3.0, 4.0]), torch.tensor([13.0])], reference)
    assert found.relative_error == pytest.approx(1 / 13)
    assert found.worst_parameter == pytest.approx(1 / 12)


def test_a_library_that_fails_is_a_row(monkeypatch):
    monkeypatch.setitem(sys.modules, "memcnn", stand_in(Broken))
    rows = comparison.compare(TINY, 1, CPU, {name: METHODS[name] for name in (PLAIN, "MemCNN")})
    assert rows["MemCNN"]["status"] == "failed"
    assert rows["MemCNN"]["reason"] == "RuntimeError: torch is too new"


def test_an_error_of_our_own_is_not_hidden(monkeypatch):
    def broken(parts: Parts) -> nn.Module:
        return Broken(*parts.pairs[0])

    methods = {PLAIN: METHODS[PLAIN], "bench": Method(None, broken)}
    with pytest.raises(RuntimeError, match="too new"):
        comparison.compare(TINY, 1, CPU, methods)


def test_bytes_per_pixel_of_known_chains():
    """Stored activations: 3 half-width maps for each of F and G, the stem's output, and the image."""
    shape = Shape(channels=32, blocks=2, batch_size=32, image_size=16)
    model, _ = network(METHODS[PLAIN], shape.channels, shape.blocks)
    found = comparison.measure.bytes_per_pixel(comparison.measure.peaks(model, shape, CPU))
    stored = 4 * (shape.blocks * 6 * shape.channels // 2 + shape.channels + 3)
    assert math.isclose(found, stored + 4 * shape.channels, rel_tol=0.01)  # and a gradient of the state


def test_the_smallest_chain_is_told(capsys, tmp_path):
    assert main(["peers", "--output", str(tmp_path / "peers.json"), "--channels", "7"]) == 2
    assert "an even number of channels" in capsys.readouterr().err


@pytest.mark.parametrize(("images", "pixels"), [("1", "8"), ("2", "1"), ("3", "1")])
def test_a_batch_whose_half_is_a_single_value_is_told(capsys, tmp_path, images, pixels):
    words = ["peers", "--output", str(tmp_path / "peers.json"), "--batch-size", images, "--image-size", pixels]
    assert main(words) == 2
    assert "two pixels or more in half the batch" in capsys.readouterr().err


def test_memory_that_runs_out_is_told_in_a_sentence(monkeypatch, same_process, capsys, tmp_path):
    def exhausted(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 61440000000 bytes")

    monkeypatch.setattr(comparison, "rounding", exhausted)
    output = tmp_path / "peers.json"
    assert main(["peers", "--output", str(output), "--channels", "8", "--batch-size", "8"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: memory ran out (DefaultCPUAllocator: can't allocate memory: you tried")
    assert error.endswith("take a smaller batch or network, or a machine with more memory.\n")
    assert not list(tmp_path.iterdir())


def test_a_record_where_the_table_goes_is_refused(capsys, tmp_path):
    assert main(["peers", "--output", str(tmp_path / "peers.md")]) == 2
    assert "is where the table goes" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_reason_adds_no_column():
    failed = {"library": "revlib", "version": "1", "status": "failed", "reason": "TypeError: unsupported for |: int"}
    none = {"relative_error": 0.0, "worst_parameter": 0.0}
    shape = {"blocks": 2, "channels": 8, "batch_size": 8, "image_size": 8, "memory_format": "x", "rounds": 1}
    origin = {"hardware": {"device": "a"}, "versions": {"torch": "2"}, "allocator": "b", "date": "2026", "command": []}
    table = markdown({"settings": shape, "rounding": none, "rows": {"revlib": failed}, **origin})
    line = next(line for line in table.splitlines() if line.startswith("| revlib"))
    assert line.replace(r"\|", "").count("|") == len(HEAD) + 1
