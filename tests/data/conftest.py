"""An empty working folder: data sets that this machine happens to have under ./data must not matter."""

import pytest


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """A new folder, and the working folder of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
