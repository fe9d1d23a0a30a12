"""What exact reconstruction has to tell of a run: its grid, and how many values left the grid's range."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from bench.reversible import InexactReconstruction, ReversibleSequential
from bench.training.processes import Processes


def exactness(model: nn.Module) -> dict[str, Any] | None:
    """`grid_bits` (k of the first grid's step 2^-k) and `overflows` (values beyond the range); None without a grid.

    The activations behind an overflow were restored up to rounding, as in noisy reconstruction.
    """
    for sequence in _exact(model):
        return {"grid_bits": sequence.grid.bits, "overflows": sum(overflows(model))}
    return None


def overflows(model: nn.Module) -> list[int]:
    """The overflows counted so far, a number for each of the network's grids; empty without exact reconstruction."""
    return [int(sequence.grid.overflows) for sequence in _exact(model)]


def restore_overflows(model: nn.Module, counts: list[int]) -> None:
    """Go on counting from `counts`, what `overflows` gave before the run was interrupted."""
    for sequence, count in zip(_exact(model), counts, strict=True):
        sequence.grid.overflows = count


def defer_checks(model: nn.Module) -> None:
    """Leave what is not exact to `check_exactness`, on the CPU too."""
    for sequence in _exact(model):
        sequence.grid.deferred = True


def check_exactness(model: nn.Module, processes: Processes) -> None:
    """Raise `InexactReconstruction` if a checksum differed, where that was not raised at once.

    Of several processes all raise it, since those that went on would wait for the others.
    """
    found = None
    try:
        for sequence in _exact(model):
            sequence.grid.check()
    except InexactReconstruction as error:
        found = error
    if _sum(int(found is not None), model, processes):
        raise found or InexactReconstruction("Another process of this run found that it does not reconstruct exactly.")


def gather_overflows(model: nn.Module, processes: Processes) -> None:
    """Move what every process has counted to the one that writes the record."""
    if processes.several:
        for sequence in _exact(model):
            count = _sum(int(sequence.grid.overflows), model, processes)
            sequence.grid.overflows = count if processes.writes else 0


def _sum(number: int, model: nn.Module, processes: Processes) -> int:
    """The sum of a number over the processes, who speak to each other from the network's device."""
    if not processes.several:
        return number
    return int(processes.sum_(torch.tensor(number, device=next(model.parameters()).device)))


def _exact(model: nn.Module) -> Iterator[ReversibleSequential]:
    for module in model.modules():
        if isinstance(module, ReversibleSequential) and module.reconstruction == "exact":
            yield module
