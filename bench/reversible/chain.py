"""A chain of invertible layers, itself an invertible layer: F and G of a hybrid block, or a run of a network."""

from torch import nn

from bench.reversible.layer import Gradients, InvertibleLayer, Memo, State, Wanted, accumulate


class InvertibleChain(InvertibleLayer):
    """Layers applied one after the other; retraced in the opposite order."""

    def __init__(self, *layers: InvertibleLayer) -> None:
        super().__init__()
        for layer in layers:
            if not isinstance(layer, InvertibleLayer):
                raise TypeError(f"A chain of invertible layers got a {type(layer).__name__}, which is not invertible.")
        self.layers = nn.ModuleList(layers)
        self.parts = max((layer.parts for layer in layers), default=1)

    def differentiable(self, state: State) -> State:
        for layer in self.layers:
            state = layer.differentiable(state)
        return state

    def trace(self, state: State) -> list[Memo]:
        return [layer.trace(state) for layer in self.layers]

    def replay(self, state: State, memo: list[Memo]) -> None:
        for layer, part in zip(self.layers, memo, strict=True):
            layer.replay(state, part)

    def undo(self, state: State, memo: list[Memo]) -> None:
        for layer, part in zip(reversed(self.layers), reversed(memo), strict=True):
            layer.undo(state, part)

    def retrace(self, state: State, grad: State, memo: list[Memo], wanted: Wanted) -> Gradients:
        gradients: Gradients = {}
        for layer, part in zip(reversed(self.layers), reversed(memo), strict=True):
            accumulate(gradients, layer.retrace(state, grad, part, wanted))
        return gradients

    def latest(self) -> list[Memo]:
        return [layer.latest() for layer in self.layers]
