"""What a network holds for its backward pass, noted layer by layer while shapes and types pass through its modules.

Nothing is computed: the modules run on torch's fake tensors, which have a shape, a type and a storage but no values.
Ordinary modules are noted by forward hooks. Containers that do not store what autograd would store
(`ReversibleSequential`, a checkpointed block) are replaced, in a private copy of the network, by stand-ins that apply
a rule instead.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from bench.training.precision import computing

# The set P of eq. 6: "convolutions and batch normalization layers, excluding activation functions and pooling layers",
# and the linear layer, which is parameterised too.
PARAMETERISED = (_ConvNd, _BatchNorm, nn.Linear)


@dataclass(frozen=True)
class Entry:
    """A layer, or a container that is treated as one, in forward order.

    kept: tensors held from its forward pass to the end of its backward pass; gradient: bytes of activation gradients
    at its backward pass; hidden: what else that needs, in bytes. One of `ordinary` layers in a row: they make up one
    group.
    """

    kept: tuple[Tensor, ...]
    gradient: int
    hidden: int = 0
    ordinary: bool = False
    convolution: bool = False


Rule = Callable[["Trace", Any, Tensor], Tensor]


class Trace:
    """One pass of a batch's shape through a network; `entries` tells what it noted."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def note(self, entry: Entry) -> None:
        self.entries.append(entry)

    def inside(self, module: Callable[[Tensor], Tensor], x: Tensor) -> tuple[list[Entry], Tensor]:
        """(what `module(x)` notes, its output), kept apart from the trace's own entries."""
        outer, self.entries = self.entries, []
        try:
            return self.entries, module(x)
        finally:
            self.entries = outer

    def watch(self, model: nn.Module) -> None:
        """Note every parameterised layer of `model` that is called."""
        for module in model.modules():
            if isinstance(module, PARAMETERISED):
                module.register_forward_hook(self._note_layer)

    def _note_layer(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Eqs. 6 and 9: the layer keeps its input; its gradients are as large as the larger of input and output."""
        gradient = max(size(inputs[0]), size(output))
        self.note(Entry((inputs[0],), gradient, ordinary=True, convolution=isinstance(module, _ConvNd)))


class _StandIn(nn.Module):
    """Applies a rule in a module's place."""

    def __init__(self, module: nn.Module, trace: Trace, rule: Rule) -> None:
        super().__init__()
        self.module, self.trace, self.rule = module, trace, rule

    def forward(self, x: Tensor) -> Tensor:
        return self.rule(self.trace, self.module, x)


@contextmanager
def traced(
    model: nn.Module, rules: Mapping[str, Rule], images: tuple[int, int, int, int], precision: str = "float32"
) -> Iterator[tuple[Trace, Tensor]]:
    """Send a float32 batch of shape `images` (N, C, H, W) through `model` in training mode; yields (trace, batch).

    `rules`: module name -> the rule to apply in place of that module. The model itself is left alone.
    """
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    trace, shadow = Trace(), nn.Sequential(_without_values(model, mode)).train()
    trace.watch(shadow)
    with mode, torch.no_grad():
        for name, rule in rules.items():
            target = ".".join(["0", name] if name else ["0"])
            shadow.set_submodule(target, _StandIn(shadow.get_submodule(target), trace, rule))
        batch = torch.zeros(images)
        with computing(precision, batch.device):
            shadow(batch)
        yield trace, batch


def _without_values(model: nn.Module, mode: FakeTensorMode) -> nn.Module:
    """A copy whose parameters and buffers are fake tensors on the CPU, wherever the model is."""
    # deepcopy takes the copy that it finds under an object's id, so no values are copied.
    with mode:
        memo: dict[int, Tensor] = {id(each): nn.Parameter(_empty(each)) for each in model.parameters()}
        memo |= {id(each): _empty(each) for each in model.buffers()}
    return copy.deepcopy(model, memo)


def _empty(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype)


def size(tensor: Tensor) -> int:
    """Bytes of a tensor's elements."""
    return tensor.numel() * tensor.element_size()


def storage_bytes(tensors: Iterable[Tensor], but: Iterable[Tensor] = ()) -> int:
    """Bytes of the distinct storages of `tensors`, those of `but` left out: what two layers keep is there once."""
    storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in tensors}
    for tensor in but:
        storages.pop(tensor.untyped_storage()._cdata, None)
    return sum(storages.values())


def last_gradient(entries: list[Entry]) -> int:
    """Eq. 9: bytes of the gradient at the last convolution's backward pass (at the last layer's, without one)."""
    convolutions = [entry for entry in entries if entry.convolution]
    return (convolutions or entries)[-1].gradient if entries else 0
