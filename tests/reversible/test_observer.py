"""What an observer is told: every layer's input forward, its reconstruction backward, slice by slice or at once."""

import copy

import pytest
import torch

from bench.reversible import InvertibleChain, InvertibleLayer, ReversibleSequential, observing
from tests.reversible.networks import (
    all_gradients,
    hybrid_block,
    images,
    ordinary_block,
    randomise,
    relative_error,
    unit,
)


class Recorder:
    """Keeps every layer's input and output, forward and retraced, put together from slices."""

    def __init__(self):
        self.parts = {}  # (kind, "input" or "output", layer) -> [(images, whole state or gradient)]
        self.gradients = {}
        self.open = []
        self.kinds = set()

    def starts(self, work):
        self.kinds.add(work.kind)
        self.open.append((work.kind, work.layer))
        self._keep(work, "output" if work.kind == "retrace" else "input")

    def ends(self, work):
        assert self.open.pop() == (work.kind, work.layer)
        self._keep(work, "input" if work.kind == "retrace" else "output")
        if work.kind == "retrace":
            self.gradients.setdefault(work.layer, []).append((work.images, torch.cat(work.grad, 1).clone()))

    def _keep(self, work, what):
        if work.kind != "replay":
            whole = torch.cat([part.detach() for part in work.state], 1).clone()
            self.parts.setdefault((work.kind, what, work.layer), []).append((work.images, whole))

    def whole(self, kind, what, layer):
        return _joined(self.parts[kind, what, layer])


def _joined(parts):
    assert [images.start for images, _ in parts] == [0, *(images.stop for images, _ in parts[:-1])]
    return torch.cat([part for _, part in parts])


def layers_of(network):
    modules = [module for module in network.modules() if isinstance(module, InvertibleLayer)]
    return [module for module in modules if not isinstance(module, InvertibleChain)]


def test_every_layers_reconstruction_is_told(network, x):
    recorder = Recorder()
    with observing(network, recorder):
        network(x).square().sum().backward()
    assert not recorder.open
    for layer in layers_of(network):
        for what in ("input", "output"):
            true, restored = (recorder.whole(kind, what, layer) for kind in ("forward", "retrace"))
            assert relative_error(restored, true) < 1e-9


def test_the_gradient_told_is_that_of_the_layers_input():
    torch.manual_seed(0)
    network = randomise(ReversibleSequential(*unit(8), hybrid_block(8), ordinary_block(8)).double(), 0)
    x = images(2, 4, 8, 4, 4).requires_grad_()
    recorder = Recorder()
    with observing(network, recorder):
        network(x).square().sum().backward()
    assert torch.equal(_joined(recorder.gradients[network[0]]), x.grad)


def test_stored_activations_are_told_in_the_forward_pass_only(network, x):
    network.reconstruction = "ideal"
    recorder = Recorder()
    with observing(network, recorder):
        network(x).square().sum().backward()
    assert recorder.kinds == {"forward"}
    assert {layer for _, _, layer in recorder.parts} == set(layers_of(network))


def test_observing_changes_nothing_and_ends(network, x):
    twin = copy.deepcopy(network)
    with observing(network, Recorder()):
        network(x).square().sum().backward()
        with pytest.raises(RuntimeError, match="observed already"), observing(network, Recorder()):
            pass
    twin(x).square().sum().backward()
    assert torch.equal(all_gradients(network), all_gradients(twin))
    assert all(layer.observer is None for layer in layers_of(network))
