"""A batch norm and the leaky ReLU after it as one step, where one kernel does the work of both."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from bench.reversible.activation import InvertibleLeakyReLU
from bench.reversible.batch_norm import InvertibleBatchNorm2d
from bench.reversible.fused import fused
from bench.reversible.layer import Gradients, InvertibleLayer, Memo, State, Wanted
from bench.reversible.statistics import Statistics


class ActivatedNorm:
    """y = leaky(batch norm(x)), worked on like a batch norm: its state and memo are the pair's output and statistics.

    Nobody is told of its work; where somebody observes the layers they are two steps, and observed (`activated`).
    """

    observer = None

    def __init__(self, norm: InvertibleBatchNorm2d, activation: InvertibleLeakyReLU) -> None:
        self.norm, self.slope = norm, activation.negative_slope

    def trace(self, state: State) -> Statistics:
        return self.norm.trace(state, self.slope)

    def replay(self, state: State, memo: Statistics) -> None:
        self.norm.replay(state, memo, self.slope)

    def retrace(self, state: State, grad: State, memo: Statistics, wanted: Wanted) -> Gradients:
        return self.norm.retrace(state, grad, memo, wanted, self.slope)

    def gradient_sums(self, state: State, grad: State) -> Tensor:
        return self.norm.gradient_sums(state, grad, self.slope)

    def pull_back(self, state: State, grad: State, memo: Statistics, sums: Tensor, count: int) -> None:
        self.norm.pull_back(state, grad, memo, sums, count, self.slope)


Step = InvertibleLayer | ActivatedNorm


def activated(layers: Sequence[InvertibleLayer], at: int, state: State) -> ActivatedNorm | None:
    """The layers `at` and after it as one step, if they are such a pair and one kernel can do both to `state`."""
    if at + 1 >= len(layers) or fused(*state) is None:
        return None
    norm, activation = layers[at], layers[at + 1]
    if not isinstance(norm, InvertibleBatchNorm2d) or not isinstance(activation, InvertibleLeakyReLU):
        return None
    return ActivatedNorm(norm, activation) if norm.observer is None and activation.observer is None else None


def steps(layers: Sequence[InvertibleLayer], memo: Sequence[Memo], state: State) -> Iterator[tuple[Step, Memo]]:
    """The layers in order, each with its memo, pairs as one step."""
    at = 0
    while at < len(layers):
        pair = activated(layers, at, state)
        yield pair or layers[at], memo[at]
        at += 2 if pair else 1
