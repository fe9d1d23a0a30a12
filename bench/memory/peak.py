"""The measured peak of one training step, by category, and what a pixel of the batch adds to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from bench.errors import InputError
from bench.memory.tracker import ACTIVATIONS, BUFFERS, GRADIENTS, INPUT, OPTIMIZER, WEIGHTS, LiveBytes
from bench.memory.training_step import make_optimizer, random_batch, step_loss, training_step
from bench.training.memory_format import place

# What an allocator holds beyond tensors: kernels' workspaces and rounding. Only CUDA's allocator can tell.
WORKSPACE = "workspace"


@dataclass(frozen=True)
class Peak:
    """Peak of one training step.

    peak_bytes: most bytes held at once; categories: what they were (they sum to `peak_bytes`); phase: when it was
    ("forward", "backward" or "optimizer"); operator: the operator that completed it; growing_bytes: most bytes of the
    categories that grow with the batch (input, activations, workspace) held at once, be it at the peak or at another
    moment; reserved_bytes: what CUDA's caching allocator had taken from the device, None on the CPU.
    """

    batch_size: int
    image_size: int
    peak_bytes: int
    categories: dict[str, int]
    phase: str
    operator: str
    growing_bytes: int
    reserved_bytes: int | None


def measure_peak(
    model: nn.Module,
    batch_size: int,
    image_size: int,
    in_channels: int = 3,
    classes: int = 10,
    optimizer: str = "sgd-nesterov",
    device: str | torch.device = "cpu",
    precision: str = "float32",
) -> Peak:
    """Peak memory of one training step of `model` (moved to `device`) on random images (N, in_channels, H, W).

    `precision` is the number format of training (`bench.training.precision`), float32, tf32 or mixed.

    A warm-up step comes first, so that the optimizer's state exists as it does in all steps but the first; the
    gradients are None when the measured step (forward, cross entropy, backward, optimizer without `foreach`) begins,
    as in the training loop. The weights keep their values (learning rate 0); running statistics take two batches.

    On the CPU the peak is that of the tensors' storages (see `LiveBytes`). On CUDA it is the allocator's
    (`torch.cuda.max_memory_allocated`: all that the process holds there, workspaces and rounding included), the
    categories are those of a further, tracked step, and what that step cannot explain is the category "workspace".
    """
    if batch_size < 1:
        raise InputError(f"Cannot measure a batch of {batch_size} images; give a batch size of 1 or more.")
    device = torch.device(device)
    model = place(model, device, precision).train()
    images, labels = random_batch(batch_size, image_size, in_channels, classes, device, precision)
    stepper = make_optimizer(model, optimizer)
    training_step(model, stepper, images, labels, precision)
    stepper.zero_grad(set_to_none=True)
    allocated, reserved = (
        _cuda_peak(model, stepper, images, labels, precision) if device.type == "cuda" else (None, None)
    )
    live = track_step(model, stepper, images, labels, precision=precision)
    stepper.zero_grad(set_to_none=True)
    categories = live.peak_categories()
    if allocated is not None:
        categories[WORKSPACE] = allocated - live.peak_bytes
    event = live.peak_event()
    return Peak(
        batch_size,
        image_size,
        peak_bytes=sum(categories.values()),
        categories=categories,
        phase=event.phase,
        operator=event.operator,
        growing_bytes=live.most_of((INPUT, ACTIVATIONS)) + categories.get(WORKSPACE, 0),
        reserved_bytes=reserved,
    )


def track_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    labels: torch.Tensor,
    live: LiveBytes | None = None,
    precision: str = "float32",
) -> LiveBytes:
    """Run one training step under `live` and return it, with its events, every storage in its category."""
    live = live or LiveBytes(images.device.type)
    with live:
        live.register(model.parameters(), WEIGHTS)
        live.register(model.buffers(), BUFFERS)
        live.register((images, labels), INPUT)
        state = [value for values in optimizer.state.values() for value in values.values()]
        live.register((value for value in state if isinstance(value, torch.Tensor)), OPTIMIZER)
        live.phase = "forward"
        loss = step_loss(model, images, labels, precision)
        live.phase = "backward"
        loss.backward()
        # Told late: a gradient is made by an operator and only then hung, without a copy, on its parameter.
        live.register((p.grad for p in model.parameters() if p.grad is not None), GRADIENTS)
        live.phase, live.new_category = "optimizer", OPTIMIZER
        optimizer.step()
    return live


def _cuda_peak(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, precision: str
) -> tuple[int, int]:
    """(allocated, reserved) bytes at the peak of one step, from the allocator."""
    torch.cuda.synchronize(images.device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(images.device)
    training_step(model, optimizer, images, labels, precision)
    torch.cuda.synchronize(images.device)
    optimizer.zero_grad(set_to_none=True)
    return torch.cuda.max_memory_allocated(images.device), torch.cuda.max_memory_reserved(images.device)


def bytes_per_pixel(peaks: Sequence[Peak]) -> float:
    """What one more input pixel costs (eq. 7c): the slope of `growing_bytes` between two batch sizes, so that fixed
    costs cancel.

    The slope of `peak_bytes` is the same once the batch is large. At small batches it can be of something else: a
    stored network's peak then waits until the weight gradients of its last, widest layers are there, when those
    layers' activations are gone already.
    """
    small, large = sorted(peaks, key=lambda peak: peak.batch_size)
    if small.batch_size == large.batch_size:
        raise InputError(f"A slope needs two different batch sizes, and both are {small.batch_size}.")
    pixels = (large.batch_size - small.batch_size) * large.image_size**2
    return (large.growing_bytes - small.growing_bytes) / pixels
