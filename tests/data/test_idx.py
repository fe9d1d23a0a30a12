"""IDX files: read exactly, and refused with the file's name when they are broken."""

import gzip
import struct

import pytest
import torch

from bench.data.idx import read_idx
from bench.errors import InputError


def idx_bytes(values: torch.Tensor) -> bytes:
    """`values`, uint8, in the IDX format."""
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.numpy().tobytes()


IMAGES = torch.arange(2 * 3 * 4, dtype=torch.uint8).view(2, 3, 4)


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_reads_what_was_written(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(idx_bytes(IMAGES)) if name.endswith(".gz") else idx_bytes(IMAGES))
    assert torch.equal(read_idx(path, axes=3), IMAGES)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (idx_bytes(IMAGES)[:-1], "should hold 24 bytes"),
        (idx_bytes(IMAGES) + b"\0", "has more"),
        (idx_bytes(IMAGES)[:9], "ends within its header"),
        (b"\0\0\x0d\x03" + idx_bytes(IMAGES)[4:], "begins with 00 00 0d 03"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 9), "states the shape"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 0, 3, 4), "states the shape"),
        (b"", "begins with"),
    ],
)
def test_broken_files_are_named(tmp_path, content, fault):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(InputError, match=fault) as error:
        read_idx(path, axes=3)
    assert str(path) in str(error.value)


# Cut short, with a wrong check sum, and no gzip file at all.
@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-12], lambda packed: packed[:-8] + bytes(8), lambda _: b"no"]
)
def test_damaged_gzip_is_named(tmp_path, damage):
    path = tmp_path / "images.gz"
    path.write_bytes(damage(gzip.compress(idx_bytes(IMAGES))))
    with pytest.raises(InputError, match="cannot be read as an IDX file") as error:
        read_idx(path, axes=3)
    assert str(path) in str(error.value)
