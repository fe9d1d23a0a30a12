"""Records of code that has been shown to give the same results stand; what is said of that is of the present code."""

import json

import pytest

from bench import configuration, provenance
from bench.plan import planned_runs, run_key
from bench.records import recorded_digest
from bench.same_results import SAME_AS, SAME_KEYS
from tests.smoke import ROOT

CHANGED = "the code has changed since: prove that results stay the same, or take the entry out"


def own_digest(monkeypatch: pytest.MonkeyPatch, kind: str) -> str:
    """The digest of the code as it is, by its own name."""
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "SAME_AS", {})
        return provenance.code_digest.__wrapped__(kind)


def test_every_entry_is_of_the_present_code(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {own_digest(monkeypatch, kind) for kind in provenance.CODE}
    assert set(SAME_AS) <= own, CHANGED
    assert not own & set(SAME_AS.values())


@pytest.mark.parametrize("kind", provenance.CODE)
def test_its_digest_is_told_as_that_of_the_code_before(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    own = own_digest(monkeypatch, kind)
    monkeypatch.setattr(provenance, "SAME_AS", {own: "0123456789ab"})
    assert provenance.code_digest.__wrapped__(kind) == "0123456789ab"
    monkeypatch.setattr(provenance, "SAME_AS", {"0123456789ab": "ba9876543210"})
    assert provenance.code_digest.__wrapped__(kind) == own


def test_a_key_of_code_in_between_is_told_as_the_present_one() -> None:
    (old, new), *_ = SAME_KEYS.items()
    assert recorded_digest({"digest": {"key": old, "code": old}}, "key") == new
    assert recorded_digest({"digest": {"key": old, "code": old}}, "code") == old
    assert recorded_digest({"digest": {"key": [old]}}, "key") == [old]


def test_every_such_key_is_of_a_reference_record_whose_run_is_planned() -> None:
    config = configuration.load(ROOT / "config" / "paper-short.yaml")
    places = {
        run: ROOT / f"results/reference/h200/paper-short/runs/{run.name}/record.json" for run in planned_runs(config)
    }
    records = {run: json.loads(place.read_text()) for run, place in places.items() if place.exists()}
    assert set(SAME_KEYS) <= {record["digest"]["key"] for record in records.values()}
    for run, record in records.items():
        assert recorded_digest(record, "key") == run_key(config, run), f"{run.name}: {CHANGED}"
