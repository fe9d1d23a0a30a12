"""What a kernel refuses, for the tests of disks that are full and folders that cannot be written."""

import contextlib
import ctypes
import resource
from collections.abc import Iterator

CAP_DAC_OVERRIDE, VERSION_3 = 1, 0x20080522


@contextlib.contextmanager
def as_others() -> Iterator[None]:
    """The body without the right to write where permissions forbid it (CAP_DAC_OVERRIDE), which others have never."""
    libc = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(VERSION_3, 0)
    rights = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, 32 bits each, then the higher bits of each
    assert libc.capget(header, rights) == 0
    before = rights[0]
    rights[0] &= ~(1 << CAP_DAC_OVERRIDE)
    assert libc.capset(header, rights) == 0
    try:
        yield
    finally:
        rights[0] = before
        assert libc.capset(header, rights) == 0


@contextlib.contextmanager
def full_disk(size: int) -> Iterator[None]:
    """The body with no room for files beyond `size` bytes: they break off in the middle of the writing."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit_files(size)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def limit_files(size: int) -> None:
    """Let no file grow beyond `size` bytes from here on."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
