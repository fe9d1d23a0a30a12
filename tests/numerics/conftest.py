"""The configuration whose numerics section the tests read."""

import pytest

from bench.configuration import FOLDER, read


@pytest.fixture
def configuration():
    return read(FOLDER / "quick.yaml")
