"""`python -m bench memory` and `python -m bench steps` on the smoke scale: records, and bad input."""

import errno
from math import isnan
from pathlib import Path

import pytest
import torch

from bench import plan
from bench.__main__ import main
from bench.configuration import load
from bench.memory import command as memory_command
from bench.memory import peak as peak_module
from bench.memory import steps
from bench.memory.cost_model import pixel_cost
from bench.records import read_record, write_record
from bench.reporting.measurements_frame import read_measurements
from bench.training.network import network


@pytest.fixture(autouse=True)
def same_process(monkeypatch):
    """What the commands set for their process is put back, as the tests share one."""
    deterministic, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    monkeypatch.setattr("bench.training.allocator.set_allocator", lambda device, capped: "default")
    yield
    torch.use_deterministic_algorithms(deterministic)
    torch.set_num_threads(threads)


CONFIG = Path(__file__).parents[2] / "config" / "smoke.yaml"


def command(step: str, architecture: str, output: Path, *more: str) -> int:
    words = [step, "--config", str(CONFIG), "--architecture", architecture, "--output", str(output), "--device", "cpu"]
    return main([*words, *more])


def test_memory_record(tmp_path):
    output = tmp_path / "memory" / "layerwise-noisy.json"
    assert command("memory", "layerwise", output, "--reconstruction", "noisy", "--batch-size", "12") == 0
    record, config = read_record(output), load(CONFIG)
    model, shape = network(config, "layerwise", "noisy")
    size = config["data"]["image_size"]
    cost = pixel_cost(model, image_size=size)
    assert record["kind"] == "memory"
    assert record["settings"]["parameters"] == shape.parameters
    assert record["theory"]["bytes_per_pixel"] == cost.total
    assert record["theory"]["batch_bytes"] == {"12": cost.batch_bytes(12, size, size)}
    assert record["theory"]["forward_equivalents"] == 4
    measured = record["measured"]
    assert [peak["batch_size"] for peak in measured["peaks"]] == config["memory"]["batch_sizes"]
    for peak in measured["peaks"]:
        assert sum(peak["categories"].values()) == peak["peak_bytes"]
        assert peak["categories"]["weights"] == 4 * shape.parameters
    assert measured["table_batch_size"] == 12
    assert measured["table_peak_bytes"] > max(peak["peak_bytes"] for peak in measured["peaks"])
    assert measured["bytes_per_pixel"] > cost.total
    assert record["digest"]["key"] == plan.memory_key(config, "layerwise", "noisy")


def test_steps_record_of_an_architecture(tmp_path):
    output = tmp_path / "steps" / "layerwise.json"
    assert command("steps", "layerwise", output) == 0
    record, config = read_record(output), load(CONFIG)
    repeats = config["steps"]["repeats"]
    assert {name: len(times) for name, times in record["seconds"].items()} == {"ideal": repeats, "noisy": repeats}
    ratio = record["ratio_to_ideal"]["noisy"]
    assert 0 < ratio["low"] <= ratio["median"] <= ratio["high"]
    assert record["digest"]["key"] == plan.steps_key(config, "layerwise")
    assert record["reference"] is None and "ratio_to_reference" not in record


def test_steps_record_of_a_baseline(tmp_path):
    output = tmp_path / "steps" / "checkpointing.json"
    assert command("steps", "checkpointing", output) == 0
    record = read_record(output)
    assert list(record["seconds"]) == ["ideal"]
    assert record["ratio_to_ideal"] == {}
    assert record["reference"] == "resnet18" and record["ratio_to_reference"]["ideal"]["median"] > 0
    assert len(record["reference_seconds"]) == len(record["seconds"]["ideal"])


def test_steps_of_a_network_without_an_ideal_twin_are_relative_to_one_in_float32(tmp_path):
    output = tmp_path / "steps" / "streamed-int16.json"
    assert command("steps", "streamed-int16", output) == 0
    record = read_record(output)
    assert list(record["seconds"]) == ["exact"] and record["reference"] == "streamed"
    assert record["ratio_to_ideal"] == {}
    assert list(record["ratio_to_reference"]) == ["exact"]


def test_only_exact_reconstruction_is_timed_with_deterministic_algorithms(tmp_path, monkeypatch):
    found = {}

    def no_time(networks, *shape, prepare, **rest):
        for name in networks:
            prepare(name)
            found[name] = torch.backends.cudnn.deterministic
        return {name: [1.0] for name in networks}

    monkeypatch.setattr("bench.memory.steps.time_steps", no_time)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    assert command("steps", "streamed", tmp_path / "streamed.json") == 0
    assert found == {"ideal": False, "noisy": False, "exact": True}
    assert command("steps", "streamed-int16", tmp_path / "streamed-int16.json") == 0
    assert found == {"ideal": False, "noisy": False, "exact": True, "reference": False}


def test_measurements_follow_the_recipe(tmp_path, monkeypatch):
    """Number format and batch normalisation are those of the networks that are trained, ResNet-18's beside them too."""
    timed = {}

    def no_time(networks, batch_size, *shape, precision, **rest):
        timed[precision] = networks
        return {name: [1.0] for name in networks}

    monkeypatch.setattr("bench.memory.steps.time_steps", no_time)
    measured = {}
    for precision, norm_scale in (("float32", "learned"), ("mixed", "frozen")):
        text = CONFIG.read_text().replace("  epochs: 1\n", f"  epochs: 1\n  precision: {precision}\n", 1)
        config = tmp_path / "smoke.yaml"
        config.write_text(text.replace("  flip: none\n", f"  norm_scale: {norm_scale}\n", 1))
        for step, name in (("memory", "resnet18"), ("steps", "checkpointing")):
            words = ["--config", str(config), "--architecture", name, "--output", str(tmp_path / "record.json")]
            assert main([step, *words, "--device", "cpu"]) == 0
            record = read_record(tmp_path / "record.json")
            assert (record["settings"]["precision"], record["settings"]["norm_scale"]) == (precision, norm_scale)
            measured[step, precision] = record
    bytes_per_pixel = [measured["memory", each]["measured"]["bytes_per_pixel"] for each in ("float32", "mixed")]
    assert bytes_per_pixel[1] < 0.6 * bytes_per_pixel[0]  # what is stored for convolutions has two bytes, not four
    keys = {record["digest"]["key"] for record in measured.values()}
    assert len(keys) == 4
    for networks in timed.values():
        assert set(networks) == {"ideal", "reference"}
    for precision, trained in (("float32", True), ("mixed", False)):
        norms = [m for model in timed[precision].values() for m in model.modules() if hasattr(m, "running_mean")]
        assert norms and all(norm.weight.requires_grad is trained for norm in norms)


@pytest.mark.parametrize("step", ["memory", "steps"])
def test_an_unknown_architecture_is_refused(step, tmp_path, capsys):
    output = tmp_path / "record.json"
    assert command(step, "resnet19", output) == 2
    assert "choose one of" in capsys.readouterr().err
    assert not output.exists()


def test_a_batch_of_nothing_is_refused(tmp_path, capsys):
    output = tmp_path / "record.json"
    assert command("memory", "resnet18", output, "--batch-size", "0") == 2
    assert "--batch-size is 0" in capsys.readouterr().err
    assert not output.exists()


@pytest.fixture
def fails_once(monkeypatch):
    """The measurement of the noisy mode fails when it is made for the first time."""
    whole, calls = memory_command.measured, []

    def measured(model, *rest):
        calls.append(model)
        if len(calls) == 2:
            raise RuntimeError("a fault of the program")
        return whole(model, *rest)

    monkeypatch.setattr(memory_command, "measured", measured)
    return calls


def test_a_measurement_that_fails_costs_no_other(tmp_path, capsys, fails_once):
    assert command("measure", "layerwise", tmp_path) == 1
    error = capsys.readouterr().err
    assert "a fault of the program" in error  # the traceback, for whoever mends it
    assert "error: 1 of 3 measurements failed (memory/layerwise-noisy.json); the other 2 are kept" in error
    assert not (tmp_path / "memory").exists()
    kept = tmp_path / "measured"
    before = {name: (kept / name).read_bytes() for name in ("memory/layerwise-ideal.json", "steps/layerwise.json")}
    assert command("measure", "layerwise", tmp_path) == 0
    assert len(fails_once) == 3
    assert all((tmp_path / name).read_bytes() == content for name, content in before.items())
    assert read_record(tmp_path / "memory" / "layerwise-noisy.json")["outcome"] == {"status": "ok", "reason": None}


def test_a_disk_that_is_full_is_told_without_a_traceback(tmp_path, capsys, monkeypatch):
    def measured(model, *rest):
        raise OSError(errno.ENOSPC, "No space left on device", "some.json")

    monkeypatch.setattr(memory_command, "measured", measured)
    assert command("measure", "layerwise", tmp_path) == 1
    error = capsys.readouterr().err
    assert "some.json cannot be used (No space left on device)" in error and "Traceback" not in error


def test_a_kept_record_that_is_stale_or_broken_is_made_again(tmp_path, fails_once):
    assert command("measure", "layerwise", tmp_path) == 1
    ideal, steps = tmp_path / "measured" / "memory" / "layerwise-ideal.json", tmp_path / "measured/steps/layerwise.json"
    write_record(ideal, {**read_record(ideal), "digest": {"key": "another"}})
    steps.write_text(steps.read_text()[:100])
    assert command("measure", "layerwise", tmp_path) == 0
    assert len(fails_once) == 4
    config = load(CONFIG)
    made = read_record(tmp_path / "memory" / "layerwise-ideal.json")
    assert made["digest"]["key"] == plan.memory_key(config, "layerwise", "ideal")
    assert read_record(tmp_path / "steps" / "layerwise.json")["seconds"]


def test_memory_that_runs_out_is_a_record_with_the_theory(tmp_path, monkeypatch):
    def exhausted(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GB")

    monkeypatch.setattr(peak_module, "measure_peak", exhausted)
    monkeypatch.setattr(steps, "time_steps", exhausted)
    assert command("measure", "layerwise", tmp_path) == 0
    frame = read_measurements(tmp_path, [("layerwise", "ideal")]).iloc[0]
    assert (frame["memory_status"], frame["steps_status"]) == ("out-of-memory", "out-of-memory")
    assert frame["bytes_per_pixel_theory"] > 0 and isnan(frame["bytes_per_pixel_measured"]) and isnan(frame["step_s"])
    record = read_record(tmp_path / "memory" / "layerwise-ideal.json")
    assert record["outcome"]["reason"].startswith("CUDA out of memory")
