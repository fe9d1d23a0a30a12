"""Watching the engine at work: which layer runs when, and what its activations are.

    with observing(network, observer):
        loss(network(images)).backward()

`observer.starts(work)` and `observer.ends(work)` are called around the work of every invertible layer of `network`,
blocks and the layers inside their F and G included; a `Work` says which layer, what it does, and to which images.
Containers (`InvertibleChain`, `ReversibleSequential`) and ordinary modules are not told. A network that nobody
observes pays one attribute look-up for each work.

The contract, for one step of a network in noisy reconstruction:

- "forward": `work.state` is the layer's input when it starts and its output when it ends. `work.grad` is None.
- "retrace": `work.state` is the layer's output as it was reconstructed, and `work.grad` its gradient, when it starts;
  the reconstructed input and its gradient when it ends.
- "replay": the forward map once more, in the backward pass, from statistics that are known.
- The forward works of one layer call cover its batch once, and so do its retrace works; each is of the images
  `work.images`, either the whole batch at once or slices, in rising order. Between the slices of one layer those of
  others may come. There may be any number of replays.
- Works nest: those of the layers inside a block come between the block's own start and end. They never overlap
  otherwise.
- A layer inside F or G may be retraced from an output that was computed anew, not from the input that the layer above
  it restored: what is reconstructed is what the work says, layer by layer.
- A batch pooling's `images` count its state's batch when it starts.

In ideal reconstruction, and when no gradient is recorded, there are forward works only; in the former the tensors are
those that autograd follows. State and gradient are lists of channel parts, which the engine overwrites: an observer
copies what it wants to keep (`join(work.state)` of one part is no copy) and changes nothing.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Protocol

from torch import nn

from bench.reversible.layer import InvertibleLayer, State

Kind = Literal["forward", "retrace", "replay"]


class Work(NamedTuple):
    """One layer at work. `state` and `grad` are lists that are changed by it: read them in `starts` and in `ends`."""

    kind: Kind
    layer: InvertibleLayer
    state: State
    grad: State | None
    images: slice  # of the layer's batch


class Observer(Protocol):
    """Who is told. Both calls come from the thread that runs the layer: autograd's own, in the backward pass."""

    def starts(self, work: Work) -> None: ...

    def ends(self, work: Work) -> None: ...


@contextlib.contextmanager
def observing(network: nn.Module, observer: Observer) -> Iterator[None]:
    """Tell `observer` of every invertible layer's work in `network` while entered; one observer at a time."""
    layers = [module for module in network.modules() if isinstance(module, InvertibleLayer)]
    if any(layer.observer is not None for layer in layers):
        raise RuntimeError("The network is observed already; leave the one `observing` before entering another.")
    for layer in layers:
        layer.__dict__["observer"] = observer  # not by assignment, which would take a module for a part of the layer
    try:
        yield
    finally:
        for layer in layers:
            del layer.__dict__["observer"]


_UNOBSERVED = contextlib.nullcontext()


def working(
    kind: Kind, layer: Any, state: State, grad: State | None = None, images: slice | None = None
) -> contextlib.AbstractContextManager[None]:
    """Around a layer's work: tells its observer, if it has one. `images`: the whole batch, unless said."""
    if layer.observer is None:
        return _UNOBSERVED
    return _told(layer.observer, Work(kind, layer, state, grad, images or slice(0, state[0].shape[0])))


@contextlib.contextmanager
def _told(observer: Observer, work: Work) -> Iterator[None]:
    observer.starts(work)
    yield
    observer.ends(work)
