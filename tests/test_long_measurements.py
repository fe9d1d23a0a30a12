"""Long measurements for the claims table: whether their records are what would be made now."""

from pathlib import Path
from typing import Any

import pytest

from bench import plan
from bench.configuration import FOLDER, read
from bench.errors import InputError
from bench.long_measurements import STEP, LongMeasurement, asked, at_hand, whole_batch_key
from bench.records import write_record
from bench.training.whole_batch import CAP_MB, one_step


@pytest.fixture
def configuration() -> dict[str, Any]:
    return {**read(FOLDER / "smoke.yaml"), "claims": ["whole-batch"]}


def made(configuration: dict[str, Any], folder: Path) -> LongMeasurement:
    """The measurement, after its record was made by the command's own configuration."""
    (whole,) = asked(configuration, folder)
    step = one_step(configuration, None, CAP_MB)
    images = step["training"]["batch_size"]
    key = plan.run_key(step, plan.Run("hybrid", "noisy", STEP["device"], 1))
    write_record(whole.record, {"kind": "train", "digest": {"key": key}, "data": {"sizes": [images, 360]}})
    return whole


def test_a_step_that_was_just_made_is_current(configuration: dict[str, Any], tmp_path: Path) -> None:
    assert asked(configuration, tmp_path)[0].state == "missing"
    assert made(configuration, tmp_path).state == "done"


@pytest.mark.parametrize(
    ("part", "change"),
    [("data", {"image_size": 32}), ("data", {"name": "fashion-mnist"}), ("training", {"norm_momentum": 0.9})],
)
def test_with_other_data_or_another_recipe_it_is_stale(
    configuration: dict[str, Any], tmp_path: Path, part: str, change: dict[str, Any]
) -> None:
    before = made(configuration, tmp_path)
    (after,) = asked({**configuration, part: {**configuration[part], **change}}, tmp_path)
    assert (before.state, after.state) == ("done", "stale") and before.key != after.key


@pytest.mark.parametrize("data", [None, {}, {"sizes": []}, {"sizes": [7]}])
def test_without_its_number_of_images_it_is_stale(configuration: dict[str, Any], tmp_path: Path, data: Any) -> None:
    whole = made(configuration, tmp_path)
    key = whole_batch_key(configuration, 1437)
    write_record(whole.record, {"kind": "train", "digest": {"key": key}, "data": data})
    assert whole.state == "stale"
    whole.record.write_text("{")
    assert whole.state == "broken"


def test_shapes_follow_the_code_alone(configuration: dict[str, Any], tmp_path: Path) -> None:
    (shapes,) = asked({**configuration, "claims": ["paper-shapes"]}, tmp_path)
    for code, state in ((shapes.key, "done"), ("of other code", "stale")):
        write_record(shapes.record, {"kind": "paper-shapes", "digest": {"code": code}})
        assert shapes.state == state


def test_what_was_made_by_hand_is_at_hand(configuration: dict[str, Any], tmp_path: Path) -> None:
    whole = tmp_path / "whole-batch" / "record.json"
    assert at_hand(configuration, tmp_path) == [whole]
    without = {**configuration, "claims": []}
    assert asked(without, tmp_path) == at_hand(without, tmp_path) == []
    made(configuration, tmp_path)
    assert asked(without, tmp_path) == [] and at_hand(without, tmp_path) == [whole]


def test_a_scale_without_the_network_of_a_step_is_refused(configuration: dict[str, Any], tmp_path: Path) -> None:
    configuration["architectures"].pop("hybrid")
    with pytest.raises(InputError, match=r"claims whole-batch, a step of the architecture 'hybrid', but does not have"):
        asked(configuration, tmp_path)
