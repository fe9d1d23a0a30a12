"""The engine's one autograd function: forward without recording, backward by retracing."""

import contextlib
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bench.reversible.chain import InvertibleChain
from bench.reversible.layer import State, join, split
from bench.reversible.pooling import GlobalPooling
from bench.reversible.slices import batch_slices


class Retraced(torch.autograd.Function):
    """`apply(chain, readout, x, *chain.parameters())`: the chain's output, or what `readout` pools from it.

    Of all activations only the output is kept, and in the backward pass it is overwritten with the input, layer by
    layer. With a readout nobody else has ever seen the output, so no copy of it is needed. Gradients of `x` and of the
    parameters are returned to autograd, as for any function: hooks, `torch.autograd.grad` and DDP see nothing special.
    """

    @staticmethod
    def forward(
        ctx: Any, chain: InvertibleChain, readout: GlobalPooling | None, x: Tensor, *parameters: Tensor
    ) -> Tensor:
        state = split(x, chain.parts)
        ctx.memo = chain.trace(state)
        ctx.chain, ctx.readout, ctx.autocast = chain, readout, _autocast(x.device.type)
        output = join([readout(part) for part in state]) if readout else join(state)
        kept = state if readout else [output]
        ctx.kept = len(kept)
        # The parameters are saved for autograd's check that nobody changed them before the backward pass.
        ctx.save_for_backward(*kept, *parameters)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        wanted = {
            parameter
            for parameter, needed in zip(ctx.chain.parameters(), ctx.needs_input_grad[3:], strict=True)
            if needed
        }
        with ctx.autocast():
            state = _take_state(ctx)
            grad = (
                _pull_back_readout(ctx.readout, state, grad_output) if ctx.readout else split(grad_output, len(state))
            )
            gradients = ctx.chain.retrace(state, grad, ctx.memo, wanted.__contains__)
        state.clear()
        grad_x = join(grad) if ctx.needs_input_grad[2] else None
        return None, None, grad_x, *(gradients.get(parameter) for parameter in ctx.chain.parameters())


def retraced(chain: InvertibleChain, readout: GlobalPooling | None, x: Tensor) -> Tensor:
    """`readout(chain(x))`, or `chain(x)` without one, with noisy reconstruction."""
    return Retraced.apply(chain, readout, x, *chain.parameters())


def _take_state(ctx: Any) -> State:
    """The kept output as a state that the engine may overwrite; autograd's own hold on it is given up.

    When the graph is kept for another backward pass (`retain_graph=True`) the state is a copy.
    """
    kept: State = list(ctx.saved_tensors[: ctx.kept])
    graph_stays = torch._C._autograd._get_current_graph_task_keep_graph()
    if not graph_stays:
        ctx.maybe_clear_saved_tensors()
    if ctx.readout is None:
        return split(kept.pop(), ctx.chain.parts)
    return [part.clone() for part in kept] if graph_stays else kept


def _pull_back_readout(readout: GlobalPooling, state: State, grad_output: Tensor) -> State:
    """The gradient of each part from the gradient of the pooled channels, one slice of the batch at a time."""
    grads = [torch.empty_like(part) for part in state]
    group = readout.images_per_group
    for part, grad, grad_pooled in zip(
        state, grads, grad_output.split([part.shape[1] for part in state], dim=1), strict=True
    ):
        for s in batch_slices(part.unflatten(0, (-1, group))):
            images = slice(s.start * group, s.stop * group)
            leaf = part[images].detach().requires_grad_()
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
