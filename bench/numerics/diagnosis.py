"""One look at a network: how well each layer's input comes back, and how far its gradient is from the ideal one."""

import copy
from typing import Any

from torch import Tensor

from bench.numerics.gradient_angle import angles_degrees, convolution_gradients
from bench.numerics.retraced_signal import RetracedSignal, smallest_snr_db
from bench.reversible import ReversibleSequential, observing


def diagnosis(network: ReversibleSequential, images: Tensor, labels: Tensor) -> dict[str, Any]:
    """`smallest_snr_db` and, as lists by layer in the order of the forward pass: `kind`, `inside_block`, `snr_db` of
    the restored input, and `angle_degrees` between noisy and ideal gradient (convolutions; None for other layers).

    Same batch, same weights, in training mode, on a copy: the network itself is left as it is.
    """
    twin = copy.deepcopy(network).train()
    ideal = convolution_gradients(twin, "ideal", images, labels)
    observer = RetracedSignal(twin)
    with observing(twin, observer):
        noisy = convolution_gradients(twin, "noisy", images, labels)
    layers, angles = observer.layers(), angles_degrees(ideal, noisy)
    return {
        "smallest_snr_db": _rounded(smallest_snr_db(layers)),
        "kind": [layer.kind for layer in layers],
        "inside_block": [layer.inside_block for layer in layers],
        "snr_db": [_rounded(layer.snr_db) for layer in layers],
        "angle_degrees": [_rounded(angles.get(layer.name)) for layer in layers],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
