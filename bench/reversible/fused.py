"""Where the passes over an activation are Triton kernels: on CUDA, if Triton is there and computes what it should.

PyTorch for CUDA brings Triton, but that needs a C compiler, and a GPU and a driver that it knows. So it is tried on a
few numbers when a GPU is first used; where that fails, plain torch does the same work in more passes, and
`description` says why.
"""

import contextlib
import functools
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

DEVICE_TYPES = {"cuda"}
DTYPES = (torch.float32, torch.float64)


def fused(*activations: Tensor) -> Any:
    """The module `launch`, if its kernels can work on all of these activations (N, C, H, W) together; else None."""
    first = activations[0]
    if first.device.type not in DEVICE_TYPES or first.dtype not in DTYPES or not first.numel():
        return None
    launch, _ = _tried(first.device)
    if launch is None:
        return None
    return launch if all(x.dtype == first.dtype and launch.is_even(x) for x in activations) else None


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """Plain torch on every device while inside: to compare with, from one thread and around whole training steps."""
    before = set(DEVICE_TYPES)
    DEVICE_TYPES.clear()
    try:
        yield
    finally:
        DEVICE_TYPES.update(before)


def description(device: torch.device) -> str | None:
    """What computes the passes on `device`, for records; None where that is never Triton."""
    if device.type not in DEVICE_TYPES:
        return None
    return _tried(torch.empty(0, device=device).device)[1]  # with its number


@functools.cache
def _tried(device: torch.device) -> tuple[Any, str]:
    """(the module `launch` or None, `description`)."""
    try:
        import triton

        from bench.reversible import launch

        x = torch.linspace(-1, 1, 24, device=device).view(2, 3, 2, 2)
        y, factor, shift = torch.empty_like(x), *torch.tensor([[1.0, 2.0, -3.0], [0.0, 0.25, 0.5]], device=device)
        launch.scale_and_shift(x, factor, shift, 0.5, y)
        normalised = x * factor.view(-1, 1, 1) + shift.view(-1, 1, 1)
        torch.testing.assert_close(y, torch.nn.functional.leaky_relu(normalised, 0.5))
    # Whatever it is that fails, in Triton, the compiler that it calls or the driver, plain torch needs none of them.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        if not isinstance(error, ImportError):
            warnings.warn(f"Triton does not work on {device}; plain torch is used instead ({reason}).", stacklevel=2)
        return None, f"plain torch ({reason})"
    return launch, f"Triton {triton.__version__}"
