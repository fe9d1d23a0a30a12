"""The grid of exact reconstruction: multiples of 2^-k, on which additions of floating-point numbers lose nothing.

A floating-point format with d binary digits (24 in float32) holds every multiple of 2^-k of at most 2^(d - k) in
magnitude. So if the state is on that grid and F's output is rounded to it before it is added, then y1 = x1 + F(x2) is
exact, and so is x1 = y1 - F(x2): at any depth, without a byte more. The rounding's gradient is taken to be the
identity (straight through). docs/exact.md has the theory, its limits and a worked example.
"""

import math

import torch
from torch import Tensor

from bench.reversible.addition import Addition, Terms
from bench.reversible.channelwise import Activated, computed
from bench.reversible.checksum import InexactReconstruction, checksum, finite
from bench.reversible.chunks import chunks, scratch, shaped
from bench.reversible.fused import fused
from bench.reversible.layer import State

DIGITS = {torch.float32: 24, torch.float64: 53}
# The range is 2^6 times the largest magnitude at the entry, so that residual sums of a hundred blocks fit in.
HEADROOM_BITS = 6
LARGEST_BITS = 126  # 2^126 and 2^-126 are numbers of full precision in float32 still


class Grid(Addition):
    """Addition on multiples of 2^-bits; `bits` is k, chosen at the first batch where it is None.

    `overflows` counts values that left the range 2^(d - bits), of which the inverse loses the last bits (ordinary
    rounding). It is a number on the CPU and a tensor elsewhere, so that nobody waits for the device. With `deferred` a
    difference found on the CPU is kept for `check`, as elsewhere, and not raised at once: of several processes those
    that went on would wait for the one that ended.
    """

    headroom_bits = HEADROOM_BITS

    def __init__(self, bits: int | None = None) -> None:
        if bits is not None and not (isinstance(bits, int) and abs(bits) <= LARGEST_BITS):
            raise ValueError(
                f"grid_bits is {bits!r}, for steps of 2^-grid_bits; it is a whole number from -{LARGEST_BITS} to"
                f" {LARGEST_BITS}, or None, which chooses it at the first batch."
            )
        self.bits, self.deferred = bits, False
        self.overflows: int | Tensor = 0
        self._differences: dict[str, Tensor] = {}

    def enter(self, state: State) -> None:
        """Round `state` to the grid, in place. Its first call chooses the grid by the range of what it is given."""
        self.choose(state)
        for part in state:
            for chunk, source in chunks(part, part):
                # Plus nothing: it makes 0 of -0, which no sum would give back.
                self._multiples(source, chunk).mul_(self.step).add_(0.0)
                self._count(chunk)

    def choose(self, state: State) -> None:
        """Choose the grid by the largest magnitude of `state`, unless that has been done."""
        if self.bits is not None:
            return
        largest = torch.stack([part.abs().amax() for part in state]).amax()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX)  # one grid for all processes
        magnitude = largest.item()
        exponent = math.frexp(magnitude)[1] if math.isfinite(magnitude) else 0
        self.bits = self.digits(state[0]) - self.headroom_bits - max(exponent, 0)

    def add(self, to: State, what: Terms) -> None:
        for target, term in zip(to, what, strict=True):
            if not self._added_by_kernel(target, term, times=1.0):
                self._add(target, computed(term))

    def subtract(self, to: State, what: Terms) -> None:
        for target, term in zip(to, what, strict=True):
            if not self._added_by_kernel(target, term, times=-1.0):
                self._subtract(target, computed(term))

    def differentiable(self, x: State, fx: State) -> State:
        return [a + self.straight_through(b) for a, b in zip(x, fx, strict=True)]

    def straight_through(self, x: Tensor) -> Tensor:
        """`x` rounded to the grid, with the gradient of the identity."""
        rounded = self._multiples(x.detach(), torch.empty_like(x)).mul_(self.step)
        return rounded + (x - x.detach())  # which is zero, so the sum is the rounded value to the last bit

    @property
    def step(self) -> float:
        """The distance of neighbours on the grid, 2^-bits."""
        if self.bits is None:
            raise RuntimeError("The grid is chosen at the first batch, and there was none yet.")
        return math.ldexp(1.0, -self.bits)

    def limit(self, x: Tensor) -> float:
        """The magnitude from which sums in the type of `x` are counted as overflows."""
        return math.ldexp(self.step, self.digits(x))

    def digits(self, x: Tensor) -> int:
        """Binary digits of the type in which the state `x` is held."""
        if x.dtype not in DIGITS:
            raise ValueError(f"Exact reconstruction needs a state in float32 or float64, not {x.dtype}.")
        return DIGITS[x.dtype]

    def compare(self, name: str, state: State, wanted: Tensor, overflows: int | Tensor) -> None:
        """Compare a layer's reconstructed input with the checksum of the true one.

        `overflows` is the count before it ran: if values left the range since, a difference is no surprise. Raises
        `InexactReconstruction` with the layer's `name` on the CPU; elsewhere, or `deferred`, it is kept for `check`.
        """
        found = checksum(state)
        if found.device.type == "cpu" and not self.deferred:
            if not torch.equal(found, wanted) and self.overflows == overflows and finite(state):
                raise InexactReconstruction(_sentence(name))
            return
        differs = (
            (found != wanted).any() & finite(state) & torch.as_tensor(self.overflows == overflows).to(found.device)
        )
        self._differences[name] = self._differences.get(name, differs).logical_or_(differs)

    def counted(self) -> int | Tensor:
        """The overflows so far, as they stay whatever is counted later."""
        return self.overflows.clone() if isinstance(self.overflows, Tensor) else self.overflows

    def check(self) -> None:
        """Raise `InexactReconstruction` if `compare` found a difference; waits for the device."""
        for name, differs in self._differences.items():
            if differs.item():
                raise InexactReconstruction(_sentence(name))

    def _added_by_kernel(self, target: Tensor, term: Tensor | Activated, times: float) -> bool:
        """target <- target + times term, rounded and counted in one pass over memory, if a kernel can do that."""
        x = term.x if isinstance(term, Activated) else term
        kernels = fused(x)
        if kernels is None or not kernels.takes_multiples(target, x):
            return False
        kernels.add_multiples(target, term, times, self.step, self.limit(target), self._counter(target.device))
        return True

    def _add(self, target: Tensor, term: Tensor) -> None:
        held = scratch(target)
        for chunk, source in chunks(target, term):
            chunk.add_(self._multiples(source, shaped(held, chunk)), alpha=self.step)
            self._count(chunk)

    def _subtract(self, target: Tensor, term: Tensor) -> None:
        held = scratch(target)
        for chunk, source in chunks(target, term):
            chunk.sub_(self._multiples(source, shaped(held, chunk)), alpha=self.step)

    def _multiples(self, x: Tensor, out: Tensor) -> Tensor:
        """`x` in steps, rounded to the nearest whole number (to even between two), written to `out`; may be `x`."""
        return torch.mul(x.to(out.dtype), 1 / self.step, out=out).round_()

    def _count(self, y: Tensor) -> None:
        limit = self.limit(y)
        if y.device.type != "cpu":
            self._counter(y.device).add_((y.abs() >= limit).sum())
            return
        low, high = torch.aminmax(y)
        if not max(-low.item(), high.item()) < limit:
            self.overflows += int((y.abs() >= limit).sum())

    def _counter(self, device: torch.device) -> Tensor:
        """`overflows` on the device. It keeps its place: a CUDA graph counts on where it counted when it was made."""
        if not isinstance(self.overflows, Tensor):
            with torch.inference_mode(False):
                self.overflows = torch.full((), self.overflows, device=device)
        return self.overflows


def _sentence(name: str) -> str:
    return f"the reconstructed input of {name} is not the one of the forward pass"
