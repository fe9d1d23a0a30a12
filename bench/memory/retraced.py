"""What a `ReversibleSequential` holds: one rule for each kind of layer, in each reconstruction.

Noisy and exact: a run of invertible layers keeps its output (the state). In the backward pass it holds the state, the
state's gradient and what the layer in work needs besides (`hidden`). Convolutions and poolings work slice by slice, so
their temporaries do not grow with the batch: they count nothing per pixel. Exactness costs nothing: the grid's digits
are the state's own, and checksums do not grow with the batch.

Ideal: every layer keeps what ordinary autograd stores for it: a coupling the inputs of its two convolutions, batch
norm its input, the activation its output.

Ordinary modules between invertible ones (stem, down-sampling, head) store their inputs in either reconstruction.
"""

from collections.abc import Iterable
from functools import singledispatch

import torch
from torch import Tensor, nn

from bench.memory.trace import Entry, Trace, last_gradient, size, storage_bytes
from bench.reversible import (
    BatchPooling,
    ChannelPooling,
    InvertibleChain,
    InvertibleConv2d,
    InvertibleLayer,
    InvertibleLeakyReLU,
    ReversibleBlock,
    ReversibleSequential,
)
from bench.reversible.branch import branch
from bench.reversible.layer import join

State = list[Tensor]


def sequence(trace: Trace, module: ReversibleSequential, x: Tensor) -> Tensor:
    """Pass `x` through the layers, noting each run of invertible layers as one entry and ordinary modules as usual."""
    layers = list(module)
    while layers:
        run: list[InvertibleLayer] = []
        while layers and isinstance(first := layers[0], InvertibleLayer):
            run.append(first)
            del layers[0]
        if run:
            if torch.is_autocast_enabled(x.device.type):
                x = x.float()  # as the sequence does itself
            x = _ideal_run(trace, run, x) if module.reconstruction == "ideal" else _retraced_run(trace, run, x)
        else:
            x = layers.pop(0)(x)
    return x


def _retraced_run(trace: Trace, run: list[InvertibleLayer], x: Tensor) -> Tensor:
    """One state kept, its gradient, and the layer that needs most besides (the local bottleneck of section 3.4)."""
    most, x = _most_hidden(run, trace, x)
    # A 16-bit state, and its gradient in bfloat16, are half of the float32 ones whose shape is followed here.
    kept = torch.empty_like(x, dtype=torch.int16) if run[0].is_stem else x
    trace.note(Entry((kept,), gradient=size(kept), hidden=most))
    return x


def _most_hidden(layers: Iterable[nn.Module], trace: Trace, x: Tensor) -> tuple[int, Tensor]:
    """(`hidden` of the layer that needs most, the output of all)."""
    most = 0
    for layer in layers:
        most = max(most, hidden(layer, trace, x))
        _, x = trace.inside(layer, x)
    return most, x


@singledispatch
def hidden(layer: nn.Module, trace: Trace, x: Tensor) -> int:
    """Bytes that retracing `layer` needs besides the state, which is like `x`, and the state's gradient.

    None: it writes its input over its output. Batch norm and activations do, and, slice by slice, convolutions and
    poolings.
    """
    return 0


@hidden.register
def _(layer: InvertibleChain, trace: Trace, x: Tensor) -> int:
    return _most_hidden(layer.layers, trace, x)[0]


@hidden.register
def _(layer: ReversibleBlock, trace: Trace, x: Tensor) -> int:
    """F and G are treated one after the other: the larger counts.

    In passes over slices of the batch (hybrid, section 4.2, and streamed): nothing with one batch norm in F, else one
    buffer of half a state (`bench.reversible.passes`). Ordinary (section 3.4): all that F stores (eq. 6), its input
    left out, which is part of the state, and the gradient inside it (eq. 9).
    """
    half = _half(x)
    needs = []
    for function in (layer.f, layer.g):
        buffers = branch(function).buffers
        if buffers is None:
            entries, _ = trace.inside(function, half)
            stored = storage_bytes((kept for entry in entries for kept in entry.kept), but=[half])
            needs.append(stored + last_gradient(entries))
        else:
            needs.append(buffers * size(half) + (hidden(function, trace, half) if buffers > 1 else 0))
    return max(needs)


def _ideal_run(trace: Trace, run: list[InvertibleLayer], x: Tensor) -> Tensor:
    parts = max(layer.parts for layer in run)
    state = [torch.empty_like(part) for part in x.chunk(parts, dim=1)]
    kept: list[Tensor] = []
    for layer in run:
        state = store(layer, trace, state, kept)
    x = join(state)
    trace.note(Entry(tuple(kept), gradient=size(x)))
    return x


@singledispatch
def store(layer: nn.Module, trace: Trace, state: State, kept: list[Tensor]) -> State:
    """Append to `kept` what autograd stores for `layer` applied to `state`; returns the state after it.

    This rule is batch norm's: the input is stored, and the output is new.
    """
    kept += state
    return [torch.empty_like(part) for part in state]


@store.register
def _(layer: InvertibleLeakyReLU, trace: Trace, state: State, kept: list[Tensor]) -> State:
    """Its input, which in place has become its output: half of that is a convolution's input and kept anyway."""
    kept += state
    return state if layer.inplace else [torch.empty_like(part) for part in state]


@store.register(ChannelPooling)
@store.register(BatchPooling)
def _(layer: ChannelPooling | BatchPooling, trace: Trace, state: State, kept: list[Tensor]) -> State:
    return [layer.arrange(part) for part in state]


@store.register
def _(layer: InvertibleConv2d, trace: Trace, state: State, kept: list[Tensor]) -> State:
    """The input of each of the two convolutions: the second half of x, and the first half of y."""
    middle = len(state) // 2
    output = [torch.empty_like(part) for part in state]
    kept += state[middle:] + output[:middle]
    return output


@store.register
def _(layer: InvertibleChain, trace: Trace, state: State, kept: list[Tensor]) -> State:
    for each in layer.layers:
        state = store(each, trace, state, kept)
    return state


@store.register
def _(layer: ReversibleBlock, trace: Trace, state: State, kept: list[Tensor]) -> State:
    """All that F stores of the second half of x, and G of the first half of y."""
    middle = len(state) // 2
    output = [torch.empty_like(part) for part in state]
    for function, source in ((layer.f, state[middle:]), (layer.g, output[:middle])):
        if isinstance(function, InvertibleLayer):
            store(function, trace, source, kept)
        else:
            entries, _ = trace.inside(function, source[0] if len(source) == 1 else torch.cat(source, dim=1))
            kept += [tensor for entry in entries for tensor in entry.kept]
    return output


def _half(x: Tensor) -> Tensor:
    """A new tensor like half of the channels of `x`."""
    return torch.empty_like(x[:, : x.shape[1] // 2])
