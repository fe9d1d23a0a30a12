"""The container: invertible layers retraced together, ordinary modules between them left to autograd."""

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from bench.reversible.chain import InvertibleChain
from bench.reversible.determinism import require_determinism
from bench.reversible.exact import exact_chain, exact_runs
from bench.reversible.function import retraced
from bench.reversible.grid import Grid
from bench.reversible.int16 import Int16Grid
from bench.reversible.int16_stem import Int16Stem
from bench.reversible.layer import InvertibleLayer, join, split
from bench.reversible.pooling import GlobalPooling

RECONSTRUCTIONS = ("ideal", "noisy", "exact")
GRID_BITS = "grid_bits"  # in a state dict
NOT_CHOSEN = -(2**31)  # there, of a grid that waits for its first batch


class ReversibleSequential(nn.Sequential):
    """Like `torch.nn.Sequential`, but a run of consecutive invertible layers holds one activation, whatever its length.

    reconstruction: "noisy" restores every layer's input in the backward pass by its floating-point inverse; "ideal"
    stores it, as ordinary autograd does (the same network and arithmetic, with the memory of a stored one). "exact"
    restores it bit for bit: blocks add on a grid of multiples of 2^-grid_bits (None: chosen at the first batch), and
    with `store` the restored inputs are replaced by stored ones, which must change nothing. These are plain attributes
    and may be changed between steps.

    Modules that are not invertible (stem, down-sampling, classifier) store what their gradients need. A
    `GlobalPooling` right after a run of invertible layers reads the run's output in place, which spares a copy.
    Input (N, C, H, W); forward hooks of the invertible layers inside are not called.
    """

    def __init__(
        self, *layers: nn.Module, reconstruction: str = "noisy", grid_bits: int | None = None, store: bool = False
    ) -> None:
        super().__init__(*layers)
        self.reconstruction, self.store = reconstruction, store
        self.grid = (Int16Grid if any(isinstance(layer, Int16Stem) for layer in self) else Grid)(grid_bits)

    @property
    def reconstruction(self) -> str:
        """One of `RECONSTRUCTIONS`."""
        return self._reconstruction

    @reconstruction.setter
    def reconstruction(self, value: str) -> None:
        if value not in RECONSTRUCTIONS:
            raise ValueError(f"The reconstruction {value!r} is not known; it is one of {', '.join(RECONSTRUCTIONS)}.")
        self._reconstruction = value

    def __getitem__(self, index: Any) -> Any:
        """A layer, or some of them as a network of the same reconstruction on the same grid."""
        found: Any = super().__getitem__(index)
        if isinstance(index, slice):
            found.reconstruction, found.store, found.grid = self.reconstruction, self.store, self.grid
        return found

    def extra_repr(self) -> str:
        return f"reconstruction={self.reconstruction!r}"

    def forward(self, x: Tensor) -> Tensor:
        if getattr(self, "_is_replica", False):
            raise RuntimeError(
                "nn.DataParallel hides a network's parameters from the layers that restore activations, and they would"
                " get no gradient; use nn.parallel.DistributedDataParallel."
            )
        if not x.numel():
            raise ValueError(f"A network of invertible layers got an empty batch, {tuple(x.shape)}; leave it out.")
        if self.reconstruction == "exact":
            require_determinism(x.device)
        for chain, readout, ordinary in self._runs():
            if ordinary is not None:
                x = ordinary(x)
                continue
            if torch.is_autocast_enabled(x.device.type):
                x = x.to(torch.promote_types(x.dtype, torch.float32))  # what couplings add up, and inverses take apart
            if chain.has_stem and self.reconstruction != "ideal":
                self._require_what_16_bits_need(readout)
            if self.reconstruction != "ideal" or not (torch.is_grad_enabled() or chain.has_stem):
                parts = chain.begin(x)
                del x  # it need not live while the layers work on the parts
                x = retraced(chain, readout, parts)
            else:
                state = chain.differentiable([x] if chain.has_stem else split(x, chain.parts))
                x = join([readout(part) for part in state]) if readout else join(state)
        return x

    def inverse(self, y: Tensor) -> Tensor:
        """The input whose output is `y`; every layer must be invertible."""
        chain = InvertibleChain(*self)
        return InvertibleChain(*self._chains(list(chain.layers))).inverse(y)

    def _runs(self) -> list[tuple[InvertibleChain, GlobalPooling | None, nn.Module | None]]:
        """(chain, readout or None, None) for runs of invertible layers, (empty chain, None, module) for others."""
        runs: list[tuple[InvertibleChain, GlobalPooling | None, nn.Module | None]] = []
        for invertible, group in itertools.groupby(self, lambda layer: isinstance(layer, InvertibleLayer)):
            if invertible:
                layers = [layer for layer in group if isinstance(layer, InvertibleLayer)]  # all of them
                runs += [(chain, None, None) for chain in self._chains(layers)]
                continue
            for module in group:
                if type(module) is GlobalPooling and runs and runs[-1][1] is None and runs[-1][2] is None:
                    runs[-1] = (runs[-1][0], module, None)
                else:
                    runs.append((InvertibleChain(), None, module))
        return runs

    def _chains(self, layers: list[InvertibleLayer]) -> list[InvertibleChain]:
        """Consecutive invertible layers as chains: one, or with exact reconstruction as many as that needs."""
        if self.reconstruction != "exact":
            return [InvertibleChain(*layers)]
        if any(_stores(module) for layer in layers for module in layer.modules()):
            raise ValueError(
                "A ReversibleSequential with reconstruction='ideal' inside an exact network computes other bits with"
                " gradients than without; give it reconstruction='noisy' or 'exact'."
            )
        names = {layer: f"layer {index} ({type(layer).__name__})" for index, layer in enumerate(self)}
        runs = exact_runs(layers)
        return [exact_chain(run, [names[layer] for layer in run], self.grid, self.store) for run in runs]

    def _require_what_16_bits_need(self, readout: GlobalPooling | None) -> None:
        """Raise `ValueError` where a run with a 16-bit state would end as one, or be restored by floating point."""
        if readout is None or self.reconstruction != "exact":
            raise ValueError(
                "A run of layers with an Int16Stem holds its state in 16 bits: it needs reconstruction='exact', not"
                f" {self.reconstruction!r}, and a GlobalPooling right after it, which gives floating-point numbers."
            )

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """The grid that was chosen is part of the state: a resumed training must go on with it.

        An exact network has its key from the beginning, so that a copy's state dict can be read beside its own.
        """
        super()._save_to_state_dict(destination, prefix, keep_vars)
        bits = self.grid.bits
        if bits is not None or self.reconstruction == "exact":
            destination[prefix + GRID_BITS] = torch.tensor(NOT_CHOSEN if bits is None else bits)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        if prefix + GRID_BITS in state_dict:
            bits = int(state_dict.pop(prefix + GRID_BITS))
            self.grid.bits = None if bits == NOT_CHOSEN else bits
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _stores(module: nn.Module) -> bool:
    return isinstance(module, ReversibleSequential) and module.reconstruction == "ideal"
