from pathlib import Path

import pytest

from tests.tiny_run import TinyRun


@pytest.fixture
def tiny(tmp_path: Path) -> TinyRun:
    return TinyRun(tmp_path)
