"""Whether a record of one step with the whole training set as its batch is what would be made now."""

from pathlib import Path

import pytest

from bench import configuration
from bench.plan import run_key
from bench.whole_batch_key import present_key
from tests.reporting.synthetic import Run, train_record

STEP = Run("hybrid", "noisy", "whole-batch", 1)


@pytest.mark.parametrize(
    ("changes", "current"),
    [
        ({}, True),
        ({"data": {"name": "digits", "image_size": 16}}, False),
        ({"training": {"peak_learning_rate": 0.01}}, False),
        ({"budget": 1000}, False),
        ({"architectures": {}}, False),
    ],
)
def test_a_whole_batch_of_other_data_or_another_recipe_is_not_current(changes, current):
    config = configuration.load(Path("config/quick.yaml"))
    made = {
        **config,
        "training": config["training"] | {"batch_size": 1437, "epochs": 1, "warmup_fraction": 0.0},
        "devices": [config["devices"][0] | {"name": "whole-batch", "memory_cap_mb": 16000}],
    }
    sizes = {"sizes": [1437, 360]}
    record = train_record(STEP, settings__train_images=None, settings__memory_cap_mb=16000, data=sizes)
    now = {name: {**config[name], **new} if name == "training" else new for name, new in changes.items()}
    assert (present_key({**config, **now}, record) == run_key(made, STEP)) == current
    assert present_key(config, {**record, "data": {}}) is None


def test_a_whole_batch_that_a_lower_limit_of_time_ended_is_not_current():
    config = configuration.load(Path("config/quick.yaml"))
    ended = {"outcome__status": "timed-out", "outcome__accuracy": None, "data": {"sizes": [1437, 360]}}
    record = train_record(STEP, **ended, time_limit_s=60, settings__memory_cap_mb=16000)
    keys = [present_key({**config, "time_limit_s": limit}, record) for limit in (30, 60, 90, None)]
    assert keys[0] == keys[1] is not None and keys[2:] == [None, None]
