"""F or G of a streamed block: ordinary convolution, batch norm and ReLU, with no memory of their own.

As a module it is what it looks like, and ordinary autograd stores its activations. Inside a `ReversibleBlock` that is
retraced, a `StreamedBranch` recomputes it from the block's inverse, a slice of the batch at a time.
"""

from torch import nn

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
