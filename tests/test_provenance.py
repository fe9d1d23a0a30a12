"""Provenance: what a record says of machine and code."""

import re
import subprocess

import pytest
import torch

from bench import provenance

CPU = torch.device("cpu")


def test_hardware_names_the_cpu_and_its_threads():
    found = provenance.hardware(CPU)
    assert found["cpu"] and found["threads"] == torch.get_num_threads() and found["memory_bytes"] > 10**8
    assert found["device"].startswith(found["cpu"]) and f"({found['threads']} thread" in found["device"]
    assert found["cpu_capability"] and found["device"].endswith(f", {found['cpu_capability']})")
    assert found["gpu"] is None and found["driver"] is None


def test_versions_are_those_that_are_imported():
    found = provenance.versions()
    assert found["torch"] == torch.__version__.partition("+")[0] or found["torch"] == torch.__version__
    assert re.fullmatch(r"3\.\d+\.\d+\S*", found["python"])


def test_digest_ignores_words_and_sees_changes():
    plain = "def f(x):\n    return x + 1\n"
    described = '"""Module."""\n\ndef f(x):  # why\n    """Adds."""\n    return (x +\n            1)\n'
    assert provenance.meaning(plain) == provenance.meaning(described)
    others = "def f(x):\n    return x + 2\n", "def f(y):\n    return x + 1\n", "def f(x):\n    return None\n"
    assert len({provenance.meaning(source) for source in (plain, *others)}) == 4
    assert provenance.meaning("x = ['a', 'b']") != provenance.meaning("x = ['a']")
    assert provenance.meaning("def f(): return None") != provenance.meaning("def f(): return")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two files, with which digests and git are asked."""
    for folder in ("training", "reporting"):
        (tmp_path / "bench" / folder).mkdir(parents=True)
        (tmp_path / "bench" / folder / "module.py").write_text("x = 1\n")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "bench")
    provenance.code_digest.cache_clear()
    yield tmp_path / "bench"
    provenance.code_digest.cache_clear()


def digest(kind="train"):
    provenance.code_digest.cache_clear()
    return provenance.code_digest(kind)


def test_digest_covers_what_a_record_depends_on(package):
    before = digest()
    assert re.fullmatch("[0-9a-f]{12}", before)
    (package / "reporting" / "module.py").write_text("x = 2\n")
    assert digest() == before
    (package / "training" / "module.py").write_text("x = 1  # the same\n")
    assert digest() == before
    (package / "training" / "module.py").write_text("x = 2\n")
    assert digest() != before
    (package / "memory").mkdir()
    (package / "memory" / "peak.py").write_text("y = 1\n")
    assert digest() != digest("memory")


def test_git_outside_a_repository_is_null(package, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(package.parent.parent))
    assert provenance.git() == {"commit": None, "dirty": None}


def test_git_tells_commit_and_changes_but_not_results(package):
    def git(*words):
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(package.parent), *identity, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    git("init")
    git("add", "-A")
    git("commit", "-m", "first")
    clean = provenance.git()
    assert clean == {"commit": git("rev-parse", "HEAD").strip(), "dirty": False}
    (package.parent / "results").mkdir()
    (package.parent / "results" / "record.json").write_text("{}")
    assert provenance.git() == clean
    (package / "training" / "module.py").write_text("x = 3\n")
    assert provenance.git()["dirty"] is True
