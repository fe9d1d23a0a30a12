"""Which part of a network is at work, forward and backward, inside the engine and outside it."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from bench.reversible.observer import Work, observing


class AtWork:
    """Tells the module that runs, by its name in the network; `entered` on that network, during one training step.

    Invertible layers report their work themselves (`bench.reversible.observer`). Ordinary modules are found by their
    forward hooks, and in the backward pass by the number that autograd gave to the nodes made while they ran. A block
    that is recomputed runs forward once more, and is told so.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.works: list[Work] = []  # of invertible layers, the outermost first
        self._names = {module: name for name, module in network.named_modules()}
        self._running: list[str] = []
        self._starts: list[int] = []
        self._owners: dict[int, str] = {}  # number of an autograd node -> the innermost module that made it
        self._latest = ""

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Watch the network while inside."""
        handles = []
        _number_apart()
        for module in self.network.modules():
            handles.append(module.register_forward_pre_hook(self._begins))
            # Also when the module is left by an exception: checkpointing ends a recomputation so.
            handles.append(module.register_forward_hook(self._is_done, always_call=True))
        try:
            with observing(self.network, self):
                yield
        finally:
            for handle in handles:
                handle.remove()

    def name(self) -> str:
        """The innermost module at work; "" outside of all (the loss, the optimizer)."""
        outer, owner = (self._running or [""])[-1], self._owner()
        if owner is None:
            owner = self._latest
        self._latest = owner if owner.startswith(outer) else outer
        return self._latest

    def starts(self, work: Work) -> None:
        """Called by the engine before an invertible layer's work."""
        self.works.append(work)
        self._running.append(self._names[work.layer])
        self._starts.append(_next_node())

    def ends(self, work: Work) -> None:
        """Called by the engine after it."""
        self._own(self._running.pop(), self._starts.pop())
        self.works.pop()

    def _begins(self, module: nn.Module, inputs: Any) -> None:
        self._running.append(self._names[module])
        self._starts.append(_next_node())

    def _is_done(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._own(self._running.pop(), self._starts.pop())

    def _own(self, name: str, start: int) -> None:
        for number in range(start, _next_node()):
            self._owners.setdefault(number, name)  # what ran inside it is done already, and has set its own

    def _owner(self) -> str | None:
        """Who made the autograd node that runs; "" where none runs, None where its maker is not known."""
        node = torch._C._current_autograd_node()
        return "" if node is None else self._owners.get(node._sequence_nr())


APART = 100_000  # more nodes than the backward passes of a process make


def _number_apart() -> None:
    """Let this thread count from `APART`: a GPU's backward pass has a thread of its own, which counts from 0."""
    x = torch.ones((), requires_grad=True)
    while _next_node() < APART:
        x.view(())


def _next_node() -> int:
    """The number that autograd will give to the next node that this thread makes."""
    return torch._C._autograd._get_sequence_nr()
