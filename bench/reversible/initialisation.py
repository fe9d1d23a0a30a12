"""How convolutions of ReLU networks start: He et al. (2015)."""

from torch import Tensor, nn


def he_normal_(kernel: Tensor) -> None:
    """Fill `kernel` (out, in, k, k) with normal numbers of variance 2 / fan-out.

    One without data, as in networks that are built only to be counted, is left alone: torch would import its compiler.
    """
    if not kernel.is_meta:
        nn.init.kaiming_normal_(kernel, mode="fan_out", nonlinearity="relu")
