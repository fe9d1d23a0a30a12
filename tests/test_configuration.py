"""Configurations: those of the project are valid, and everything else is refused in a sentence that names the key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from bench import configuration
from bench.configuration import FOLDER, SCALES, SCHEMA, check_names, load, read
from bench.errors import InputError

QUICK = FOLDER / "quick.yaml"


def written(folder: Path, content: object) -> Path:
    path = folder / "changed.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
    return path


def refusal(folder: Path, content: object) -> str:
    with pytest.raises(InputError) as caught:
        read(written(folder, content))
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert "changed.yaml" in message
    return message


def keys(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The paths of all keys of nested mappings and lists; `options` is left out, whose keys are the architecture's."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "options":
                yield (*path, key)
                yield from keys(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from keys(inner, (*path, index))


def at(value: Any, path: tuple) -> Any:
    for key in path:
        value = value[key]
    return value


def subschemas(schema: Any) -> Iterator[dict]:
    if isinstance(schema, dict):
        yield schema
        for key, inner in schema.items():
            if key not in ("default", "enum"):
                yield from subschemas(inner)


ALL_KEYS = list(keys(read(QUICK)))


@pytest.mark.parametrize("scale", SCALES)
def test_the_scales_of_the_project_are_valid_and_named_after_their_files(scale: str) -> None:
    assert load(FOLDER / f"{scale}.yaml")["scale"] == scale


def test_every_key_of_the_schema_is_described_and_no_other_is_let_through() -> None:
    schema = yaml.safe_load(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    for each in subschemas(schema):
        for key, value in each.get("properties", {}).items():
            assert value.get("description", "").endswith("."), key
        if "properties" in each:
            assert each["additionalProperties"] is False, each["properties"].keys()


@pytest.mark.parametrize("path", ALL_KEYS, ids=lambda path: ".".join(map(str, path)))
def test_a_value_of_a_wrong_type_is_refused_by_name(tmp_path: Path, path: tuple) -> None:
    content = read(QUICK)
    is_mapping = isinstance(at(content, path), dict)
    at(content, path[:-1])[path[-1]] = [] if is_mapping else {"wrong": 1}
    assert ".".join(map(str, path)) in refusal(tmp_path, content)


@pytest.mark.parametrize(
    "path",
    [(), *(path for path in ALL_KEYS if isinstance(at(read(QUICK), path), dict))],
    ids=lambda path: ".".join(map(str, path)) or "top",
)
def test_an_unknown_key_is_refused_by_name(tmp_path: Path, path: tuple) -> None:
    content = read(QUICK)
    at(content, path)["surprise"] = 1
    message = refusal(tmp_path, content)
    assert "surprise" in message


def test_the_nearest_known_key_is_suggested(tmp_path: Path) -> None:
    content = read(QUICK)
    content["training"]["epoch"] = content["training"].pop("epochs")
    assert "unknown key training.epoch (did you mean epochs?)" in refusal(tmp_path, content)


REQUIRED = """scale data budget architectures seeds training memory steps data.name data.image_size
    architectures.hybrid.depths architectures.hybrid.reconstructions training.epochs training.batch_size
    training.peak_learning_rate memory.batch_sizes steps.batch_size devices.0.name numerics.data
    numerics.repairs.variants"""


@pytest.mark.parametrize("key", REQUIRED.split())
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    content = read(QUICK)
    *path, last = (int(part) if part.isdigit() else part for part in key.split("."))
    del at(content, tuple(path))[last]
    assert f"the key {key} is missing (" in refusal(tmp_path, content)


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        (("training", "epochs"), 0, "at least 1"),
        (("training", "epochs"), 2.0, "a whole number"),
        (("training", "epochs"), True, "a whole number"),
        (("training", "peak_learning_rate"), 0, "more than 0"),
        (("training", "peak_learning_rate"), float("nan"), "a number"),
        (("training", "weight_decay"), "5e-4", "write 0.0005"),
        (("training", "flip"), "sideways", "one of none, random, alternating"),
        (("target_accuracy",), 94, "at most 1"),
        (("seeds",), [], "a list of at least 1"),
        (("seeds",), [1, 1], "without repetition"),
        (("memory", "batch_sizes"), [16, 32, 64], "a list of at most 2"),
        (("memory", "batch_sizes"), [32, 16], "must rise"),
        (("architectures",), {}, "1 or more keys"),
        (("architectures",), {"Res Net": {"reconstructions": ["ideal"], "depths": [1]}}, "lower-case"),
        (("devices", 0, "name"), "../elsewhere", "lower-case"),
        (("devices", 0, "device"), "tpu", "one of auto, cpu, cuda"),
        (("devices", 0, "architectures"), ["resnet81"], "did you mean resnet18"),
        (("devices", 0, "reconstructions"), {"vgg": ["ideal"]}, "vgg"),
        (("devices", 0, "reconstructions"), {"resnet18": ["noisy"]}, "noisy"),
        (("devices",), [{"name": "one"}, {"name": "one"}], "different names"),
    ],
)
def test_a_value_out_of_range_is_refused_with_what_was_wanted(
    tmp_path: Path, path: tuple, value: object, wanted: str
) -> None:
    content = read(QUICK)
    at(content, path[:-1])[path[-1]] = value
    message = refusal(tmp_path, content)
    assert wanted in message
    assert str(path[0]) in message


@pytest.mark.parametrize(
    "content", ["", "a list", "- 1", "{", "scale: quick\nscale: quick\n", "!!python/object:os.x {}"]
)
def test_what_is_no_mapping_in_plain_yaml_is_refused(tmp_path: Path, content: str) -> None:
    refusal(tmp_path, content)


def test_a_missing_file_names_the_choices(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="quick"):
        read(tmp_path / "absent.yaml")


def test_defaults_are_filled_in_and_not_shared() -> None:
    first, second = read(QUICK), read(QUICK)
    assert first["classes"] == 10
    assert first["training"]["momentum"] == 0.9
    assert first["devices"][0]["seeds"] is None
    first["architectures"]["hybrid"]["options"]["pooling"] = ["batch"]
    assert "pooling" not in second["architectures"]["hybrid"]["options"]
    assert first["architectures"]["revnet"]["options"] == {}


def test_names_must_be_registered() -> None:
    content = read(QUICK)
    architectures = {name: entry["reconstructions"] for name, entry in content["architectures"].items()}
    check_names(QUICK, content, architectures, ["digits"])
    with pytest.raises(InputError, match=r"data\.name.*mnist"):
        check_names(QUICK, content, architectures, ["mnist"])
    with pytest.raises(InputError, match=r"architectures\.hybrid\.reconstructions.*'noisy'"):
        check_names(QUICK, content, {**architectures, "hybrid": ["ideal"]}, ["digits"])
    del architectures["hybrid"]
    with pytest.raises(InputError, match="'hybrid'"):
        check_names(QUICK, content, architectures, ["digits"])


def test_load_asks_the_registries(tmp_path: Path) -> None:
    content = read(QUICK)
    content["architectures"]["resnet81"] = content["architectures"]["resnet18"]
    with pytest.raises(InputError, match="did you mean resnet18"):
        configuration.load(written(tmp_path, content))


@pytest.mark.parametrize(
    ("part", "size", "told"),
    [
        ("data", 30, "data.image_size for irevnet must be a multiple of 4 (3 resolutions), but is 30"),
        ("numerics", 9, "numerics.data.image_size must be a multiple of 4 (3 resolutions), but is 9"),
    ],
)
def test_images_that_a_network_cannot_halve_are_refused(tmp_path: Path, part: str, size: int, told: str) -> None:
    content = read(QUICK)
    (content if part == "data" else content["numerics"])["data"]["image_size"] = size
    assert told in refusal(tmp_path, content)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"gains": 1.0}, "layerwise takes no option 'gains'"),
        ({"gain": "high"}, "layerwise: the option gain must be a number, not 'high'"),
        ({"negative_slope": 0}, "layerwise: the option negative_slope must be above 0, not 0"),
        ({"head_pooling": "median"}, "layerwise cannot be built with head_pooling 'median'"),
        ({"depths": [1, 1, 1]}, "layerwise: depths is no option"),
        ({"norm_inverse": "statistics"}, "norm_inverse is what the modes of the sweeps differ in"),
    ],
)
def test_options_of_a_repair_are_looked_at_before_anything_is_trained(tmp_path: Path, options: dict, told: str) -> None:
    content = read(QUICK)
    content["numerics"]["repairs"]["variants"]["mine"] = {"options": options}
    with pytest.raises(InputError) as caught:
        load(written(tmp_path, content))
    assert f"changed.yaml: numerics.repairs.variants.mine.options: {told}" in str(caught.value)
