"""Records of code that has been shown to give the same results stand; what is said of that is of the present code."""

import pytest

from bench import provenance
from bench.same_results import SAME_AS


def own_digest(monkeypatch: pytest.MonkeyPatch, kind: str) -> str:
    """The digest of the code as it is, by its own name."""
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "SAME_AS", {})
        return provenance.code_digest.__wrapped__(kind)


def test_every_entry_is_of_the_present_code(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {own_digest(monkeypatch, kind) for kind in provenance.CODE}
    assert set(SAME_AS) <= own, "the code has changed since: prove that results stay the same, or take the entry out"
    assert not own & set(SAME_AS.values())


@pytest.mark.parametrize("kind", provenance.CODE)
def test_its_digest_is_told_as_that_of_the_code_before(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    own = own_digest(monkeypatch, kind)
    monkeypatch.setattr(provenance, "SAME_AS", {own: "0123456789ab"})
    assert provenance.code_digest.__wrapped__(kind) == "0123456789ab"
    monkeypatch.setattr(provenance, "SAME_AS", {"0123456789ab": "ba9876543210"})
    assert provenance.code_digest.__wrapped__(kind) == own
