"""ResNet-18 for small images (He et al., 2016): the network without reversibility that the paper starts from (3.3)."""

import torch
from torch import Tensor, nn

from bench.architectures.registry import register
from bench.architectures.search import StageWidths
from bench.errors import InputError
from bench.reversible.initialisation import he_normal_


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation around a shortcut: (N, i, H, W) -> (N, o, H/stride, W/stride).

    The shortcut is the identity where shapes allow, else a 1x1 convolution with batch normalisation. The ReLUs work
    in place, so that what autograd stores is what eq. 6 counts: the inputs of convolutions and batch normalisations.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.inner_activation = nn.ReLU(inplace=True)
        self.activation = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.shortcut.append(Pointwise(in_channels, out_channels, stride))
            self.shortcut.append(nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block; `x` is left as it is."""
        y = self.inner_activation(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        y += self.shortcut(x)
        return self.activation(y)


class Pointwise(nn.Conv2d):
    """1x1 convolution that reads every `stride`-th pixel: (N, i, H, W) -> (N, o, H/stride, W/stride).

    The pixels are chosen beforehand, as a view. On CPUs with AVX2 and no AVX-512, oneDNN's strided 1x1 kernel writes
    past its buffers in the backward pass where images are channels last and the channels no multiple of 8.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, 1, bias=False)
        self.pixel_stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of the chosen pixels."""
        return super().forward(x[:, :, :: self.pixel_stride, :: self.pixel_stride])


@register("resnet18", summary="ResNet-18, nothing reversible: every activation stored (3.3)", search=StageWidths())
class ResNet18(nn.Module):
    """Images (N, in_channels, H, W) -> logits (N, classes), the resolution halved between stages.

    Stem: 3x3 convolution of stride 1 to `initial_channels`, batch normalisation, ReLU, no pooling. Stage i has
    `depths[i]` basic blocks of `widths[i]` channels (default: initial_channels times 1, 2, 4, 8). Head: average over
    the image and a linear layer with bias. With the defaults it has 11,173,962 parameters.
    """

    def __init__(
        self,
        initial_channels: int = 64,
        depths: tuple[int, ...] = (2, 2, 2, 2),
        classes: int = 10,
        in_channels: int = 3,
        widths: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        if min(depths) < 1:
            raise InputError(
                f"A residual network needs at least one block a stage (it halves the image), not {depths}."
            )
        if widths is None:
            widths = tuple(initial_channels * 2**stage for stage in range(len(depths)))
        if len(widths) != len(depths) or min(widths) < 1:
            raise InputError(
                f"A residual network of depths {depths} needs {len(depths)} positive widths, not {widths}."
            )
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, initial_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(initial_channels),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.Sequential()
        channels = initial_channels
        for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            for block in range(depth):
                self.blocks.append(BasicBlock(channels, width, stride=2 if stage > 0 and block == 0 else 1))
                channels = width
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(channels, classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, in_channels, H, W)."""
        x = self.stem(images)
        for block in self.blocks:
            x = self.run_block(block, x)
        return self.linear(torch.flatten(self.pool(x), 1))

    def run_block(self, block: nn.Module, x: Tensor) -> Tensor:
        """Apply one residual block; a baseline that stores less overrides this."""
        return block(x)


def initialise(model: nn.Module) -> None:
    """He et al. (2015): convolution weights normal with variance 2 / fan-out; the rest keeps torch's defaults."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            he_normal_(module.weight)
