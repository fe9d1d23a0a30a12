"""Invertible leaky ReLU (eq. 24, with the negative slope n < 1 multiplying, as in the paper's text and plots)."""

import torch
from torch.nn import functional

from bench.reversible.layer import Gradients, InvertibleLayer, State, Wanted


class InvertibleLeakyReLU(InvertibleLayer):
    """y = x for x > 0, n x otherwise; the sign of y tells which, so x and the gradient come from y alone.

    `inplace` lets ordinary autograd overwrite the input, as in `torch.nn.LeakyReLU`; only safe where no earlier layer's
    gradient needs it (after batch normalisation). Shapes: any (N, C, H, W).
    """

    from_output = True

    def __init__(self, negative_slope: float = 0.2, inplace: bool = False) -> None:
        super().__init__()
        if not negative_slope > 0:
            raise ValueError(
                f"The negative slope is {negative_slope}; a leaky ReLU has an inverse only if it is above 0."
            )
        self.negative_slope, self.inplace = negative_slope, inplace

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"

    def differentiable(self, state: State) -> State:
        return [functional.leaky_relu(part, self.negative_slope, self.inplace) for part in state]

    def trace(self, state: State) -> None:
        self.replay(state, None)

    def replay(self, state: State, memo: None) -> None:
        for part in state:
            functional.leaky_relu_(part, self.negative_slope)

    def undo(self, state: State, memo: None) -> None:
        for part in state:
            functional.leaky_relu_(part, 1 / self.negative_slope)

    def retrace(self, state: State, grad: State, memo: None, wanted: Wanted) -> Gradients:
        for y, g in zip(state, grad, strict=True):
            torch.ops.aten.leaky_relu_backward.grad_input(g, y, self.negative_slope, True, grad_input=g)
        self.undo(state, memo)
        return {}
