"""What a user would do instead of a reversible design, on the same ResNet-18, parameter for parameter."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from bench.architectures.registry import register
from bench.architectures.resnet import ResNet18
from bench.architectures.search import StageWidths


@register(
    "checkpointing",
    kind="baseline",
    summary="ResNet-18, each residual block recomputed in the backward pass from its stored input",
    search=StageWidths(),
)
class CheckpointedResNet18(ResNet18):
    """Gradient checkpointing of each residual block (Chen et al., 2016); gradients are those of ResNet-18 bit for bit.

    Batch normalisation would count each batch twice, in the forward pass and again in the recomputation; here its
    running statistics are updated once a step.
    """

    def run_block(self, block: nn.Module, x: Tensor) -> Tensor:
        """Apply one block, keeping only its input."""
        # No layer of a block draws random numbers, so the generator's state need not be kept.
        return checkpoint(
            block,
            x,
            use_reentrant=False,
            preserve_rng_state=False,
            context_fn=lambda: (nullcontext(), UnchangedStatistics(block)),
        )


class UnchangedStatistics:
    """Context in which batch normalisation works as ever, but updates copies of its buffers, dropped at the end.

    It can be entered again: a graph that is kept is recomputed at each backward pass.
    """

    def __init__(self, module: nn.Module) -> None:
        self.norms = [each for each in module.modules() if isinstance(each, _BatchNorm)]
        self.kept: list[tuple[nn.Module, str, Tensor]] = []

    def __enter__(self) -> None:
        self.kept = [(norm, name, buffer) for norm in self.norms for name, buffer in norm.named_buffers(recurse=False)]
        for norm, name, buffer in self.kept:
            setattr(norm, name, buffer.clone())

    def __exit__(self, *fault: object) -> None:
        for norm, name, buffer in self.kept:
            setattr(norm, name, buffer)
        self.kept = []


@register(
    "offloading",
    kind="baseline",
    summary="ResNet-18, what autograd stores kept in host memory (saves nothing on a CPU)",
    search=StageWidths(),
)
class OffloadedResNet18(ResNet18):
    """ResNet-18 whose stored tensors wait in pinned host memory between the forward and the backward pass.

    For images on a CUDA device. On a CPU host memory is where they are anyway: nothing is copied and nothing saved.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, in_channels, H, W)."""
        with torch.autograd.graph.save_on_cpu(pin_memory=images.is_cuda):
            return super().forward(images)


@register(
    "mixed-precision",
    kind="baseline",
    summary="ResNet-18, convolutions and the linear layer computed and stored in bfloat16 (autocast)",
    search=StageWidths(),
)
class MixedPrecisionResNet18(ResNet18):
    """ResNet-18 under bfloat16 autocast; parameters, their gradients and the logits stay float32."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes), float32, of images (N, in_channels, H, W)."""
        with torch.autocast(images.device.type, dtype=torch.bfloat16):
            logits = super().forward(images)
        return logits.float()
