"""What the keys of records follow, beside the cases of test_plan.py."""

from typing import Any

import pytest

from bench import plan
from bench.configuration import FOLDER, read
from bench.errors import InputError
from bench.plan import memory_key, numerics_key, planned_runs, point_key, run_key, steps_key, timeline_key
from bench.plugins import SOURCES
from tests.test_plan import RUN, changed

NETWORK = [
    (("data", "image_size"), 16),
    (("in_channels",), 2),
    (("classes",), 7),
    (("budget",), 1),
    (("threads",), 7),
    (("architectures", "hybrid", "depths"), [9]),
    (("training", "precision"), "mixed"),
    (("training", "norm_scale"), "frozen"),
    (("training", "norm_scale_eps"), 0.3),
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


def measured_keys(configuration: dict[str, Any]) -> list[str]:
    """Keys of all that is measured once for a machine."""
    experiments = [numerics_key(configuration, name) for name in ("layers", "sweeps")]
    point = point_key(configuration, {"step": 1})
    measured = memory_key(configuration, "hybrid", "noisy"), steps_key(configuration, "hybrid")
    return [*measured, timeline_key(configuration), *experiments, point]


def test_keys_of_measurements_follow_the_code(configuration: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    before = measured_keys(configuration)
    monkeypatch.setattr(plan, "code_digest", lambda kind: f"other code of {kind}")
    assert all(one != other for one, other in zip(before, measured_keys(configuration), strict=True))


def test_keys_of_measurements_follow_the_kind_of_device_where_the_configuration_says_it(
    configuration: dict[str, Any],
) -> None:
    """Not where it is `auto`: the records of a GPU make the same tables on a machine without one."""
    assert configuration["devices"][0]["device"] == "auto"
    kinds = [measured_keys(changed(configuration, "devices", 0, "device", to=kind)) for kind in ("cpu", "cuda")]
    kinds.append(measured_keys(configuration))
    assert all(len(set(keys)) == 3 for keys in zip(*kinds, strict=True))


def test_keys_of_sweeps_follow_the_source_of_a_plugin_that_their_data_come_from(
    configuration: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = measured_keys(configuration)
    monkeypatch.setitem(SOURCES, ("data set", configuration["numerics"]["data"]["name"]), "another")
    same = [one == other for one, other in zip(before, measured_keys(configuration), strict=True)]
    assert same == [True, True, True, True, False, False]


def test_a_scale_that_holds_images_out_is_no_plan(configuration: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="validation_images is 100, but the runs of a scale are evaluated on test"):
        planned_runs(changed(configuration, "data", "validation_images", to=100))
