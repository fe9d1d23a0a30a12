"""Exact reconstruction of a run of layers: the step onto the grid, and layers whose reconstructed input is checked."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bench.reversible.addition import FLOATING
from bench.reversible.chain import InvertibleChain
from bench.reversible.checksum import checksum
from bench.reversible.grid import Grid
from bench.reversible.layer import Gradients, InvertibleLayer, Memo, State, Wanted
from bench.reversible.observer import working


class OnGrid(InvertibleLayer):
    """The step onto the grid. What it rounds off is not needed again, so its inverse and gradient are the identity."""

    exact = True

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid

    def differentiable(self, state: State) -> State:
        self.grid.choose(state)
        return [self.grid.straight_through(part) for part in state]

    def trace(self, state: State) -> None:
        self.grid.enter(state)

    def replay(self, state: State, memo: None) -> None:
        self.grid.enter(state)

    def undo(self, state: State, memo: None) -> None:
        pass

    def retrace(self, state: State, grad: State, memo: None, wanted: Wanted) -> Gradients:
        return {}


class Witness(NamedTuple):
    """What is kept of a layer's input."""

    memo: Memo  # the layer's own
    sums: Tensor  # the input's checksum
    overflows: int | Tensor  # the grid's count before the layer ran
    stored: State | None  # the input itself, in the stored twin


class Witnessed(InvertibleLayer):
    """A layer that adds on `grid` and whose reconstructed input is compared, by a checksum, with the forward pass's.

    With `store` the input is kept, and takes the place of the reconstructed one after the comparison.
    """

    exact = True

    def __init__(self, layer: InvertibleLayer, name: str, grid: Grid, store: bool) -> None:
        super().__init__()
        self.layer, self.name, self.grid, self.store = layer, name, grid, store
        self.parts, self.is_stem = layer.parts, layer.is_stem
        self._adding: list[Any] = [module for module in layer.modules() if hasattr(module, "addition")]

    def differentiable(self, state: State) -> State:
        with self._on_grid(), working("forward", self.layer, state):
            state[:] = self.layer.differentiable(state)
        return state

    def trace(self, state: State) -> Witness:
        sums, stored = checksum(state), [part.clone() for part in state] if self.store else None
        overflows = self.grid.counted()
        with self._on_grid(), working("forward", self.layer, state):
            return Witness(self.layer.trace(state), sums, overflows, stored)

    def replay(self, state: State, memo: Witness) -> None:
        with self._on_grid(), working("replay", self.layer, state):
            self.layer.replay(state, memo.memo)

    def undo(self, state: State, memo: Witness) -> None:
        with self._on_grid():
            self.layer.undo(state, memo.memo)

    def retrace(self, state: State, grad: State, memo: Witness, wanted: Wanted) -> Gradients:
        with self._on_grid(), working("retrace", self.layer, state, grad):
            gradients = self.layer.retrace(state, grad, memo.memo, wanted)
        self.grid.compare(self.name, state, memo.sums, memo.overflows)
        if memo.stored is not None:
            state[:] = [part.clone() for part in memo.stored]  # another backward pass may ask for it
        return gradients

    def latest(self) -> Witness:
        return Witness(self.layer.latest(), torch.empty(0), 0, None)

    @contextlib.contextmanager
    def _on_grid(self) -> Iterator[None]:
        for module in self._adding:
            module.addition = self.grid
        try:
            yield
        finally:
            for module in self._adding:
                module.addition = FLOATING


def exact_chain(layers: Sequence[InvertibleLayer], names: Sequence[str], grid: Grid, store: bool) -> InvertibleChain:
    """A run of layers with exact reconstruction: first those whose gradient needs their output only, then exact ones.

    Of the first, such as a stem's batch norm and activation, the output is restored bit for bit; their input is needed
    by no gradient. `names` are what the layers are called where a checksum differs.
    """
    before = next((i for i, layer in enumerate(layers) if layer.exact), len(layers))
    exact = [Witnessed(layer, name, grid, store) for layer, name in zip(layers[before:], names[before:], strict=True)]
    chain = InvertibleChain(*layers[:before], *([] if layers[0].is_stem else [OnGrid(grid)]), *exact)
    chain.addition = grid
    return chain


def exact_runs(layers: Sequence[InvertibleLayer]) -> list[list[InvertibleLayer]]:
    """Consecutive invertible layers cut so that `exact_chain` can take each piece; a cut stores one activation."""
    runs: list[list[InvertibleLayer]] = []
    for layer in layers:
        if not layer.exact and not layer.from_output:
            raise ValueError(
                f"{type(layer).__name__} has no exact reconstruction; layers between the blocks of an exact network are"
                " poolings, batch normalisations and leaky ReLUs. Choose another reconstruction, or another layer."
            )
        if not runs or (runs[-1][-1].exact and not layer.exact):
            runs.append([])
        runs[-1].append(layer)
    return runs
