"""The engine's one autograd function: forward without recording, backward by retracing."""

import contextlib
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bench.reversible.addition import Addition
from bench.reversible.chain import InvertibleChain
from bench.reversible.ends import Handover, Joined, let_go
from bench.reversible.layer import State, join
from bench.reversible.pooling import GlobalPooling
from bench.reversible.slices import batch_slices


class Retraced(torch.autograd.Function):
    """`apply(chain, readout, handover, *parts, *chain.parameters())`: the chain's output in parts, or what is pooled.

    `parts` are `Cut`'s, and overwritten. Of all activations only the output is kept, and in the backward pass it is
    overwritten with the input, layer by layer. With a readout nobody else has ever seen the output, so no copy of it is
    needed; without one it is `Joined` that keeps it. Gradients of the input and of the parameters are returned to
    autograd, as for any function: hooks, `torch.autograd.grad` and DDP see nothing special.
    """

    @staticmethod
    def forward(
        ctx: Any,
        chain: InvertibleChain,
        readout: GlobalPooling | None,
        handover: Handover | None,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        state, parameters = [part.detach() for part in tensors[: chain.inputs]], tensors[chain.inputs :]
        ctx.memo = chain.trace(state)
        ctx.chain, ctx.readout, ctx.handover = chain, readout, handover
        ctx.autocast = _autocast(state[0].device.type)
        ctx.kept = len(state) if readout else 0
        # The parameters are saved for autograd's check that nobody changed them before the backward pass.
        ctx.save_for_backward(*state[: ctx.kept], *parameters)
        return (join([readout(part[:]) for part in chain.addition.read(state)]),) if readout else tuple(state)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_output: Tensor) -> tuple[Tensor | None, ...]:
        needed = ctx.needs_input_grad[3 + ctx.chain.inputs :]
        wanted = {parameter for parameter, is_needed in zip(ctx.chain.parameters(), needed, strict=True) if is_needed}
        with ctx.autocast():
            if ctx.readout:
                state = _taken(ctx, ctx.kept)
                grad = _pull_back_readout(ctx.readout, state, grad_output[0], ctx.chain.addition)
            else:
                let_go(ctx)
                # `Joined` made both for this node alone, so that they may be overwritten.
                state, ctx.handover.state = ctx.handover.state, []
                grad = list(grad_output)
            gradients = ctx.chain.retrace(state, grad, ctx.memo, wanted.__contains__)
        state.clear()
        return None, None, None, *grad, *(gradients.get(parameter) for parameter in ctx.chain.parameters())


def retraced(chain: InvertibleChain, readout: GlobalPooling | None, parts: tuple[Tensor, ...]) -> Tensor:
    """`readout(chain(x))`, or `chain(x)` without one, with noisy reconstruction; `parts` are those that `cut` made."""
    if readout:
        return Retraced.apply(chain, readout, None, *parts, *chain.parameters())[0]
    handover = Handover()
    return Joined.apply(handover, *Retraced.apply(chain, None, handover, *parts, *chain.parameters()))


def _taken(ctx: Any, count: int) -> list[Tensor]:
    """The first `count` saved tensors, to be overwritten; copies of them where autograd still needs them."""
    kept = list(ctx.saved_tensors[:count])
    return kept if let_go(ctx) else [part.clone() for part in kept]


def _pull_back_readout(readout: GlobalPooling, state: State, grad_output: Tensor, addition: Addition) -> State:
    """The gradient of each part from the gradient of the pooled channels, one slice of the batch at a time."""
    grads = [addition.gradient_like(part) for part in state]
    group = readout.images_per_group
    for part, values, grad, grad_pooled in zip(
        state, addition.read(state), grads, grad_output.split([part.shape[1] for part in state], dim=1), strict=True
    ):
        for s in batch_slices(part.unflatten(0, (-1, group))):
            images = slice(s.start * group, s.stop * group)
            leaf = values[images].detach().requires_grad_()
            with torch.enable_grad():
                pooled = readout(leaf)
            grad[images] = torch.autograd.grad(pooled, leaf, grad_pooled[s])[0]
    return grads


def _autocast(device: str) -> Any:
    """Makes the autocast setting of now, for a recomputation that must use the same types."""
    if not torch.is_autocast_enabled(device):
        return contextlib.nullcontext
    dtype, cache = torch.get_autocast_dtype(device), torch.is_autocast_cache_enabled()
    return lambda: torch.autocast(device, dtype=dtype, cache_enabled=cache)
