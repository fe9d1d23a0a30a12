"""The timeline of a step: its peak is the tracker's, its categories the cost model's, its places the layers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench import configuration
from bench.__main__ import main
from bench.architectures import build
from bench.memory import timeline_command
from bench.memory.at_work import AtWork
from bench.memory.cost_model import pixel_cost
from bench.memory.peak import make_optimizer, random_batch, track_step, training_step
from bench.memory.timeline import SHOWN, Stretch, timeline
from tests.gpu import needs_gpu

BATCH, SIDE = 128, 16  # enough that a few thousand bytes a channel are nothing a pixel
PIXELS = BATCH * SIDE**2
CONFIG = configuration.FOLDER / "smoke.yaml"


def step_of(model: nn.Module, channels: int = 3) -> tuple:
    images, labels = random_batch(BATCH, SIDE, channels, 10, "cpu")
    optimizer = make_optimizer(model.train())
    training_step(model, optimizer, images, labels)
    optimizer.zero_grad(set_to_none=True)
    return model, optimizer, images, labels


def stretches_of(name: str, reconstruction: str) -> tuple[nn.Module, list[Stretch]]:
    torch.manual_seed(0)
    model = build(name, reconstruction, initial_channels=8, depths=(1, 1))
    return model, timeline(*step_of(model))


def held(stretch: Stretch, category: str) -> float:
    """Bytes per pixel of a category when the stretch held most."""
    return stretch.peak[SHOWN.index(category)] / PIXELS


@pytest.mark.parametrize(
    ("name", "reconstruction"),
    [("resnet18", "ideal"), ("checkpointing", "ideal"), ("revnet", "noisy"), ("hybrid", "noisy")],
)
def test_the_peak_is_that_of_the_plain_tracker(name, reconstruction):
    model, stretches = stretches_of(name, reconstruction)
    step = step_of(model)
    model.zero_grad(set_to_none=True)
    assert max(sum(stretch.peak) for stretch in stretches) == track_step(*step).peak_bytes
    assert stretches[0].phase == ""  # what was there before the step
    assert stretches[-1].phase == "optimizer"
    assert all(value >= 0 for stretch in stretches for value in (*stretch.peak, *stretch.end))


def test_the_places_of_a_plain_network_go_forward_and_back():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()), nn.Flatten(), nn.LazyLinear(10)
    )
    model(torch.zeros(2, 3, SIDE, SIDE))
    stretches = timeline(*step_of(model))
    places = {
        phase: list(dict.fromkeys(stretch.place for stretch in stretches if stretch.phase == phase and stretch.place))
        for phase in ("forward", "backward")
    }
    assert places["forward"] == ["0", "1.0", "1.1", "2", "3"]  # flattening what is channels last is a copy
    assert places["backward"] == ["3", "1.1", "1.0", "0"]


def test_categories_of_a_layerwise_network_are_the_theorys():
    model, stretches = stretches_of("layerwise", "noisy")
    cost = pixel_cost(model, image_size=SIDE)
    retraced = [s for s in stretches if s.phase == "backward" and s.place in ("3", "4", "5")]
    assert retraced
    for stretch in retraced:
        assert cost.state <= held(stretch, "state") < cost.state + 0.5  # and each channel's two numbers
        assert cost.gradient <= held(stretch, "activation gradients") < 1.02 * cost.gradient + 0.5
        assert held(stretch, "hidden") < 1
        assert held(stretch, "input") == cost.image + 8 / SIDE**2
    convolution = max((s for s in retraced if s.place == "3"), key=lambda s: sum(s.peak))
    assert held(convolution, "temporaries") > 0  # slices


def test_what_a_block_recomputes_is_hidden_and_told_by_its_layers():
    _, stretches = stretches_of("revnet", "noisy")
    inside = [s for s in stretches if s.phase == "backward" and s.place.startswith("2.f.")]
    assert {s.place for s in inside} >= {"2.f.0", "2.f.1", "2.f.3", "2.f.4"}
    assert any("convolution_backward" in s.operator for s in inside)
    # Recomputed inputs of convolutions and norms but the first, and the last one's output: four halves of a state.
    assert max(held(s, "hidden") for s in inside) == pytest.approx(4 * 16, abs=1)


def test_a_stored_network_holds_state_only_when_its_forward_pass_is_over():
    model, stretches = stretches_of("resnet18", "ideal")
    last = [s for s in stretches if s.phase == "forward"][-1]
    cost = pixel_cost(model, image_size=SIDE)
    # Beyond theory: the last activation, which no layer stores as its input.
    assert cost.state <= last.end[SHOWN.index("state")] / PIXELS <= cost.state + 4 * 16 / 4 + 1
    assert last.end[SHOWN.index("hidden")] == last.end[SHOWN.index("temporaries")] == 0


def test_watching_leaves_no_hook_behind():
    model, _ = stretches_of("hybrid", "noisy")
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    with AtWork(model).entered():
        pass
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


class Places(TorchDispatchMode):
    """Who is at work at each operation, in order."""

    def __init__(self, work: AtWork) -> None:
        super().__init__()
        self.work, self.found = work, []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.found.append(self.work.name())
        return function(*args, **(kwargs or {}))


def places_of(backward: Callable[[Callable[[], object]], None]) -> list[str]:
    """Who is at work in a step of a RevNet whose backward pass is started by `backward`."""
    torch.manual_seed(0)
    model = build("revnet", "noisy", initial_channels=8, depths=(1, 1))
    work = AtWork(model)
    with work.entered():
        loss = model(torch.ones(2, 3, 8, 8)).sum()

        def pull_back() -> None:
            with places:
                loss.backward()

        places = Places(work)
        backward(pull_back)
    return places.found


def test_places_are_the_same_where_the_backward_pass_has_a_thread_of_its_own():
    """As on a GPU: that thread counts the nodes that it makes from 0, as the forward pass does in a fresh process."""
    with ThreadPoolExecutor(1) as fresh, ThreadPoolExecutor(1) as thread:
        apart = fresh.submit(places_of, lambda pull_back: thread.submit(pull_back).result()).result()
    assert apart == places_of(lambda pull_back: pull_back())
    assert {"2.f.0", "2.g.0"} < set(apart)


def test_networks_are_watched_with_what_exact_reconstruction_needs_on_a_gpu(monkeypatch, tmp_path):
    wanted = []

    def watched(config, name, reconstruction, device):
        wanted.append((reconstruction == "exact", torch.backends.cudnn.deterministic))
        return {"name": name}

    monkeypatch.setattr(timeline_command, "network_timeline", watched)
    monkeypatch.setattr(timeline_command, "block_timeline", lambda config, device: {"name": "block"})
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    words = ["timeline", "--config", str(CONFIG), "--device", "cpu", "--output", str(tmp_path / "timeline.json")]
    assert main(words) == 0
    assert {exact for exact, _ in wanted} == {True, False}
    assert all(exact == deterministic for exact, deterministic in wanted)


@needs_gpu
@pytest.mark.parametrize("step", ["timeline", "measure"])
def test_on_a_gpu_every_network_is_watched_and_measured(step, tmp_path):
    words = [step, "--config", str(CONFIG), "--device", "cuda"]
    if step == "measure":
        assert main([*words, "--architecture", "streamed-int16", "--output", str(tmp_path)]) == 0
    else:
        assert main([*words, "--output", str(tmp_path / "timeline.json")]) == 0
