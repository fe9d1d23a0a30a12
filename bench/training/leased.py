"""The GPUs of a command: leased before torch speaks to CUDA, for one process or for all that torchrun has started."""

import argparse
import contextlib
import functools
import os
import socket
from collections.abc import Callable, Iterator

from bench.training.lease import Lease, gpu_lease, show

Run = Callable[[argparse.Namespace], int]


def on_leased_gpu(run: Run) -> Run:
    """Decorator of a command with --config and --device: it runs while a GPU is leased, where its device is one."""

    @functools.wraps(run)
    def leased_run(arguments: argparse.Namespace) -> int:
        from bench import configuration
        from bench.training.device import device_entry

        with gpu_lease(device_entry(configuration.load(arguments.config), arguments.device)["device"]):
            return run(arguments)

    return leased_run


@contextlib.contextmanager
def shared_lease(kind: str) -> Iterator[Lease]:
    """`gpu_lease` for the processes of one run that met already (`processes.join_processes`), a GPU each.

    On each machine the process of local rank 0 holds the lease, and tells the others which GPUs they are to see.
    """
    from torch import distributed

    here, first = socket.gethostname(), os.environ["LOCAL_RANK"] == "0"
    with gpu_lease(kind, int(os.environ["LOCAL_WORLD_SIZE"])) if first else contextlib.nullcontext() as lease:
        told: list[tuple[str, Lease | None]] = [("", None)] * distributed.get_world_size()
        distributed.all_gather_object(told, (here, lease))
        lease = next(given for host, given in told if host == here and given is not None)
        if lease.gpus:
            show(lease.gpus)
        yield lease
        distributed.barrier()  # the lease is held until the last of them is done
