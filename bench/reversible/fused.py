"""Where the passes over an activation are Triton kernels: on CUDA, if Triton is there and computes what it should.

PyTorch for CUDA brings Triton, but that needs a C compiler, and a GPU and a driver that it knows. So it is tried on a
few numbers when a GPU is first used; where that fails, plain torch does the same work in more passes, and
`description` says why.
"""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

DEVICE_TYPES = {"cuda"}
DTYPES = (torch.float32, torch.float64)
NARROW = (torch.bfloat16, torch.float16)  # what convolutions may take beside float32


def fused(*activations: Tensor) -> Any:
    """The module `launch`, if its kernels can work on all of these activations (N, C, H, W) together; else None."""
    first = activations[0]
    if first.device.type not in DEVICE_TYPES or not first.numel() or not _fit({x.dtype for x in activations}):
        return None
    launch = (_tried.get(first.device) or _try(first.device)).launch
    if launch is None:
        return None
    return launch if all(launch.is_even(x) for x in activations) else None


def _fit(dtypes: set[torch.dtype]) -> bool:
    """Whether activations of these types can be worked on together."""
    wide = {torch.float32 if dtype in NARROW else dtype for dtype in dtypes}
    return len(wide) == 1 and wide <= set(DTYPES)


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
    """What computed the passes on `device` in this process, for its record; None where no kernel was asked for."""
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", torch.cuda.current_device())
    tried = _tried.get(device)
    return tried.description if tried else None


class Tried(NamedTuple):
    """What came of trying the kernels on a device."""

    launch: Any  # the module, or None
    description: str


_tried: dict[torch.device, Tried] = {}


def _try(device: torch.device) -> Tried:
    """Let the kernels do the passes on `device` if they can, and if what they compute is what plain torch does."""
    try:
        import triton

        from bench.reversible import launch

        _tried[device] = Tried(launch, f"Triton {triton.__version__}")
        found = _passes(device)
        with plain():
            expected = _passes(device)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one.double(), other.double(), rtol=1e-4, atol=1e-4)
    # Whatever it is that fails, in Triton, the compiler that it calls or the driver, plain torch needs none of them.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        if not isinstance(error, ImportError):
            warnings.warn(f"Triton does not work on {device}; plain torch is used instead ({reason}).", stacklevel=2)
        _tried[device] = Tried(None, f"plain torch ({reason})")
    return _tried[device]


def _passes(device: torch.device) -> list[Tensor]:
    """What the passes make of a few numbers."""
    # Here, since both of them ask this module where they are to run.
    from bench.reversible.channelwise import pull_back, scale_and_shift, weighted_sums
    from bench.reversible.moments import Moments

    numbers = torch.linspace(-1, 1, 63, device=device)
    x, y, g = (part.view(2, 3, 2, 2) for part in numbers[:48].repeat(2).split(24)[:3])
    a, b, c, d, e = numbers[48:].view(5, 3)
    moments = Moments()
    moments.add([x])
    scale_and_shift(x, a, b, 0.5)
    sums = weighted_sums(g, y, a, b, 0.5)
    pull_back(g, y, a, b, c, (d, e), 0.5)
    return [moments.mean, moments.squares, x, *sums, g, y]
