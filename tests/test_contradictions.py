"""Keys that contradict one another are refused when the configuration is read, before a plan is made of it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.configuration import SCHEMA, read
from bench.contradictions import DEFAULT_EPS
from bench.errors import InputError
from bench.strict_yaml import read_yaml
from tests.tiny_run import CONFIG

NUMERICS = {
    "data": {"name": "digits", "image_size": 8},
    "initial_channels": 4,
    "training": CONFIG["training"],
    "seeds": [1],
    "depth": {"layerwise": [1], "hybrid": [1]},
    "slope": {"layerwise": [0.1], "hybrid": [0.1], "steps": {"layerwise": 1, "hybrid": 1}},
    "repairs": {"steps": [1], "variants": {"none": {}}},
}
RESNET = CONFIG["architectures"]["resnet18"]


def training(**changes: Any) -> dict[str, Any]:
    return {"training": {**CONFIG["training"], **changes}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (training(norm_scale_eps=0.2), "training.norm_scale_eps is 0.2, but takes effect only where norm_scale is abs"),
        (training(batch_size=1), "training.batch_size must be at least 2, but is 1"),
        ({"devices": [{"name": "small", "batch_size": 1}]}, "devices.0.batch_size must be at least 2, but is 1"),
        ({"devices": [{"name": "two", "processes": 3}]}, "devices.two: 3 processes cannot share a batch of 20 images"),
        (
            {"devices": [{"name": "two", "processes": 2, "batch_size": 5}]},
            "devices.two: 2 processes cannot share a batch of 5 images",
        ),
        (
            {"architectures": {"resnet18": {**RESNET, "seeds_of": {"noisy": [1]}}}},
            "architectures.resnet18.seeds_of names 'noisy', but its reconstructions are ideal",
        ),
        *(
            (
                {"numerics": {**NUMERICS, **training(precision=name)}},
                f"numerics.training.precision must be float32, {but}",
            )
            for name, but in (("tf32", "but is 'tf32'"), ("mixed", "but is 'mixed'"))
        ),
        (
            {"numerics": {**NUMERICS, "data": {**NUMERICS["data"], "validation_images": 9}}},
            "numerics.data.validation_images is 9, but sweeps are evaluated on test images; take it out",
        ),
        (
            {"numerics": {**NUMERICS, **training(norm_scale="frozen", norm_scale_eps=0.2)}},
            "numerics.training.norm_scale_eps is 0.2, but takes effect only where norm_scale is absolute, not frozen",
        ),
    ],
)
def test_what_no_run_would_follow_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    place = tmp_path / "mine.yaml"
    place.write_text(yaml.safe_dump({**CONFIG, **changes}))
    with pytest.raises(InputError) as caught:
        read(place)
    assert str(caught.value).startswith(f"{place}: {told}") and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "changes",
    [
        {"numerics": NUMERICS},
        training(norm_scale="absolute", norm_scale_eps=0.2),
        {"devices": [{"name": "two", "processes": 3, "batch_size": 6}]},
        {"architectures": {"resnet18": {**RESNET, "seeds_of": {"ideal": [1]}}}},
    ],
)
def test_what_a_run_follows_is_let_be(tmp_path: Path, changes: dict[str, Any]) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**CONFIG, **changes}))
    read(tmp_path / "mine.yaml")


def test_the_default_is_the_schema_s() -> None:
    assert read_yaml(SCHEMA)["properties"]["training"]["properties"]["norm_scale_eps"]["default"] == DEFAULT_EPS
