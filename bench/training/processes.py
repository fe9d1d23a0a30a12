"""The processes that train one run together: one, unless `torchrun` has started several.

Every process draws the same order and the same augmentation for the whole data set and takes its share of each global
batch; gradients are averaged by DDP, so that a step is the one that a single process would take with the global batch.
Batch normalisation is the exception: each process normalises by its own share. Running statistics are averaged before
they are used. Rank 0 alone writes.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from bench.errors import InputError

PATIENCE = timedelta(weeks=1)  # with one another: while one leases their GPUs, the others wait as long as that takes


@dataclass(frozen=True)
class Processes:
    """This process's place among `count`; `local_rank` is its number on this machine."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    group: "distributed.ProcessGroup | None" = None  # None: torch's default group
    store: "distributed.Store | None" = None  # what they tell each other outside a collective call; None: nothing

    @property
    def several(self) -> bool:
        """Whether there is anybody else."""
        return self.count > 1

    @property
    def writes(self) -> bool:
        """Whether this process writes the record and the checkpoints."""
        return self.rank == 0

    def share(self, batch_size: int) -> int:
        """Images of a global batch that each process takes."""
        if batch_size % self.count:
            raise InputError(
                f"training.batch_size is {batch_size}, which {self.count} processes cannot share equally; "
                f"set it to a multiple of {self.count}."
            )
        return batch_size // self.count

    def wrap(self, model: nn.Module) -> nn.Module:
        """`model` as the training loop calls it: gradients are averaged over the processes as they come."""
        if not self.several:
            return model
        return DistributedDataParallel(
            model, broadcast_buffers=False, gradient_as_bucket_view=True, process_group=self.group
        )

    def sum_(self, value: Tensor) -> Tensor:
        """Sum `value` over the processes, in place."""
        if self.several:
            distributed.all_reduce(value, group=self.group)
        return value

    def average_(self, statistics: Iterable[Tensor]) -> None:
        """Average running statistics over the processes, in place; counts are the same in all of them."""
        if self.several:
            for each in statistics:
                if each.is_floating_point():
                    self.sum_(each).div_(self.count)

    def agree(self, number: int, device: torch.device) -> bool:
        """Whether `number` is the same in every process; all get the same answer."""
        n = torch.tensor([number, number**2], device=device)
        total, squares = self.sum_(n).tolist()
        return total**2 == self.count * squares  # Cauchy-Schwarz

    def wait(self) -> None:
        """Wait for one another."""
        if self.several:
            distributed.barrier(group=self.group)


ALONE = Processes()


def started_by_torchrun() -> bool:
    """Whether this process is one of several that torchrun has started."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def join_processes() -> Processes:
    """Meet the other processes of this run, on the CPU: no GPU is touched before one is leased."""
    if not started_by_torchrun():
        return ALONE
    store, rank, count = next(distributed.rendezvous("env://"))
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=count, timeout=PATIENCE)
    return Processes(rank, count, int(os.environ["LOCAL_RANK"]), store=distributed.PrefixStore("run", store))


def on_device(processes: Processes, device: torch.device) -> Processes:
    """The same processes, speaking to each other from `device`: through NCCL on CUDA."""
    if not processes.several or device.type == "cpu":
        return processes
    torch.cuda.set_device(processes.local_rank)
    return replace(processes, group=distributed.new_group(backend="nccl"))


def leave_processes(processes: Processes) -> None:
    """End the meeting."""
    if processes.several:
        distributed.destroy_process_group()
