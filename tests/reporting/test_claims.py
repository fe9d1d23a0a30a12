"""The claims table: theory of the paper's shapes, our records where there are any, and what was published."""

import pandas as pd
import pytest

from bench.provenance import code_digest
from bench.records import write_record
from bench.reporting import claims
from bench.reporting.formats import to_csv, to_latex, to_markdown
from bench.reporting.records_frame import COLUMNS, read_runs
from tests.reporting.synthetic import KEY, Run, study, train_record, write_train

THEORY = {"parameters": 5.0, "bytes_per_pixel": 384.0, "batch_bytes": 2e8, "step_bytes": 3e8, "weights_bytes": 20.0}


@pytest.fixture(autouse=True)
def known_theory(monkeypatch):
    monkeypatch.setattr(claims, "theory", lambda name: THEORY)


ORIGIN = {"git": {"commit": "0123456789", "dirty": False}, "date": "2026-01-02T03:04:05+00:00"}
NETWORK = {
    "bytes_per_pixel": 400.0,
    "extrapolated_peak_bytes": 2.5e8,
    "peaks": [{"categories": {"weights": 40}}],
}
STEP = Run("hybrid", "noisy", "whole-batch", 1)
WHOLE = "all training images in one batch"


def table(results, capped=None, runs=None, whole_batch_key=KEY):
    runs = pd.DataFrame(columns=list(COLUMNS)) if runs is None else runs
    return claims.claims_table("tiny", results, runs, "machine", capped, lambda record: whole_batch_key)


def shapes_record(**networks):
    digest = {"code": code_digest("memory")}
    return {
        "kind": "paper-shapes",
        "networks": networks,
        "hardware": {"device": "a machine"},
        "digest": digest,
        **ORIGIN,
    }


def value(frame: pd.DataFrame, claim: str, column: str):
    return frame.loc[frame["claim"] == claim, column].item()


def test_without_records_theory_and_published_stand_and_the_rest_was_not_run(tmp_path):
    made = table(tmp_path)
    assert made.frame["measured"].isna().all()
    assert set(made.display[("Measured", "")]) == {claims.NOT_RUN}
    assert value(made.frame, "hybrid: memory", "published") == 352
    assert value(made.frame, "hybrid: memory", "theory") == 384
    assert value(made.frame, "proposed model: accuracy", "published") == pytest.approx(93.3)
    for text in (to_markdown(made), to_latex(made), to_csv(made)):
        assert "10c" in text


def test_records_fill_their_rows_alone(tmp_path):
    write_record(tmp_path / claims.SHAPES_RECORD, shapes_record(hybrid=NETWORK))
    made = table(tmp_path)
    assert value(made.frame, "hybrid: memory", "measured") == 400
    assert value(made.frame, "hybrid: batch of 512 at 32x32", "measured") == 0.25
    assert "extrapolated" in value(made.frame, "hybrid: batch of 512 at 32x32", "basis")
    assert made.frame["measured"].notna().sum() == 2
    assert "a machine, 2026-01-02, commit 0123456" in made.caption
    assert value(made.frame, "hybrid: memory", "status") == "ok"
    assert value(made.frame, "revnet: memory", "status") == claims.NOT_RUN


def test_records_of_other_code_are_stale(tmp_path):
    write_record(tmp_path / claims.SHAPES_RECORD, shapes_record(hybrid=NETWORK) | {"digest": {"code": "another"}})
    write_record(tmp_path / claims.WHOLE_BATCH_RECORD, train_record(STEP))
    made = table(tmp_path, whole_batch_key="another")
    assert made.frame["measured"].isna().all()
    shown = made.display.set_index([("Number", "")])[("Measured", "")]
    assert shown["hybrid: memory"] == shown["all training images in one batch"] == claims.STALE
    assert shown["training on 1 GB"] == claims.NOT_RUN


def test_accuracy_is_of_the_first_device_and_no_other(tmp_path):
    places = [("machine", 0.93), ("longer", 0.99), ("capped", 0.5), ("another-cap", 0.6)]
    runs = [Run("hybrid", "noisy", device, 1) for device, _ in places]
    for run, (_, accuracy) in zip(runs, places, strict=True):
        write_train(tmp_path, run, outcome__accuracy=accuracy)
    planned = study(runs)
    made = table(tmp_path, "capped", read_runs(tmp_path, planned.runs, planned.keys, None))
    assert value(made.frame, "proposed model: accuracy", "measured") == pytest.approx(93)
    assert value(made.frame, "proposed model: accuracy", "records") == runs[0].name
    assert value(made.frame, "training on 1 GB", "records") == runs[2].name
    assert "1 run" in value(made.frame, "training on 1 GB", "basis")


def test_a_mean_says_of_how_many_runs_it_is(tmp_path):
    runs = [Run("hybrid", "noisy", "machine", seed) for seed in (1, 2)]
    for run, accuracy in zip(runs, (0.9, 0.94), strict=True):
        write_train(tmp_path, run, outcome__accuracy=accuracy)
    planned = study(runs)
    made = table(tmp_path, "capped", read_runs(tmp_path, planned.runs, planned.keys, None))
    assert value(made.frame, "proposed model: accuracy", "measured") == pytest.approx(92)
    assert "mean of 2 runs" in value(made.frame, "proposed model: accuracy", "basis")
    assert "run" not in value(made.frame, "training on 1 GB", "basis")


def test_a_whole_batch_that_did_not_fit_has_no_number(tmp_path):
    for status, expected in (("below-target", 0.4), ("out-of-memory", None)):
        write_record(tmp_path / claims.WHOLE_BATCH_RECORD, train_record(STEP, outcome__status=status))
        frame = table(tmp_path).frame
        found = value(frame, WHOLE, "measured")
        assert found == expected or (expected is None and pd.isna(found))
        basis = value(frame, WHOLE, "basis")
        assert "1,437 images" in basis and "on CPU A (2 threads)" in basis
        assert value(frame, WHOLE, "status") == ("ok" if expected else status)


def test_on_a_gpu_memory_is_the_allocators_and_says_so(tmp_path):
    held = {"peak_memory__cuda_allocated_bytes": 15_000_000_000, "peak_memory__process_resident_bytes": 3_000_000_000}
    write_record(tmp_path / claims.WHOLE_BATCH_RECORD, train_record(STEP, **held))
    run = Run("hybrid", "noisy", "capped", 1)
    write_train(tmp_path, run, **held)
    frame = table(tmp_path, "capped", read_runs(tmp_path, [run], {run.name: KEY})).frame
    assert value(frame, WHOLE, "measured") == 15 and value(frame, "training on 1 GB: memory", "measured") == 15_000
    for claim in (WHOLE, "training on 1 GB: memory"):
        assert value(frame, claim, "basis").endswith("CUDA allocated")


def test_a_whole_batch_of_unknown_size_or_peak_stops_nothing(tmp_path):
    nothing = {"settings__train_images": None, "peak_memory__process_resident_bytes": None}
    write_record(tmp_path / claims.WHOLE_BATCH_RECORD, train_record(STEP, **nothing))
    made = table(tmp_path)
    assert "all images" in value(made.frame, WHOLE, "basis")
    assert made.display.set_index([("Number", "")])[("Measured", "")][WHOLE] == "—"


def test_a_number_is_table_2s_and_says_what_became_of_the_runs_that_are_not_in_it(tmp_path):
    runs = [Run("hybrid", "noisy", device, seed) for device in ("machine", "capped") for seed in (1, 2, 3)]
    for run in runs:
        seconds = {1: 60.0, 2: 66.0, 3: 6_000.0}[run.seed]
        held = {1: 400_000_000, 2: 400_000_000, 3: 900_000_000}[run.seed]
        low = {"outcome__status": "below-target", "outcome__accuracy": 0.8} if run.seed == 3 else {}
        if run.device == "machine" and run.seed == 2:
            low = {"outcome__status": "diverged", "outcome__accuracy": None}
        changes = {"seconds__load": 0.0, "seconds__training": seconds, "peak_memory__process_resident_bytes": held}
        write_train(tmp_path, run, **changes, **low)
    made = table(tmp_path, "capped", read_runs(tmp_path, runs, {run.name: KEY for run in runs}))
    shown = made.display.set_index([("Number", "")])[("Measured", "")]
    assert shown["proposed model: accuracy"] == "87.5 (1 ok, 1 below target, 1 diverged)"
    assert value(made.frame, "proposed model: accuracy", "status") == "1 ok, 1 below target, 1 diverged"
    assert shown["training on 1 GB"] == "1.1 (2 ok, 1 below target)"  # the median, in minutes
    assert shown["training on 1 GB: memory"] == "900 (2 ok, 1 below target)"  # the most


@pytest.mark.parametrize(
    ("states", "status", "records"),
    [
        ([{"outcome__status": "diverged", "outcome__accuracy": None}], "diverged", True),
        ([{"outcome__status": "out-of-memory", "outcome__accuracy": None}], "out of memory", True),
        ([{"digest__key": "old"}], "stale", False),
        ([{"kind": "memory"}], "broken", False),
        ([None], "not run", False),
        ([{"outcome__status": "diverged", "outcome__accuracy": None}, None], "1 diverged, 1 not run", True),
    ],
)
def test_runs_without_a_number_say_what_became_of_them(tmp_path, states, status, records):
    runs = [Run("hybrid", "noisy", device, seed) for device in ("machine", "capped") for seed in range(len(states))]
    for run in runs:
        if states[run.seed] is not None:
            write_train(tmp_path, run, **states[run.seed])
    made = table(tmp_path, "capped", read_runs(tmp_path, runs, {run.name: KEY for run in runs}))
    shown = made.display.set_index([("Number", "")])[("Measured", "")]
    for claim in ("proposed model: accuracy", "training on 1 GB", "training on 1 GB: memory"):
        assert shown[claim] == status
        assert pd.notna(value(made.frame, claim, "records")) == records


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({"kind": "memory"}, "its kind is 'memory', not 'paper-shapes'"),
        ({"kind": "paper-shapes", "networks": {}}, "'hardware' is a required property"),
        (shapes_record(hybrid={}), "networks.hybrid: 'bytes_per_pixel' is a required property"),
    ],
)
def test_a_broken_record_is_named_and_stops_nothing(tmp_path, record, fault):
    write_record(tmp_path / claims.SHAPES_RECORD, record)
    made = table(tmp_path)
    (warning,) = made.warnings
    assert fault in warning and claims.SHAPES_RECORD in warning
    assert value(made.frame, "hybrid: memory", "status") == claims.BROKEN
    assert value(made.frame, "all training images in one batch", "status") == claims.NOT_RUN
