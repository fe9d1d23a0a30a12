"""`python -m bench train`: from a configuration to a record, whatever happens in between."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
import yaml

from bench.__main__ import main
from bench.plan import Run, run_key
from bench.training import clock
from bench.training import device as device_module
from bench.training import run as run_module
from bench.training.loop import Trainer

CONFIG = {
    "scale": "tiny",
    "data": {"name": "digits", "train_images": 200, "test_images": 50, "image_size": 9},
    "budget": 6000,
    "architectures": {
        "resnet18": {"reconstructions": ["ideal"], "depths": [1, 1], "initial_channels": 8},
        "revnet": {"reconstructions": ["ideal", "noisy"], "depths": [1, 1], "initial_channels": 8},
    },
    "seeds": [1],
    "target_accuracy": 0.5,
    "training": {"epochs": 6, "batch_size": 20, "peak_learning_rate": 0.1, "translate": 1},
    "memory": {"batch_sizes": [2, 4]},
    "steps": {"batch_size": 4},
    "devices": [
        {"name": "machine", "device": "cpu"},
        {"name": "tight", "device": "cpu", "memory_cap_mb": 1, "batch_size": 200, "label": "a small card (emulated)"},
    ],
    "threads": 1,
}
ONE_EPOCH = {"training": {**CONFIG["training"], "epochs": 1}}
SECONDS = ("training_s", "evaluation_s")


@pytest.fixture
def train(tmp_path, torch_settings):
    """Write a configuration with changes, run the command on it, and return its exit code and its record (or None)."""

    def run(changes=None, output="run", *words):
        config = tmp_path / "tiny.yaml"
        config.write_text(yaml.safe_dump({**CONFIG, **(changes or {})}))
        given = {"--architecture": "resnet18", "--reconstruction": "ideal", "--seed": "1"}
        given.update(zip(words[::2], words[1::2], strict=True))
        options = [word for pair in given.items() for word in pair if word]
        code = main(["train", "--config", str(config), "--output", str(tmp_path / output), *options])
        place = tmp_path / output / "record.json"
        return code, json.loads(place.read_text()) if place.exists() else None

    return run


def accounts(record):
    """The history without its seconds."""
    return [{key: value for key, value in entry.items() if key not in SECONDS} for entry in record["history"]]


def test_a_run_writes_its_record_and_nothing_else(train, tmp_path, capfd):
    code, record = train()
    assert code == 0 and [path.name for path in (tmp_path / "run").iterdir()] == ["record.json"]
    assert (record["kind"], record["schema"]) == ("train", 1)
    assert record["outcome"] == {"status": "ok", "reason": None, "accuracy": record["history"][-1]["test_accuracy"],
                                 "reached_target": True}  # fmt: skip
    assert [entry["epoch"] for entry in record["history"]] == [1, 2, 3, 4, 5, 6]
    settings = record["settings"]
    assert (settings["device"], settings["device_type"], settings["label"]) == ("machine", "cpu", None)
    assert settings["parameters"] > 1000 and settings["initial_channels"] == 8 and settings["depths"] == [1, 1]
    assert settings["training"]["momentum"] == 0.9 and settings["training"]["epochs"] == 6
    seconds = record["seconds"]
    assert set(seconds) == {"load", "build", "warm_up", "training", "evaluation", "tta", "everything"}
    assert seconds["warm_up"] == seconds["tta"] == 0
    assert record["processes"]["count"] == 1 and record["lease"] == {"gpus": [], "wait_s": 0.0}
    assert seconds["everything"] > seconds["load"] + seconds["build"] + seconds["training"] + seconds["evaluation"]
    crossing = next(entry for entry in record["history"] if entry["test_accuracy"] >= 0.5)
    assert record["time_to_target_s"] == pytest.approx(seconds["load"] + crossing["training_s"])
    assert record["peak_memory"]["process_resident_bytes"] > 10**7
    assert record["data"]["sizes"] == [200, 50]
    assert record["hardware"]["threads"] == 1
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith("epoch 1/6 loss ") and lines[0].endswith(" s") and " test " in lines[0]
    assert lines[-1].startswith("resnet18-ideal-machine-seed1: ok, test ")


def test_the_key_is_the_plans(train, tmp_path):
    from bench import configuration

    _, record = train()
    config = configuration.load(tmp_path / "tiny.yaml")
    assert record["digest"]["key"] == run_key(config, Run("resnet18", "ideal", "machine", 1))
    assert len(record["digest"]["code"]) == len(record["digest"]["configuration"]) == 12


def test_same_seed_same_bits_and_the_two_reconstructions_train_alike(train):
    words = "--architecture", "revnet"
    one, same = train(None, "one", *words)[1], train(None, "same", *words)[1]
    noisy = train(None, "noisy", *words, "--reconstruction", "noisy")[1]
    other = train(None, "other", *words, "--seed", "2")[1]
    assert accounts(one) == accounts(same) != accounts(other)
    assert noisy["settings"]["reconstruction"] == "noisy"
    assert noisy["history"][0]["loss"] == pytest.approx(one["history"][0]["loss"], rel=1e-3)


def test_the_seed_decides_both_weights_and_batches(train, monkeypatch):
    seen = []

    class Seen(run_module.Trainer):
        def train(self, *arguments):
            weights = torch.cat([parameter.detach().flatten() for parameter in self.model.parameters()])
            seen.append((weights, self.batches.generator.initial_seed()))
            super().train(*arguments)

    monkeypatch.setattr(run_module, "Trainer", Seen)
    for output, seed in (("one", "1"), ("same", "1"), ("other", "2")):
        train(ONE_EPOCH, output, "--seed", seed)
    (one, first), (same, second), (other, third) = seen
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert (first, second, third) == (1, 1, 2)


def test_each_phase_of_a_run_has_its_seconds(train, monkeypatch):
    passed, perf_counter = [0.0], clock.time.perf_counter
    monkeypatch.setattr(clock.time, "perf_counter", lambda: perf_counter() + passed[0])
    monkeypatch.setattr(run_module, "process_age", lambda: 1e6)

    def takes(seconds, place, name):
        function = getattr(place, name)

        def call(*arguments, **options):
            passed[0] += seconds
            return function(*arguments, **options)

        monkeypatch.setattr(place, name, call)

    takes(1000, run_module.data, "load")
    takes(2000, run_module, "trained_network")
    takes(4000, run_module.Trainer, "evaluate")
    seconds = train(ONE_EPOCH)[1]["seconds"]
    thousands = {"load": 1, "build": 2, "warm_up": 0, "training": 0, "evaluation": 4, "tta": 0, "everything": 1007}
    assert {name: round(value / 1000) for name, value in seconds.items()} == thousands


def test_divergence_is_a_row(train):
    training = {**CONFIG["training"], "peak_learning_rate": 1e30}
    code, record = train({"training": training})
    assert code == 0 and record["outcome"]["status"] == "diverged" and record["outcome"]["accuracy"] is None
    assert record["time_to_target_s"] is None and "loss is" in record["outcome"]["reason"]


def test_a_missed_target_is_a_row(train):
    code, record = train({"target_accuracy": 1.0, **ONE_EPOCH})
    assert code == 0 and record["outcome"]["status"] == "below-target" and not record["outcome"]["reached_target"]


def test_running_out_of_memory_is_a_row(train, tmp_path):
    train()  # writes the configuration
    command = [sys.executable, "-m", "bench", "train", "--config", str(tmp_path / "tiny.yaml"), "--seed", "1"]
    command += ["--architecture", "resnet18", "--device", "tight", "--output", str(tmp_path / "tight")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "tight" / "record.json").read_text())
    assert record["outcome"]["status"] == "out-of-memory" and record["outcome"]["accuracy"] is None
    assert record["settings"]["memory_cap_mb"] == 1 and record["settings"]["training"]["batch_size"] == 200
    assert record["settings"]["label"] == "a small card (emulated)"
    assert record["peak_memory"]["process_resident_bytes"] > 10**7


@pytest.mark.parametrize(("device", "recorded"), [("machine", True), ("tight", False)])
def test_steps_become_no_cuda_graph_under_a_cap(train, monkeypatch, device, recorded):
    asked = []

    def trainer(*arguments, capture=True):
        asked.append(capture)
        return Trainer(*arguments, capture=capture)

    monkeypatch.setattr(run_module, "Trainer", trainer)
    monkeypatch.setattr(run_module, "memory_cap", lambda *_: contextlib.nullcontext())
    _, record = train(ONE_EPOCH, "run", "--device", device)
    assert asked == [recorded] and record["outcome"]["accuracy"] is not None


def test_a_killed_run_resumes_to_the_same_history(train, tmp_path):
    changes = {"training": {**CONFIG["training"], "epochs": 12}}
    _, whole = train(changes)
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "bench", "train", "--config", str(tmp_path / "tiny.yaml"), "--seed", "1"]
    command += ["--architecture", "resnet18", "--output", str(folder), "--resume"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder / "checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (folder / "record.json").exists() and list(folder.glob("checkpoint*.pt"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "resumed after epoch" in done.stderr
    record = json.loads((folder / "record.json").read_text())
    assert record["resumed"] == 1 and accounts(record) == accounts(whole)
    assert [path.name for path in folder.iterdir()] == ["record.json"]


@pytest.mark.parametrize(
    ("changes", "words", "fault"),
    [
        (None, ("--architecture", "resnet19"), "no architecture 'resnet19'; choose one of resnet18, revnet"),
        (None, ("--reconstruction", "noisy"), "resnet18 has no reconstruction 'noisy'"),
        (None, ("--device", "fridge"), "no device 'fridge'; choose one of machine, tight, auto, cpu, cuda"),
        (None, ("--seed", "-1"), "--seed is -1"),
        ({"training": {**CONFIG["training"], "batch_size": 201}}, (), "batch_size is 201 but there are 200"),
        ({"classes": 11}, (), "classes: 11 was given but data set 'digits' has 10"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(train, tmp_path, capsys, changes, words, fault):
    code, record = train(changes, "run", *words)
    error = capsys.readouterr().err
    assert code == 2 and record is None
    assert error.startswith("error: ") and fault in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_no_gpu_is_one_sentence(train, capsys, monkeypatch):
    monkeypatch.setattr(device_module.torch.cuda, "is_available", lambda: False)
    assert train(None, "run", "--device", "cuda")[0] == 2
    assert "no CUDA GPU" in capsys.readouterr().err


def test_the_output_must_be_a_folder(train, capsys):
    assert train(None, "tiny.yaml")[0] == 2
    assert "is a file" in capsys.readouterr().err
