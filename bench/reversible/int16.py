"""A state of 16-bit whole numbers: half the memory of float32, and still nothing is lost.

The state counts steps of 2^-k, and F's output, rounded to steps, is added modulo 2^16. Such an addition is a bijection
whatever the numbers are, so reconstruction is exact even where a sum wraps around; but then the value is nonsense, so
k leaves head-room and wraps are counted as overflows. Gradients of the state are held in bfloat16, whose 8 digits are
those of mixed-precision training. docs/exact.md.
"""

import torch
from torch import Tensor

from bench.reversible.grid import Grid, chunks
from bench.reversible.layer import State

DIGITS = 15
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

    def load(self, x: Tensor) -> Tensor:
        """The values that the steps `x` stand for, in float32."""
        return x.to(torch.float32).mul_(self.step)

    def gradient(self, x: Tensor) -> Tensor:
        """A tensor for the gradient of the part `x`, its values not set."""
        return torch.empty_like(x, dtype=torch.bfloat16)

    def add(self, to: State, what: State) -> None:
        for target, term in zip(to, what, strict=True):
            for chunk, source in chunks(target, term):
                chunk.copy_(self._wrapped(self._wide(source).add_(chunk)))

    def subtract(self, to: State, what: State) -> None:
        for target, term in zip(to, what, strict=True):
            for chunk, source in chunks(target, term):
                chunk.sub_(self._wide(source).to(torch.int16))

    def _wide(self, x: Tensor) -> Tensor:
        return torch.mul(x, 1 / self.step).round_().to(torch.int32)

    def _wrapped(self, wide: Tensor) -> Tensor:
        self._count(wide)
        return wide.to(torch.int16)
