"""A diagnostic of the real backward pass: how well every layer's input came back (figures 10 and 12).

    layers = retraced_signal(network, images, labels)

It watches the engine (`bench.reversible.observing`): each layer's input is copied when the forward pass reads it, and
compared with what the backward pass restores. It costs the memory of a stored network while it is on, and nothing when
it is off. The network must be in noisy reconstruction.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.reversible import InvertibleLayer, ReversibleBlock, observing
from bench.reversible.observer import Work


@dataclass(frozen=True)
class RetracedLayer:
    """One layer: its place in the network and the signal-to-noise ratio of its restored input."""

    position: int  # 1, 2, ... in the order of the forward pass
    name: str  # as in `network.named_modules()`
    kind: str  # class of the layer
    inside_block: bool
    snr_db: float | None  # None: every bit came back, or a value was not finite
    finite: bool


class RetracedSignal:
    """An observer that collects signal and error power of every layer's input; `layers()` tells the ratios."""

    def __init__(self, network: nn.Module) -> None:
        self.names = {layer: name for name, layer in network.named_modules() if isinstance(layer, InvertibleLayer)}
        self.inside = {
            inner
            for block in network.modules()
            if isinstance(block, ReversibleBlock)
            for inner in block.modules()
            if inner is not block
        }
        self.inputs: dict[InvertibleLayer, list[Tensor]] = {}
        self.signal: dict[InvertibleLayer, float] = {}
        self.error: dict[InvertibleLayer, float] = {}

    def starts(self, work: Work) -> None:
        """Copy the input that a forward work reads."""
        if work.kind == "forward":
            self.inputs.setdefault(work.layer, []).append(torch.cat([part.detach() for part in work.state], 1).clone())

    def ends(self, work: Work) -> None:
        """Compare what a retrace restored with the copy of the same images."""
        if work.kind != "retrace":
            return
        layer = work.layer
        if len(self.inputs[layer]) > 1:
            self.inputs[layer] = [torch.cat(self.inputs[layer])]
        restored = torch.cat([part.detach() for part in work.state], 1)
        true = self._true_images(layer, restored, work.images)
        self.signal[layer] = self.signal.get(layer, 0.0) + _power(true)
        self.error[layer] = self.error.get(layer, 0.0) + _power(restored.double() - true.double())

    def _true_images(self, layer: InvertibleLayer, restored: Tensor, images: slice) -> Tensor:
        whole = self.inputs[layer][0]
        if len(restored) == len(whole):
            return whole
        # Of a batch pooling, `images` count the pooled batch; every other layer keeps the number of images.
        ratio = len(restored) / (images.stop - images.start)
        return whole[int(images.start * ratio) : int(images.stop * ratio)]

    def layers(self) -> list[RetracedLayer]:
        """Every layer that was retraced, in the order of the forward pass."""
        seen = [layer for layer in self.inputs if layer in self.error]
        return [
            RetracedLayer(
                position,
                self.names[layer],
                type(layer).__name__,
                layer in self.inside,
                snr_db(self.signal[layer], self.error[layer]),
                math.isfinite(self.error[layer]) and math.isfinite(self.signal[layer]),
            )
            for position, layer in enumerate(seen, start=1)
        ]


def retraced_signal(network: nn.Module, images: Tensor, labels: Tensor) -> list[RetracedLayer]:
    """One forward and backward pass of the mean cross-entropy in training mode; leaves no gradient behind.

    images (N, C, H, W), labels (N,). The network's running statistics count the batch, as in any step.
    """
    observer = RetracedSignal(network)
    with observing(network, observer):
        functional.cross_entropy(network(images).float(), labels).backward()
    network.zero_grad(set_to_none=True)
    return observer.layers()


def smallest_snr_db(layers: list[RetracedLayer]) -> float | None:
    """The smallest ratio in dB; None where a value was not finite or everything came back exactly."""
    ratios = [layer.snr_db for layer in layers if layer.snr_db is not None]
    return min(ratios) if ratios and all(layer.finite for layer in layers) else None


def snr_db(signal: float, error: float) -> float | None:
    """Ratio of two powers in dB; None where it is infinite or not a number."""
    if not (math.isfinite(signal) and math.isfinite(error)) or not signal or not error:
        return None
    return 10 * math.log10(signal / error)


def _power(x: Tensor) -> float:
    return float(x.double().square().sum())
