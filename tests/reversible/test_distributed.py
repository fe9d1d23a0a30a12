"""Two gloo processes with DDP against one process with the same global batch."""

from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from tests.reversible.networks import all_gradients, images, randomise, relative_error, whole_network

IMAGES = 8


def a_network(training):
    torch.manual_seed(0)
    return randomise(whole_network().double(), 0).train(training)


def train_two_steps(network, parts):
    """Two SGD steps on the mean over `parts` of the batch; returns the last gradients."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        for part in parts:
            (network(part).square().sum() / len(parts)).backward()
        optimizer.step()
    return all_gradients(network)


def run_process(rank, folder):
    """Train in both modes, one after the other, and leave the gradients in `folder`."""
    distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    part = images(5, IMAGES, 3, 8, 8).chunk(2)[rank]
    for training in (False, True):
        network = DistributedDataParallel(a_network(training), broadcast_buffers=False)
        torch.save(train_two_steps(network, [part]), Path(folder) / f"{training}-{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def gradients_of_two(tmp_path_factory):
    """(training, rank) -> gradients after two steps of two processes."""
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(run_process, (str(folder),), nprocs=2)
    return {
        (training, rank): torch.load(folder / f"{training}-{rank}.pt", weights_only=True)
        for training in (False, True)
        for rank in range(2)
    }


def test_two_processes_train_like_one(gradients_of_two):
    """In evaluation mode the images are independent, so half the loss of the whole batch is the mean of the halves."""
    network = a_network(training=False)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        (network(images(5, IMAGES, 3, 8, 8)).square().sum() / 2).backward()
        optimizer.step()
    assert torch.equal(gradients_of_two[False, 0], gradients_of_two[False, 1])
    assert relative_error(gradients_of_two[False, 0], all_gradients(network)) < 1e-9


def test_two_processes_in_training_mode_average_their_batches(gradients_of_two):
    """Batch norm sees each process's own images, as in ordinary DDP."""
    expected = train_two_steps(a_network(training=True), list(images(5, IMAGES, 3, 8, 8).chunk(2)))
    assert torch.equal(gradients_of_two[True, 0], gradients_of_two[True, 1])
    assert relative_error(gradients_of_two[True, 0], expected) < 1e-9
