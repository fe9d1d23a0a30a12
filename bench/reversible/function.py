"""The engine's one autograd function: forward without recording, backward by retracing."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from bench.reversible.addition import Addition
from bench.reversible.chain import InvertibleChain
from bench.reversible.ends import Handover, Joined, first_order, let_go
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
        # The parameters are saved for autograd's check that nobody changed them before the backward pass; so is the
        # image of a stem, which keeps it as it is.
        images = tensors[:1] if chain.has_stem else ()
        ctx.save_for_backward(*state[: ctx.kept], *parameters, *images)
        return (join([readout(part[:]) for part in chain.addition.read(state)]),) if readout else tuple(state)

    @staticmethod
    @first_order
    def backward(ctx: Any, *grad_output: Tensor) -> tuple[Tensor | None, ...]:
        saved, ours = let_go(ctx)
        state = [part if ours else part.clone() for part in saved[: ctx.kept]]
        used = saved[ctx.kept : len(saved) - ctx.chain.has_stem]
        memo = ctx.memo
        if ours and ctx.chain.has_stem:
            ctx.memo = None  # which holds the image, and the node may live on, with the loss
        del saved  # which would hold what the layers replace
        needed = ctx.needs_input_grad[3 + ctx.chain.inputs :]
        with ctx.autocast(), _parameters(ctx.chain, used) as parameters:
            wanted = {parameter for parameter, is_needed in zip(parameters, needed, strict=True) if is_needed}
            if ctx.readout:
                grad = _pull_back_readout(ctx.readout, state, grad_output[0], ctx.chain.addition)
            else:
                # `Joined` made both for this node alone, so that they may be overwritten.
                state, ctx.handover.state = ctx.handover.state, []
                grad = list(grad_output)
            gradients = ctx.chain.retrace(state, grad, memo, wanted.__contains__)
        state.clear()
        return None, None, None, *grad, *(gradients.get(parameter) for parameter in parameters)


def retraced(chain: InvertibleChain, readout: GlobalPooling | None, parts: tuple[Tensor, ...]) -> Tensor:
    """`readout(chain(x))`, or `chain(x)` without one, with noisy reconstruction; `parts` are those that `cut` made."""
    if readout:
        return Retraced.apply(chain, readout, None, *parts, *chain.parameters())[0]
    handover = Handover()
    return Joined.apply(handover, *Retraced.apply(chain, None, handover, *parts, *chain.parameters()))


@contextlib.contextmanager
def _parameters(chain: InvertibleChain, used: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """The parameters that the layers compute with meanwhile: `used`, those of the forward pass.

    `torch.func.functional_call`, or whoever replaces parameters, may have put others in their place by now.
    """
    now: list[Tensor] = list(chain.parameters())
    if all(mine is then for mine, then in zip(now, used, strict=True)):
        yield now
        return
    then = dict(zip(now, used, strict=True))
    slots = [(module._parameters, name) for module in chain.modules() for name in module._parameters]
    replaced: list[Any] = [(slot, name, slot[name]) for slot, name in slots if slot[name] is not None]
    for slot, name, parameter in replaced:
        slot[name] = then[parameter]
    try:
        yield list(used)
    finally:
        for slot, name, parameter in replaced:
            slot[name] = parameter


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
                pooled = readout(leaf.view_as(leaf))  # hooks on a module's input may not be hooks on a leaf
            grad[images] = torch.autograd.grad(pooled, leaf, grad_pooled[s])[0]
    return grads


def _autocast(device: str) -> Any:
    """Makes the autocast setting of now, for a recomputation that must use the same types."""
    enabled, cache = torch.is_autocast_enabled(device), torch.is_autocast_cache_enabled()
    dtype = torch.get_autocast_dtype(device)
    return lambda: torch.autocast(device, dtype=dtype, enabled=enabled, cache_enabled=cache)
