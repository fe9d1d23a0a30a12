"""Invertible convolution by channel partition (4.1.3): an additive coupling whose branches are single convolutions."""

import math

import torch
from torch import Tensor, nn

from bench.reversible.channelwise import add
from bench.reversible.layer import Gradients, InvertibleLayer, State, Wanted, accumulate, join, split
from bench.reversible.slices import batch_slices


class InvertibleConv2d(InvertibleLayer):
    """y1 = x1 + f * x2, y2 = x2 + g * y1 on the two channel halves; `channels` must be even, `kernel_size` odd.

    Same size in and out, no bias (batch normalisation follows). `gain` scales the kernels' initialisation, which is
    normal with variance gain^2 / fan-in: at 0 the layer is the identity. `slice_bytes` sets the temporaries' size.
    """

    parts = 2
    per_image = True

    def __init__(self, channels: int, kernel_size: int = 3, gain: float = 1.0, slice_bytes: int | None = None) -> None:
        super().__init__()
        if channels % 2 or kernel_size % 2 == 0:
            raise ValueError(
                f"InvertibleConv2d got {channels} channels and kernel size {kernel_size};"
                " the channels must be even and the kernel size odd."
            )
        half = channels // 2
        self.channels, self.kernel_size, self.slice_bytes = channels, kernel_size, slice_bytes
        deviation = gain / math.sqrt(half * kernel_size**2)
        self.f = nn.Parameter(torch.randn(half, half, kernel_size, kernel_size).mul_(deviation))
        self.g = nn.Parameter(torch.randn(half, half, kernel_size, kernel_size).mul_(deviation))

    def extra_repr(self) -> str:
        return f"{self.channels}, kernel_size={self.kernel_size}"

    def differentiable(self, state: State) -> State:
        x1, x2 = _halves(state)
        y1 = x1 + self._convolve(x2, self.f)
        y2 = x2 + self._convolve(y1, self.g)
        return _rejoin([y1, y2], len(state))

    def trace(self, state: State) -> None:
        self.replay(state, None)

    def replay(self, state: State, memo: None) -> None:
        x1, x2 = _halves(state)
        for s in batch_slices(x1, self.slice_bytes):
            add(x1[s], self._convolve(x2[s], self.f.detach()))
            add(x2[s], self._convolve(x1[s], self.g.detach()))
        state[:] = _rejoin([x1, x2], len(state))

    def undo(self, state: State, memo: None) -> None:
        y1, y2 = _halves(state)
        for s in batch_slices(y1, self.slice_bytes):
            add(y2[s], self._convolve(y1[s], self.g.detach()), times=-1.0)
            add(y1[s], self._convolve(y2[s], self.f.detach()), times=-1.0)
        state[:] = _rejoin([y1, y2], len(state))

    def retrace(self, state: State, grad: State, memo: None, wanted: Wanted) -> Gradients:
        (y1, y2), (g1, g2) = _halves(state), _halves(grad)
        gradients: Gradients = {}
        # Image by image independent: everything that one slice needs is done while the slice is in the cache.
        for s in batch_slices(y1, self.slice_bytes):
            taken = y1[s].to(compute_dtype(y1))
            accumulate(gradients, self._pull_back(self.g, taken, g2[s], g1[s], wanted))
            add(y2[s], self._convolve(taken, self.g.detach()), times=-1.0)
            taken = y2[s].to(compute_dtype(y2))
            accumulate(gradients, self._pull_back(self.f, taken, g1[s], g2[s], wanted))
            add(y1[s], self._convolve(taken, self.f.detach()), times=-1.0)
            del taken
        state[:], grad[:] = _rejoin([y1, y2], len(state)), _rejoin([g1, g2], len(grad))
        return gradients

    def retrace_from(self, x: State, state: State, grad: State, memo: None, wanted: Wanted) -> Gradients:
        (y1, _), (_, x2), (g1, g2) = _halves(state), _halves(x), _halves(grad)
        gradients: Gradients = {}
        for s in batch_slices(y1, self.slice_bytes):
            accumulate(gradients, self._pull_back(self.g, y1[s], g2[s], g1[s], wanted))
            accumulate(gradients, self._pull_back(self.f, x2[s], g1[s], g2[s], wanted))
        state[:], grad[:] = x, _rejoin([g1, g2], len(grad))
        return gradients

    def _pull_back(self, weight: nn.Parameter, x: Tensor, grad_y: Tensor, grad_x: Tensor, wanted: Wanted) -> Gradients:
        """Of y += weight * x: add the gradient of `x` to `grad_x`."""
        dtype = compute_dtype(x)
        grad_input, grad_weight, _ = torch.ops.aten.convolution_backward(
            grad_y.to(dtype),
            x.to(dtype),
            weight.detach().to(dtype),
            None,
            *self._geometry(),
            [True, wanted(weight), False],
        )
        add(grad_x, grad_input)
        return {weight: grad_weight.to(weight.dtype)} if wanted(weight) else {}

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        dtype = compute_dtype(x)
        return torch.conv2d(x.to(dtype), weight.to(dtype), padding=self.kernel_size // 2)

    def _geometry(self) -> tuple[list[int], list[int], list[int], bool, list[int], int]:
        """stride, padding, dilation, transposed, output padding, groups."""
        return [1, 1], [self.kernel_size // 2] * 2, [1, 1], False, [0, 0], 1


def compute_dtype(x: Tensor) -> torch.dtype:
    """Autocast's type where it is on: the convolution is done in it, the activations stay as they are."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def _halves(state: State) -> tuple[Tensor, Tensor]:
    middle = len(state) // 2
    return join(state[:middle]), join(state[middle:])


def _rejoin(halves: State, parts: int) -> State:
    """The halves cut into as many parts as the state had."""
    return halves if parts == 2 else [piece for half in halves for piece in split(half, parts // 2)]
