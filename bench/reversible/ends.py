"""The two ends of a run of retraced layers: `Cut` into the parts that the engine works on, `Joined` to one tensor.

Autograd holds a node's inputs and incoming gradients until the node is done, whoever else may hold them too. The nodes
here only copy, so that the whole is gone, as far as the engine is concerned, while `Retraced` between them overwrites
the parts, which nobody else has ever seen.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bench.reversible.layer import State, join, split


class Handover:
    """What `Joined` leaves for `Retraced` in the backward pass: the chain's output, as a state that is overwritten."""

    def __init__(self) -> None:
        self.state: State = []


class Cut(torch.autograd.Function):
    """`apply(parts, x)`: copies of the channel parts of `x`."""

    @staticmethod
    def forward(ctx: Any, parts: int, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(split(x, parts))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_output: Tensor) -> tuple[Tensor | None, ...]:
        return None, join(list(grad_output))


class Joined(torch.autograd.Function):
    """`apply(handover, *parts)`: the parts as one tensor, which is all that is kept of the run of layers behind it."""

    @staticmethod
    def forward(ctx: Any, handover: Handover, *parts: Tensor) -> Tensor:
        y = torch.cat(parts, dim=1)
        ctx.handover, ctx.parts = handover, len(parts)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        ctx.handover.state = split(y, ctx.parts)
        del y
        let_go(ctx)
        return None, *split(grad_output, ctx.parts)


def let_go(ctx: Any) -> bool:
    """End autograd's hold on the saved tensors, unless the graph is kept for another pass (`retain_graph=True`)."""
    graph_stays = torch._C._autograd._get_current_graph_task_keep_graph()
    if not graph_stays:
        # Asked for once more, they must be refused: hence before they are cleared.
        ctx.saved_tensors  # noqa: B018
        ctx.maybe_clear_saved_tensors()
    return not graph_stays
