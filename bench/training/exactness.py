"""What exact reconstruction has to tell of a run: its grid, and how many values left the grid's range."""

from collections.abc import Iterator
from typing import Any

from torch import nn

from bench.reversible import ReversibleSequential


def exactness(model: nn.Module) -> dict[str, Any] | None:
    """`grid_bits` (k of the grid's step 2^-k) and `overflows` (values beyond its range); None without such a grid.

    The activations behind an overflow were restored up to rounding, as in noisy reconstruction.
    """
    for sequence in _exact(model):
        return {"grid_bits": sequence.grid.bits, "overflows": int(sequence.grid.overflows)}
    return None


def overflows(model: nn.Module) -> list[int]:
    """The overflows counted so far, a number for each of the network's grids; empty without exact reconstruction."""
    return [int(sequence.grid.overflows) for sequence in _exact(model)]


def restore_overflows(model: nn.Module, counts: list[int]) -> None:
    """Go on counting from `counts`, what `overflows` gave before the run was interrupted."""
    for sequence, count in zip(_exact(model), counts, strict=True):
        sequence.grid.overflows = count


def check_exactness(model: nn.Module) -> None:
    """Raise `InexactReconstruction` if a checksum differed on a device that is not waited for in every step."""
    for sequence in _exact(model):
        sequence.grid.check()


def _exact(model: nn.Module) -> Iterator[ReversibleSequential]:
    for module in model.modules():
        if isinstance(module, ReversibleSequential) and module.reconstruction == "exact":
            yield module
