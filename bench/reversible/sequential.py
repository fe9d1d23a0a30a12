"""The container: invertible layers retraced together, ordinary modules between them left to autograd."""

import itertools

import torch
from torch import Tensor, nn

from bench.reversible.chain import InvertibleChain
from bench.reversible.function import retraced
from bench.reversible.layer import InvertibleLayer, join, split
from bench.reversible.pooling import GlobalPooling

RECONSTRUCTIONS = ("ideal", "noisy")


class ReversibleSequential(nn.Sequential):
    """Like `torch.nn.Sequential`, but a run of consecutive invertible layers holds one activation, whatever its length.

    reconstruction: "noisy" restores every layer's input in the backward pass by its floating-point inverse; "ideal"
    stores it, as ordinary autograd does (the same network and arithmetic, with the memory of a stored one). It is a
    plain attribute and may be changed between steps.

    Modules that are not invertible (stem, down-sampling, classifier) store what their gradients need. A
    `GlobalPooling` right after a run of invertible layers reads the run's output in place, which spares a copy.
    Input (N, C, H, W); forward hooks of the invertible layers inside are not called.
    """

    def __init__(self, *layers: nn.Module, reconstruction: str = "noisy") -> None:
        super().__init__(*layers)
        if reconstruction not in RECONSTRUCTIONS:
            raise ValueError(
                f"The reconstruction {reconstruction!r} is not known; it is one of {', '.join(RECONSTRUCTIONS)}."
            )
        self.reconstruction = reconstruction

    def extra_repr(self) -> str:
        return f"reconstruction={self.reconstruction!r}"

    def forward(self, x: Tensor) -> Tensor:
        for chain, readout, ordinary in self._runs():
            if ordinary is not None:
                x = ordinary(x)
                continue
            if torch.is_autocast_enabled(x.device.type):
                x = x.to(torch.promote_types(x.dtype, torch.float32))  # what couplings add up, and inverses take apart
            if self.reconstruction == "noisy" or not torch.is_grad_enabled():
                x = retraced(chain, readout, x)
            else:
                state = chain.differentiable(split(x, chain.parts))
                x = join([readout(part) for part in state]) if readout else join(state)
        return x

    def inverse(self, y: Tensor) -> Tensor:
        """The input whose output is `y`; every layer must be invertible."""
        return InvertibleChain(*self).inverse(y)

    def _runs(self) -> list[tuple[InvertibleChain, GlobalPooling | None, nn.Module | None]]:
        """(chain, readout or None, None) for runs of invertible layers, (empty chain, None, module) for others."""
        runs: list[tuple[InvertibleChain, GlobalPooling | None, nn.Module | None]] = []
        for invertible, group in itertools.groupby(self, lambda layer: isinstance(layer, InvertibleLayer)):
            if invertible:
                runs.append((InvertibleChain(*group), None, None))
                continue
            for module in group:
                if isinstance(module, GlobalPooling) and runs and runs[-1][1] is None and runs[-1][2] is None:
                    runs[-1] = (runs[-1][0], module, None)
                else:
                    runs.append((InvertibleChain(), None, module))
        return runs
