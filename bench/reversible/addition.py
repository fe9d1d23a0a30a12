"""How a reversible block adds a branch's output to the other half of the state, and takes it away again."""

from bench.reversible.layer import State


class Addition:
    """In floating point: what was added is taken away up to rounding errors, the noise of noisy reconstruction.

    Both arguments are lists of parts of equal shapes; the second one is only read. `bench.reversible.grid.Grid` is
    the addition that loses nothing.
    """

    def add(self, to: State, what: State) -> None:
        """to <- to + what, in place."""
        for target, term in zip(to, what, strict=True):
            target += term

    def subtract(self, to: State, what: State) -> None:
        """to <- to - what, in place: undoes `add`."""
        for target, term in zip(to, what, strict=True):
            target -= term

    def differentiable(self, x: State, fx: State) -> State:
        """x + fx as new tensors, recorded by autograd."""
        return [a + b for a, b in zip(x, fx, strict=True)]


FLOATING = Addition()
