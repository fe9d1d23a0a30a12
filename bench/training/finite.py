"""Whether a training still computes with numbers, or has diverged."""

import math

from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from bench.training.outcome import Diverged
from bench.training.processes import Processes


def check_loss(total: Tensor, epoch: int, step: int) -> None:
    """Raise `Diverged` when the sum of an epoch's losses up to `step` (from 0) is not finite. Waits for the device."""
    if not math.isfinite(value := total.item()):
        raise Diverged(f"the loss is {value} at epoch {epoch}, step {step + 1}")


def check_network(model: nn.Module, processes: Processes, epoch: int) -> None:
    """Raise `Diverged` when a parameter or a running statistic is not finite. Waits for the device.

    The loss need not tell: a state of 16-bit whole numbers cannot hold what is no number, and makes zeros of it.
    """
    # Of buffers the statistics alone: a mask, say, may well be infinite.
    statistics = (each for name, each in model.named_buffers() if name.rpartition(".")[2].startswith("running_"))
    every = (*model.parameters(), *statistics)
    numbers = [each.detach() for each in every if each.is_floating_point() and each.numel()]
    # Of several processes each has its own statistics, and all end together: a sum with what is no number is none.
    if not math.isfinite(processes.sum_(get_total_norm(numbers, math.inf))):
        raise Diverged(f"a parameter or a running statistic is not finite after epoch {epoch}")
