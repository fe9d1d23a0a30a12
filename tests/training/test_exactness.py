"""Training with exact reconstruction: the same bits as with storage, and records that tell when it is not exact."""

import copy

import pytest
import torch
import yaml

from bench.__main__ import main
from bench.architectures import build
from bench.records import read_record
from bench.reversible import ReversibleSequential, exact
from bench.training.exactness import exactness
from bench.training.settings import set_determinism

CONFIG = {
    "scale": "tiny",
    "data": {"name": "digits", "train_images": 100, "test_images": 50, "image_size": 8},
    "budget": 6000,
    "architectures": {
        name: {"reconstructions": ["exact"], "depths": [1, 1], "initial_channels": 8, "options": {}}
        for name in ("revnet", "irevnet", "hybrid")
    },
    "seeds": [1],
    "training": {"epochs": 2, "batch_size": 20, "peak_learning_rate": 0.05},
    "memory": {"batch_sizes": [2, 4]},
    "steps": {"batch_size": 4},
    "devices": [{"name": "machine", "device": "cpu"}],
    "threads": 1,
}
SECONDS = ("training_s", "evaluation_s")


@pytest.fixture
def train(tmp_path):
    """Train an architecture with exact reconstruction and return the record."""

    def run(architecture, output, **options):
        config = copy.deepcopy(CONFIG)
        config["architectures"][architecture]["options"] = options
        place = tmp_path / "tiny.yaml"
        place.write_text(yaml.safe_dump(config))
        words = ["--architecture", architecture, "--reconstruction", "exact", "--seed", "1"]
        assert main(["train", "--config", str(place), *words, "--output", str(tmp_path / output)]) == 0
        return read_record(tmp_path / output / "record.json")

    deterministic, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    yield run
    torch.use_deterministic_algorithms(deterministic)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("architecture", CONFIG["architectures"])
def test_a_run_is_its_stored_twin_to_the_last_bit(train, monkeypatch, architecture):
    reconstructed = train(architecture, "reconstructed")
    made = ReversibleSequential.__init__

    def storing(self, *layers, **options):
        made(self, *layers, **{**options, "store": True})

    monkeypatch.setattr(ReversibleSequential, "__init__", storing)
    stored = train(architecture, "stored")
    histories = [
        [{key: value for key, value in epoch.items() if key not in SECONDS} for epoch in record["history"]]
        for record in (reconstructed, stored)
    ]
    assert histories[0] == histories[1] and len(histories[0]) == 2
    assert reconstructed["exactness"] == stored["exactness"]
    assert reconstructed["exactness"]["overflows"] == 0 and 8 <= reconstructed["exactness"]["grid_bits"] <= 18


def test_values_beyond_the_grid_are_reported(train):
    record = train("irevnet", "coarse", grid_bits=23)
    assert record["exactness"]["grid_bits"] == 23 and record["exactness"]["overflows"] > 0
    assert record["outcome"]["status"] in ("ok", "below-target")


def test_overflows_are_counted_on_after_a_resume(make_trainer):
    def trainer():
        torch.manual_seed(1)
        model = build("irevnet", "exact", initial_channels=8, depths=(1, 1), classes=2, grid_bits=23)
        return make_trainer(model, epochs=2)

    whole, states = trainer(), []
    whole.train(on_epoch=lambda at: states.append(copy.deepcopy(at.state_dict())))
    resumed = trainer()
    resumed.load_state_dict(states[0])
    assert 0 < exactness(resumed.model)["overflows"] == states[0]["overflows"][0] < exactness(whole.model)["overflows"]
    resumed.train()
    assert exactness(resumed.model) == exactness(whole.model)


def test_a_broken_promise_is_a_row(train, monkeypatch):
    sums = exact.checksum
    monkeypatch.setattr(exact, "checksum", lambda state: sums(state) + 1)
    outcome = train("irevnet", "inexact")["outcome"]
    assert outcome["status"] == "inexact" and outcome["accuracy"] is None
    assert "layer 4 (ReversibleBlock)" in outcome["reason"]


def test_exact_runs_ask_cuda_for_its_deterministic_kernels(monkeypatch):
    for name in ("deterministic", "benchmark"):
        monkeypatch.setattr(torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))
    for is_exact in (True, False):
        set_determinism(torch.device("cuda"), seed=0, capped=False, exact=is_exact)
        assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (is_exact, not is_exact)
    set_determinism(torch.device("cpu"), seed=0, capped=False)
