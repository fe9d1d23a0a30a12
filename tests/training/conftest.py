"""What tests of training share: the small task as fixtures, and a port."""

import socket

import pytest

from tests.training.small_task import make_images, make_recipe, make_trainer


@pytest.fixture(name="make_images")
def _make_images():
    return make_images


@pytest.fixture(name="make_recipe")
def _make_recipe():
    return make_recipe


@pytest.fixture(name="make_trainer")
def _make_trainer():
    return make_trainer


@pytest.fixture
def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
