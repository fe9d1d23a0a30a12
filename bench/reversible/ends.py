"""The two ends of a run of retraced layers: `Cut` into the parts that the engine works on, `Joined` to one tensor.

Autograd holds a node's inputs and incoming gradients until the node is done, whoever else may hold them too. The nodes
here only copy, so that the whole is gone, as far as the engine is concerned, while `Retraced` between them overwrites
the parts, which nobody else has ever seen.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bench.reversible.layer import State, join, split


def first_order(backward: Callable[..., Any]) -> Callable[..., Any]:
    """A function's `backward` that refuses to be differentiated itself, before it has done anything."""

    @functools.wraps(backward)
    def checked(ctx: Any, *grad_output: Tensor) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "Invertible layers that restore their activations have no second derivative; leave out"
                " create_graph=True, or use reconstruction='ideal'."
            )
        return backward(ctx, *grad_output)

    return checked


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
    @first_order
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
    @first_order
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        (y,), _ = let_go(ctx)
        ctx.handover.state = split(y, ctx.parts)
        del y
        return None, *split(grad_output, ctx.parts)


def let_go(ctx: Any) -> tuple[tuple[Tensor, ...], bool]:
    """The saved tensors, and whether they are the caller's alone by now, to be overwritten.

    They stay autograd's where the graph is kept for another pass (`retain_graph=True`). They are asked for once, since
    checkpointing gives them once, and always, since that is when autograd tells of parameters changed in place.
    """
    saved = tuple(ctx.saved_tensors)
    graph_stays = torch._C._autograd._get_current_graph_task_keep_graph()
    if not graph_stays:
        ctx.maybe_clear_saved_tensors()
    return saved, not graph_stays
