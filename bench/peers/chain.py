"""The network that all methods train: stem, blocks y1 = x1 + F(x2), y2 = x2 + G(y1), mean of each channel, head.

Every method gets the very same modules; only what happens between forward and backward pass is its own.
"""

from typing import Any

import torch
from torch import nn

from bench.reversible import StreamedUnits

IN_CHANNELS, CLASSES = 3, 10


class Parts(nn.Module):
    """`stem` (3 -> channels), `pairs` of F and G (convolution, batch norm, ReLU on half the channels), `head`.

    The same seed gives the same weights, whatever method trains them.
    """

    def __init__(self, channels: int, blocks: int, hold: bool = False, seed: int = 0) -> None:
        super().__init__()
        self.channels, half = channels, channels // 2
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.stem = nn.Conv2d(IN_CHANNELS, channels, 3, padding=1, bias=False)
            self.functions = nn.ModuleList(StreamedUnits(half, hold=hold) for _ in range(2 * blocks))
            self.head = nn.Linear(channels, CLASSES)

    @property
    def pairs(self) -> list[tuple[nn.Sequential, nn.Sequential]]:
        """F and G of each block. Other libraries meet them as the `nn.Sequential` that they are."""
        functions: list[Any] = list(self.functions)
        return list(zip(functions[::2], functions[1::2], strict=True))
