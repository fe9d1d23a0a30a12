"""What the keys of records follow, beside the cases of test_plan.py."""

from typing import Any

import pytest

from bench.configuration import FOLDER, read
from bench.plan import memory_key, point_key, run_key, steps_key
from tests.test_plan import RUN, changed

NETWORK = [
    (("data", "image_size"), 16),
    (("in_channels",), 2),
    (("classes",), 7),
    (("budget",), 1),
    (("threads",), 7),
    (("architectures", "hybrid", "depths"), [9]),
    (("training", "precision"), "mixed"),
]


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    return read(FOLDER / "quick.yaml")


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("devices", 0, "epochs"), 7),
        (("devices", 0, "processes"), 2),
        (("classes",), 7),
        (("in_channels",), 2),
        (("data", "train_images"), 7),
        (("training", "precision"), "mixed"),
    ],
)
def test_the_key_of_a_run_follows_its_device_data_and_precision(
    configuration: dict[str, Any], path: tuple, to: Any
) -> None:
    assert run_key(changed(configuration, *path, to=to), RUN) != run_key(configuration, RUN)


@pytest.mark.parametrize(("path", "to"), [*NETWORK, (("memory", "batch_sizes"), [3, 5])])
def test_the_key_of_a_memory_record_follows_network_and_batches(
    configuration: dict[str, Any], path: tuple, to: Any
) -> None:
    other = changed(configuration, *path, to=to)
    assert memory_key(other, "hybrid", "noisy") != memory_key(configuration, "hybrid", "noisy")


@pytest.mark.parametrize(
    ("path", "to"),
    [*NETWORK, (("steps", "batch_size"), 3), (("architectures", "hybrid", "reconstructions"), ["ideal"])],
)
def test_the_key_of_step_times_follows_networks_and_batch(configuration: dict[str, Any], path: tuple, to: Any) -> None:
    assert steps_key(changed(configuration, *path, to=to), "hybrid") != steps_key(configuration, "hybrid")


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("numerics", "initial_channels"), 4),
        (("numerics", "data", "train_images"), 7),
        (("numerics", "training", "epochs"), 77),
        (("classes",), 7),
        (("in_channels",), 2),
        (("threads",), 7),
    ],
)
def test_the_key_of_a_point_follows_its_network_data_and_recipe(
    configuration: dict[str, Any], path: tuple, to: Any
) -> None:
    assert point_key(changed(configuration, *path, to=to), {"step": 1}) != point_key(configuration, {"step": 1})
