"""What a record may hold; how it is written and read is in the tests of faults and of a full disk."""

from pathlib import Path

import pytest

from bench.records import write_record


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused_and_the_record_before_stays(tmp_path: Path, value: float) -> None:
    path = tmp_path / "record.json"
    write_record(path, {"kind": "train", "loss": 1.0})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(path, {"kind": "train", "loss": value})
    assert [each.name for each in tmp_path.iterdir()] == ["record.json"] and path.read_bytes() == before
