"""What all tests share.

Triton's kernels run in its interpreter, on CPU tensors, where there is no GPU. Triton is told so by the environment
when it is first imported, which torch may do in any test.
"""

import os
import shutil
from pathlib import Path

import pytest

from tests.tiny_run import TinyRun

if shutil.which("nvidia-smi") is None:
    os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.fixture
def tiny(tmp_path: Path) -> TinyRun:
    return TinyRun(tmp_path)
