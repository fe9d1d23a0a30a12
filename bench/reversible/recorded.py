"""One call of an ordinary module, recomputed under a small autograd graph of its own that gives its gradients.

The module sees detached aliases of its parameters, so hooks on the real parameters fire once, when the engine returns
the gradients to the outer graph; and copies of its buffers, so that batch norm's running statistics are counted once,
in the forward pass, whatever is recomputed later.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.func import functional_call
from torch.nn.utils import parametrize

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
    if parametrize._cache_enabled and any(map(parametrize.is_parametrized, module.modules())):
        raise RuntimeError(
            "F or G of a reversible block has computed parameters, kept by torch.nn.utils.parametrize.cached() from the"
            " forward pass, which recorded no gradient; leave it before the backward pass."
        )
    aliases = {p: p.detach().requires_grad_() for p in module.parameters() if wanted(p)}
    replaced = {name: aliases[p] if p in aliases else p.detach() for name, p in _named(module, "_parameters")}
    leaf = x.detach().requires_grad_()
    with torch.enable_grad():
        # A view, so that hooks on the module's input, as FlopCounterMode's, need not be hooks on a leaf.
        called = functional_call(module, replaced | _spare(module, buffers), (leaf.view_as(leaf),), tie_weights=False)
    return called.detach(), Recording(
        get_gradient_edge(called) if called.requires_grad else None,
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
        return functional_call(module, _spare(module, buffers), (x,), tie_weights=False)


def _spare(module: nn.Module, buffers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of its buffers, of those given rather than of its own."""
    return {name: buffers.get(name, buffer).clone() for name, buffer in _named(module, "_buffers")}


def _named(module: nn.Module, kind: str) -> Iterator[tuple[str, Any]]:
    """Its parameters or buffers, each place that holds one once: a module that is used twice has one place, and torch,
    given both names of it, leaves the replacement there (it swaps twice and takes the first swap for the original).
    """
    for prefix, each in module.named_modules():
        for name, tensor in getattr(each, kind).items():
            if tensor is not None:
                yield f"{prefix}.{name}" if prefix else name, tensor
