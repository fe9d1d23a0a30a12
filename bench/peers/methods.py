"""The methods that are compared: each makes a network, images (N, 3, H, W) -> logits (N, 10), from the same parts."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bench.peers.chain import Parts
from bench.reversible import GlobalPooling, ReversibleBlock, ReversibleSequential

WHOLE_BATCH = 2**60  # bytes of a slice that any batch fits into


@dataclass(frozen=True)
class Method:
    """One row: `library` is the module that must be there (None: torch or this project); `hold` is `StreamedUnits`'."""

    library: str | None
    build: Callable[[Parts], nn.Module]
    hold: bool = False


class Coupled(nn.Module):
    """Plain PyTorch, the two halves never joined; with `checkpointed` each block stores its input alone."""

    def __init__(self, parts: Parts, checkpointed: bool = False) -> None:
        super().__init__()
        self.parts, self.checkpointed = parts, checkpointed

    def forward(self, images: Tensor) -> Tensor:
        x1, x2 = self.parts.stem(images).chunk(2, dim=1)
        for f, g in self.parts.pairs:
            x1, x2 = (
                checkpoint(_couple, f, g, x1, x2, use_reentrant=False) if self.checkpointed else _couple(f, g, x1, x2)
            )
        return self.parts.head(torch.cat([x1.mean((2, 3)), x2.mean((2, 3))], dim=1))


def _couple(f: nn.Module, g: nn.Module, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    y1 = x1 + f(x2)
    return y1, x2 + g(y1)


def memcnn(parts: Parts) -> nn.Module:
    """MemCNN's wrapper around its additive coupling, with its defaults."""
    library = importlib.import_module("memcnn")
    blocks = [library.InvertibleModuleWrapper(library.AdditiveCoupling(f, g)) for f, g in parts.pairs]
    return nn.Sequential(parts.stem, *blocks, GlobalPooling(), parts.head)


def revlib(parts: Parts) -> nn.Module:
    """revlib's sequence of F, G, F, G, ..., with its defaults: its `autograd_function` memory mode."""
    library = importlib.import_module("revlib")
    return nn.Sequential(parts.stem, library.ReversibleSequential(*parts.functions), GlobalPooling(), parts.head)


def ours(parts: Parts, slice_bytes: int | None = None, ordinary: bool = False) -> nn.Module:
    """This project's sequence; with `ordinary`, F and G are modules that it knows nothing of."""
    pairs = [(nn.Sequential(*f), nn.Sequential(*g)) if ordinary else (f, g) for f, g in parts.pairs]
    blocks = [ReversibleBlock(f, g, slice_bytes) for f, g in pairs]
    return ReversibleSequential(parts.stem, *blocks, GlobalPooling(), parts.head)


PLAIN = "plain autograd"  # what the others are compared with

METHODS = {
    PLAIN: Method(None, Coupled),
    "checkpoint, each block": Method(None, lambda parts: Coupled(parts, checkpointed=True)),
    "MemCNN": Method("memcnn", memcnn),
    "revlib": Method("revlib", revlib),
    "bench: any F and G": Method(None, lambda parts: ours(parts, ordinary=True)),
    "bench: streamed, whole batch, held": Method(None, lambda parts: ours(parts, WHOLE_BATCH), hold=True),
    "bench: streamed, sliced, held": Method(None, ours, hold=True),
    "bench: streamed, sliced": Method(None, ours),
}


def network(method: Method, channels: int, blocks: int) -> tuple[nn.Module, Parts]:
    """The method's network, and the parts that it is made of, in whose order gradients are compared."""
    parts = Parts(channels, blocks, method.hold)
    return method.build(parts), parts
