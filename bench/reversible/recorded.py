"""One call of an ordinary module, recomputed under a small autograd graph of its own that gives its gradients.

The module sees detached aliases of its parameters, so hooks on the real parameters fire once, when the engine returns
the gradients to the outer graph; and copies of its buffers, so that batch norm's running statistics are counted once,
in the forward pass, whatever is recomputed later.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.func import functional_call

from bench.reversible.layer import Gradients, Wanted


class Recording(NamedTuple):
    """The graph of one call, by its ends: it holds what autograd stored, but not the output."""

    output: GradientEdge | None
    input: GradientEdge
    parameters: dict[nn.Parameter, GradientEdge]


def record(module: nn.Module, x: Tensor, wanted: Wanted, buffers: Mapping[str, Tensor]) -> tuple[Tensor, Recording]:
    """Recompute `module(x)` with these of its `buffers`, and record it.

    `wanted` tells the parameters whose gradients will be asked for.
    """
    aliases = {p: p.detach().requires_grad_() for p in module.parameters() if wanted(p)}
    named = module.named_parameters(remove_duplicate=False)
    replaced = {name: aliases[p] if p in aliases else p.detach() for name, p in named}
    leaf = x.detach().requires_grad_()
    with torch.enable_grad():
        output = functional_call(module, replaced | _spare(module, buffers), (leaf,))
    return output.detach(), Recording(
        get_gradient_edge(output) if output.requires_grad else None,
        get_gradient_edge(leaf),
        {p: get_gradient_edge(alias) for p, alias in aliases.items()},
    )


def pull_back(recording: Recording, grad_output: Tensor) -> tuple[Tensor | None, Gradients]:
    """Gradients of the recorded call's input (None if the output does not depend on it) and wanted parameters."""
    if recording.output is None:
        return None, {}
    ends = [recording.input, *recording.parameters.values()]
    grad_input, *found = torch.autograd.grad([recording.output], ends, [grad_output], allow_unused=True)
    gradients = zip(recording.parameters, found, strict=True)
    return grad_input, {p: gradient for p, gradient in gradients if gradient is not None}


def run_again(module: nn.Module, x: Tensor, buffers: Mapping[str, Tensor]) -> Tensor:
    """Recompute `module(x)` with these of its `buffers`, without recording it."""
    with torch.no_grad():
        return functional_call(module, _spare(module, buffers), (x,))


def _spare(module: nn.Module, buffers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of its buffers, of those given rather than of its own."""
    own = module.named_buffers(remove_duplicate=False)
    return {name: buffers.get(name, buffer).clone() for name, buffer in own}
