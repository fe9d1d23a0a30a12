"""The training step that is measured: random images, and otherwise what the training loop does."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.errors import InputError
from bench.training.memory_format import memory_format
from bench.training.precision import computing


def make_optimizer(model: nn.Module, name: str = "sgd-nesterov") -> torch.optim.Optimizer:
    """The optimizer of the measured step. With learning rate 0 the same operators run and the weights stay."""
    momentum = {"sgd": 0.0, "sgd-nesterov": 0.9}
    if name not in momentum:
        raise InputError(f"Unknown optimizer {name!r}; choose one of {', '.join(momentum)}.")
    return torch.optim.SGD(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=0.0,
        momentum=momentum[name],
        nesterov=momentum[name] > 0,
        weight_decay=5e-4,
        foreach=False,
    )


def random_batch(
    batch_size: int,
    image_size: int,
    in_channels: int,
    classes: int,
    device: str | torch.device,
    precision: str = "float32",
) -> tuple[Tensor, Tensor]:
    """Normal noise (N, in_channels, H, W) float32 and labels (N,) int64; the global random state is left alone."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch_size, in_channels, image_size, image_size, generator=generator)
    labels = torch.randint(classes, (batch_size,), generator=generator)
    device = torch.device(device)
    return images.to(device, memory_format=memory_format(device, precision)), labels.to(device)


def step_loss(model: nn.Module, images: Tensor, labels: Tensor, precision: str = "float32") -> Tensor:
    """Mean cross-entropy in float32 of a forward pass in one of the `PRECISIONS` of training."""
    with computing(precision, images.device):
        logits = model(images)
    return functional.cross_entropy(logits.float(), labels)


def training_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    precision: str = "float32",
) -> None:
    """Forward, cross entropy, backward, optimizer, from gradients set to None."""
    optimizer.zero_grad(set_to_none=True)
    step_loss(model, images, labels, precision).backward()
    optimizer.step()
