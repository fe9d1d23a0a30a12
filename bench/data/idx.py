"""IDX, the file format of MNIST and its relatives: a magic number, the lengths of the axes, then the bytes."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from bench.errors import InputError

UNSIGNED_BYTE = 0x08  # the format's code for uint8, the only one that these data sets use
MAX_BYTES = 1 << 30  # a broken header must not make us unpack a gzip bomb


def read_idx(path: Path, axes: int) -> Tensor:
    """Read an IDX file of unsigned bytes with `axes` axes, gzipped when its name ends in .gz, as a uint8 tensor.

    Raises `InputError` naming the file when magic, shape or length are not what they must be.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * axes)
            shape = check_header(path, header, axes)
            wanted = math.prod(shape)
            content = file.read(wanted + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read as an IDX file ({error}); fetch it again.") from error
    if len(content) != wanted:
        found = "more" if len(content) > wanted else f"{len(content):,}"
        raise InputError(f"{path} should hold {wanted:,} bytes after its header but has {found}; fetch it again.")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).view(shape)


def check_header(path: Path, header: bytes, axes: int) -> tuple[int, ...]:
    """The shape that an IDX header states; `InputError` when it is short, of another kind, empty or far too large."""
    magic = bytes([0, 0, UNSIGNED_BYTE, axes])
    if header[:4] != magic:
        raise InputError(
            f"{path} begins with {header[:4].hex(' ')} where an IDX file of bytes with {axes} axes begins with "
            f"{magic.hex(' ')}; fetch it again."
        )
    if len(header) != 4 + 4 * axes:
        raise InputError(f"{path} ends within its header; fetch it again.")
    shape = struct.unpack(f">{axes}I", header[4:])
    if not 0 < math.prod(shape) <= MAX_BYTES:
        raise InputError(f"{path} states the shape {shape}, which no data set here has; fetch it again.")
    return shape
