"""A state of 16-bit whole numbers: half the memory of float32, and still nothing is lost.

The state counts steps of 2^-k, and F's output, rounded to steps, is added modulo 2^16. Such an addition is a bijection
whatever the numbers are, so reconstruction is exact even where a sum wraps around; but then the value is nonsense, so
k leaves head-room and wraps are counted as overflows. Gradients of the state are held in bfloat16, whose 8 digits are
those of mixed-precision training. docs/exact.md.
"""

from typing import Any, cast

import torch
from torch import Tensor

from bench.reversible.chunks import chunks
from bench.reversible.grid import Grid
from bench.reversible.layer import State

DIGITS = 15
FAR = 2.0**31 - 2.0**17  # steps; a multiple of 2^16, and with another int16 added still below 2^31
HEADROOM_BITS = 3  # the range is 8 to 16 times the largest magnitude at the entry: the fewer digits, the less to spare


class Int16Grid(Grid):
    """Addition modulo 2^16 of steps of 2^-bits. Parts of the state are int16; what is added is floating-point."""

    headroom_bits = HEADROOM_BITS

    def digits(self, x: Tensor) -> int:
        return DIGITS

    def limit(self, x: Tensor) -> float:
        return 2.0**DIGITS  # of sums in steps

    def stored(self, x: Tensor) -> Tensor:
        """`x` in steps, as int16 in the memory format of `x`."""
        return self._wrapped(self._wide(x))

    def read(self, x: State) -> State:
        read = [Read(part, self.step if part.dtype == torch.int16 else 1.0) for part in x]
        return cast(State, read)  # of a tensor they have what their readers ask for

    def gradient_like(self, x: Tensor) -> Tensor:
        return torch.empty_like(x, dtype=torch.bfloat16)

    def _add(self, target: Tensor, term: Tensor) -> None:
        for chunk, source in chunks(target, term):
            chunk.copy_(self._wrapped(self._wide(source).add_(chunk)))

    def _subtract(self, target: Tensor, term: Tensor) -> None:
        for chunk, source in chunks(target, term):
            chunk.sub_(self._wide(source).to(torch.int16))

    def _wide(self, x: Tensor) -> Tensor:
        # What int32 cannot hold, NaN included, becomes a number far beyond the range, so that it is counted everywhere.
        steps = torch.mul(x.to(torch.float32), 1 / self.step).round_().clamp_(-FAR, FAR)
        return steps.nan_to_num_(nan=FAR).to(torch.int32)

    def _wrapped(self, wide: Tensor) -> Tensor:
        self._count(wide)
        return wide.to(torch.int16)


class Read:
    """A part of a 16-bit state, or of its gradient, as its readers see it: float32 values, made of what is sliced out.

    It has of a tensor what `slices`, `parted` and the branches that work in slices ask for.
    """

    dtype = torch.float32

    def __init__(self, part: Tensor, step: float) -> None:
        self.part, self.step = part, step
        self.shape, self.device = part.shape, part.device

    def __getitem__(self, images: slice) -> Tensor:
        values = self.part[images].to(torch.float32)
        return values if self.step == 1.0 else values.mul_(self.step)

    def numel(self) -> int:
        return self.part.numel()

    def element_size(self) -> int:
        return 4  # of what is read

    def stride(self, *dimension: int) -> Any:
        return self.part.stride(*dimension)

    def is_contiguous(self, **layout: Any) -> bool:
        return self.part.is_contiguous(**layout)
