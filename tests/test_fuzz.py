"""Whatever stands in a file from outside, it is read or refused in one sentence.

Short here; FUZZ_EXAMPLES=100000 in the environment makes it long.
"""

import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.configuration import FOLDER, read
from bench.data.idx import read_idx
from bench.data.image_folder import decode
from bench.errors import InputError
from bench.records import read_record
from bench.reporting.record_schema import fault
from bench.show import told
from tests.reporting.synthetic import Run, train_record

LENGTH = int(os.environ.get("FUZZ_EXAMPLES", "60"))
fuzz = settings(max_examples=LENGTH, deadline=None, suppress_health_check=list(HealthCheck), database=None)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "file"


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """The path of every key and index of nested mappings and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in [(*path, key), *places(inner, (*path, key))]]


def replaced(value: Any, path: tuple, new: Any) -> Any:
    """`value` with `new` at `path`."""
    changed = json.loads(json.dumps(value))
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = new
    return changed


RECORD = train_record(Run("hybrid", "noisy", "machine", 1))
QUICK = yaml.safe_load((FOLDER / "smoke.yaml").read_text())


@fuzz
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | VALUES.map(json.dumps).map(str.encode))
def test_a_record_of_any_content_is_read_or_refused(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    try:
        told(read_record(place))
    except InputError as error:
        assert "\n" not in str(error)


@fuzz
@given(path=st.sampled_from(places(RECORD)), new=VALUES)
def test_a_record_with_any_value_changed_is_judged(path: tuple, new: Any) -> None:
    changed = replaced(RECORD, path, new)
    assert fault(changed, "train", {"architecture": "hybrid", "seed": 1}) is None or path
    told(changed)


@fuzz
@given(content=st.text(max_size=100) | VALUES.map(yaml.safe_dump))
def test_a_configuration_of_any_content_is_refused_in_one_sentence(place: Path, content: str) -> None:
    place.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError) as caught:
        read(place)
    assert str(caught.value).endswith(".")


@fuzz
@given(path=st.sampled_from(places(QUICK)), new=VALUES)
def test_a_configuration_with_any_value_changed_is_read_or_refused(place: Path, path: tuple, new: Any) -> None:
    place.write_text(yaml.safe_dump(replaced(QUICK, path, new)))
    try:
        read(place)
    except InputError as error:
        assert str(error).endswith(".")


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """`content` cut short, or with some bytes changed."""
    cut = st.integers(0, len(content)).map(lambda end: content[:end])
    spots = st.dictionaries(st.integers(0, len(content) - 1), st.integers(0, 255), min_size=1, max_size=4)
    changed = spots.map(lambda new: bytes(new.get(at, byte) for at, byte in enumerate(content)))
    return cut | changed | st.binary(max_size=64)


WHOLE_IDX = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (2, 3, 3)) + bytes(range(18))
IMAGE = io.BytesIO()
Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(IMAGE, "PNG")


@fuzz
@given(content=damaged(WHOLE_IDX), gzipped=st.booleans())
def test_an_idx_file_of_any_content_is_read_or_refused(place: Path, content: bytes, gzipped: bool) -> None:
    path = place.with_suffix(".gz" if gzipped else ".idx")
    path.write_bytes(gzip.compress(content) if gzipped else content)
    try:
        assert read_idx(path, 3).shape[1:] is not None
    except InputError as error:
        assert str(path) in str(error)


@fuzz
@given(content=damaged(gzip.compress(WHOLE_IDX)))
def test_a_damaged_gzip_file_is_read_or_refused(place: Path, content: bytes) -> None:
    path = place.with_suffix(".gz")
    path.write_bytes(content)
    try:
        read_idx(path, 3)
    except InputError as error:
        assert str(path) in str(error)


@fuzz
@given(content=damaged(IMAGE.getvalue()))
def test_an_image_of_any_content_is_read_or_refused(place: Path, content: bytes) -> None:
    path = place.with_suffix(".png")
    path.write_bytes(content)
    try:
        decode([path])
    except InputError as error:
        assert str(path) in str(error)
