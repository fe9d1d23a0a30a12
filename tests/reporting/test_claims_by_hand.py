"""Numbers of the claims table that can be computed by hand, and which runs they are of."""

import pytest
import yaml

from bench import configuration
from bench.plan import Run, run_key
from bench.provenance import code_digest
from bench.records import write_record
from bench.reporting import claims
from bench.reporting.claims_command import claims_of
from bench.reporting.records_frame import read_runs, record_path
from tests import tiny_run
from tests.reporting.synthetic import study, train_record, write_train
from tests.reporting.test_claims import ORIGIN, THEORY, table, value


@pytest.fixture(autouse=True)
def known_theory(monkeypatch):
    monkeypatch.setattr(claims, "theory", lambda name: THEORY)


def test_theory_of_each_claim(tmp_path):
    frame = table(tmp_path).frame
    expected = {
        "ResNet-18: weights": 5,
        "ResNet-18: activations and gradient": 384 / 4,
        "hybrid: batch of 512 at 32x32": 2e8 / 1e9,
        "all training images in one batch": (20 + 384 * 50_000 * 32 * 32) / 1e9,
    }
    found = {claim: value(frame, claim, "theory") for claim in expected}
    assert found == pytest.approx(expected, rel=1e-12)  # the weights, 20 bytes, are little beside 50,000 images


def test_numbers_of_resnet18_are_its_bytes_by_four(tmp_path):
    network = {"bytes_per_pixel": 400.0, "extrapolated_peak_bytes": 2.5e8, "peaks": [{"categories": {"weights": 40}}]}
    record = {"kind": "paper-shapes", "networks": {"resnet18": network}, "hardware": {"device": "a machine"}}
    write_record(tmp_path / claims.SHAPES_RECORD, record | {"digest": {"code": code_digest("memory")}, **ORIGIN})
    frame = table(tmp_path).frame
    assert value(frame, "ResNet-18: weights", "measured") == 10
    assert value(frame, "ResNet-18: activations and gradient", "measured") == 100


def test_training_under_the_cap_is_of_runs_that_came_to_their_end(tmp_path):
    runs = [Run("hybrid", "noisy", device, seed) for device in ("machine", "capped") for seed in (1, 2)]
    failed = {"outcome__status": "out-of-memory", "outcome__accuracy": None, "time_to_target_s": None}
    for run in runs:
        changes = failed if run.seed == 2 else {}
        write_train(tmp_path, run, seconds__training=119.0 * run.seed, **changes)  # and a second of loading
    planned = study(runs)
    frame = table(tmp_path, "capped", read_runs(tmp_path, planned.runs, planned.keys, None)).frame
    assert value(frame, "training on 1 GB", "measured") == 2
    assert value(frame, "training on 1 GB: memory", "measured") == 400
    assert value(frame, "proposed model: accuracy", "measured") == 95


def test_the_cap_is_the_first_under_which_the_proposed_model_is_planned(tmp_path):
    limited = [{"name": name, "memory_cap_mb": 500, "reconstructions": {}} for name in ("capped", "capped-128")]
    limited[0]["reconstructions"] = {"hybrid": ["ideal"]}
    config = tiny_run.CONFIG | {"architectures": {"hybrid": {"reconstructions": ["ideal", "noisy"], "depths": [1]}}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config | {"devices": [{"name": "machine"}, *limited]}))
    run = Run("hybrid", "noisy", "capped-128", 1)
    checked = configuration.load(tmp_path / "tiny.yaml")
    record = train_record(run, seconds__training=119.0, digest__key=run_key(checked, run))
    write_record(record_path(tmp_path, run.name), record)
    made = claims_of(checked, tmp_path)
    assert value(made.frame, "training on 1 GB", "measured") == 2
    assert made.frame.set_index("claim").loc["training on 1 GB", "status"] == "ok"
