"""Which folders of the package the code digest of each kind of record covers."""

from pathlib import Path

import pytest

from bench import provenance

ENGINE = ("reversible", "architectures", "training")
COVERED = {
    "train": (*ENGINE, "data"),
    "memory": (*ENGINE, "memory"),
    "steps": (*ENGINE, "memory"),
    "numerics": (*ENGINE, "data", "numerics"),
    "control": (*ENGINE, "data", "control"),
}


@pytest.mark.parametrize("kind", COVERED)
def test_a_digest_covers_the_engine_and_what_makes_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)

    def follows(folder: str) -> bool:
        before = provenance.code_digest.__wrapped__(kind)
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "added.py").write_text("x = 1\n")
        return provenance.code_digest.__wrapped__(kind) != before

    assert {folder for folder in (*COVERED[kind], "reporting") if follows(folder)} == set(COVERED[kind])
