"""Numerical noise of reversible backpropagation: what theory says of a layer, and what is measured in whole networks.

`theory` holds the paper's formulas (eqs. 15 to 28, corrected), `sign_flips` and `coupling` what it leaves open.
`layer_noise` measures single layers, `RetracedSignal` every layer of a network during its real backward pass, and
`sweeps` what the noise does to accuracy.
"""

from bench.numerics.retraced_signal import RetracedSignal, retraced_signal

__all__ = ["RetracedSignal", "retraced_signal"]
