"""Root may write where others may not: for tests of folders that cannot be written."""

import contextlib
import ctypes
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
