"""F or G of a streamed block: ordinary convolution, batch norm and ReLU, with no memory of their own.

As a module it is what it looks like, and ordinary autograd stores its activations. Inside a `ReversibleBlock` that is
retraced, a `StreamedBranch` recomputes it from the block's inverse, a slice of the batch at a time.
"""

from typing import Any

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from bench.reversible.initialisation import he_normal_


class StreamedUnits(nn.Sequential):
    """`units` times convolution, batch norm and ReLU: (N, channels, H, W) -> the same shape.

    No bias (batch normalisation follows); the kernels are initialised as by He et al. (2015) for the fan-out. `hold`
    keeps the convolution's output of a single unit while its gradient is computed (as is done with more units anyway):
    a quarter of the state more, and one convolution less.
    """

    def __init__(self, channels: int, units: int = 1, kernel_size: int = 3, hold: bool = False) -> None:
        if units < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"StreamedUnits got {units} units and kernel size {kernel_size};"
                " there must be at least one unit, and the kernel size must be odd."
            )
        layers: list[nn.Module] = []
        for _ in range(units):
            kernel = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, bias=False)
            he_normal_(kernel.weight)
            layers += [kernel, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
        super().__init__(*layers)
        self.hold = hold

    def layers(self) -> list[tuple[nn.Module, type, bool]]:
        """What tells the layers of one call from those of another: replaced, parametrised, pruned."""
        return [(layer, type(layer), "weight" in layer._parameters) for layer in self]

    def pairs(self) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
        """Convolution and batch norm of each unit.

        Raises `TypeError` where a layer has been replaced by one that the engine, which computes all three itself,
        does not know: its gradient would be another network's.
        """
        layers: list[Any] = list(self)
        found = [(layers[at], layers[at + 1], layers[at + 2]) for at in range(0, len(layers) - len(layers) % 3, 3)]
        if len(layers) % 3 or not found or not all(_known(*each) for each in found):
            raise TypeError(
                "StreamedUnits are convolution (stride 1, no groups, dilation or bias, zeros around the image and their"
                " number, a plain weight), BatchNorm2d (affine, with running statistics and a momentum) and ReLU, not"
                f" {self}; put other layers into a module of their own as F or G."
            )
        return [(convolution, norm) for convolution, norm, _ in found]


def _known(convolution: Any, norm: Any, activation: nn.Module) -> bool:
    """Whether these are what a unit is made of."""
    return (
        type(convolution) is nn.Conv2d
        and "weight" in convolution._parameters
        and convolution.bias is None
        and convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
        and (convolution.stride, convolution.dilation, convolution.groups) == ((1, 1), (1, 1), 1)
        and (type(norm) is nn.BatchNorm2d or (isinstance(norm, nn.BatchNorm2d) and is_parametrized(norm)))
        and None not in (norm.weight, norm.running_mean, norm.momentum)
        and type(activation) is nn.ReLU
    )
