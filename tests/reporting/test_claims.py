"""The claims table: theory of the paper's shapes, our records where there are any, and what was published."""

import pandas as pd
import pytest

from bench.provenance import code_digest
from bench.records import write_record
from bench.reporting import claims
from bench.reporting.formats import to_csv, to_latex, to_markdown
from bench.reporting.records_frame import COLUMNS, read_runs
from tests.reporting.synthetic import Run, study, write_train

THEORY = {"parameters": 5.0, "bytes_per_pixel": 384.0, "batch_bytes": 2e8, "step_bytes": 3e8, "weights_bytes": 20.0}


@pytest.fixture(autouse=True)
def known_theory(monkeypatch):
    monkeypatch.setattr(claims, "theory", lambda name: THEORY)


ORIGIN = {"git": {"commit": "0123456789", "dirty": False}, "date": "2026-01-02T03:04:05+00:00"}


def table(results, capped=None, runs=None):
    return claims.claims_table(
        "tiny", results, pd.DataFrame(columns=list(COLUMNS)) if runs is None else runs, "machine", capped
    )


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
    peaks = [{"categories": {"weights": 40}}]
    network = {"bytes_per_pixel": 400.0, "extrapolated_peak_bytes": 2.5e8, "peaks": peaks}
    record = {"kind": "paper-shapes", "networks": {"hybrid": network}, "hardware": {"device": "a machine"}}
    record |= {"digest": {"code": code_digest("memory")}, **ORIGIN}
    write_record(tmp_path / claims.SHAPES_RECORD, record)
    made = table(tmp_path)
    assert value(made.frame, "hybrid: memory", "measured") == 400
    assert value(made.frame, "hybrid: batch of 512 at 32x32", "measured") == 0.25
    assert "extrapolated" in value(made.frame, "hybrid: batch of 512 at 32x32", "basis")
    assert made.frame["measured"].notna().sum() == 2
    assert "a machine, 2026-01-02, commit 0123456" in made.caption
    assert value(made.frame, "hybrid: memory", "status") == "ok"
    assert value(made.frame, "revnet: memory", "status") == claims.NOT_RUN


def test_records_of_other_code_are_stale(tmp_path):
    networks = {"hybrid": {"bytes_per_pixel": 400.0}}
    shapes = {"kind": "paper-shapes", "networks": networks, "hardware": {"device": "a machine"}, **ORIGIN}
    write_record(tmp_path / claims.SHAPES_RECORD, shapes)
    whole = {field: {} for field in claims.FIELDS["train"]} | {"kind": "train", "digest": {"code": "another"}}
    write_record(tmp_path / claims.WHOLE_BATCH_RECORD, whole)
    made = table(tmp_path)
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


def test_a_whole_batch_that_did_not_fit_has_no_number(tmp_path):
    settings = {"data": "digits", "image_size": 32, "architecture": "hybrid", "initial_channels": 8}
    record = {"kind": "train", "settings": settings, "data": {"sizes": [1437, 360]}}
    record |= {"peak_memory": {"process_resident_bytes": 2_000_000_000}, "digest": {"code": code_digest()}}
    claim = "all training images in one batch"
    for status, expected in (("below-target", 2.0), ("out-of-memory", None)):
        write_record(tmp_path / claims.WHOLE_BATCH_RECORD, {**record, "outcome": {"status": status}})
        frame = table(tmp_path).frame
        found = value(frame, claim, "measured")
        assert found == expected or (expected is None and pd.isna(found))
        assert "1,437 images" in value(frame, claim, "basis")
        assert value(frame, claim, "status") == ("ok" if expected else status)


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({"kind": "memory"}, "is of kind 'memory', not 'paper-shapes'; delete it"),
        ({"kind": "paper-shapes", "networks": {}}, "has no field 'hardware'; delete it"),
    ],
)
def test_a_broken_record_is_named_and_stops_nothing(tmp_path, record, fault):
    write_record(tmp_path / claims.SHAPES_RECORD, record)
    made = table(tmp_path)
    (warning,) = made.warnings
    assert fault in warning and claims.SHAPES_RECORD in warning
    assert value(made.frame, "hybrid: memory", "status") == claims.BROKEN
    assert value(made.frame, "all training images in one batch", "status") == claims.NOT_RUN
