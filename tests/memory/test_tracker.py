"""`LiveBytes` against counts made by hand, and against torch's own memory tracker."""

import pytest
import torch
from torch import nn
from torch.distributed._tools.mem_tracker import MemTracker
from torch.nn import functional

from bench.memory.peak import make_optimizer, random_batch, track_step, training_step
from bench.memory.tracker import ACTIVATIONS, GRADIENTS, INPUT, OPTIMIZER, WEIGHTS, LiveBytes


def test_storages_are_counted_from_birth_to_death():
    with LiveBytes() as live:
        first = torch.zeros(100)
        assert live.live_bytes == 400
        second = first + 1
        assert live.live_bytes == 800
        del first
        assert live.live_bytes == 400
        del second
        assert live.live_bytes == 0
    assert live.peak_bytes == 800
    assert [event.change for event in live.events] == [400, 400, -400, -400]


def test_views_and_expanded_tensors_share_their_storage():
    with LiveBytes() as live:
        whole = torch.zeros(10, 10)
        views = [whole.t(), whole.view(-1), whole[2:4], whole.detach(), whole.chunk(2, dim=1)]
        assert live.live_bytes == 400
        del whole
        assert live.live_bytes == 400
        del views
        assert live.live_bytes == 0
        expanded = torch.zeros(1).expand(1000)
        assert expanded.stride() == (0,)
        assert live.live_bytes == 4


def test_operators_in_place_hold_nothing_more():
    with LiveBytes() as live:
        values = torch.zeros(100)
        values.add_(1).mul_(2).relu_()
        torch.add(values, values, out=values)
    assert live.peak_bytes == 400


def test_resized_storages_are_followed():
    with LiveBytes() as live:
        values = torch.zeros(100)
        values.resize_(300)
        assert live.live_bytes == 1200
        values.untyped_storage().resize_(0)  # no operator: noticed at the latest before a new peak is taken
        other = torch.zeros(250)
        assert live.peak_bytes == 1200
        larger = torch.zeros(100)
        assert live.live_bytes == live.peak_bytes == 1400
        assert len(other) + len(larger) == 350


def test_a_storage_registered_late_counts_in_its_category_from_birth():
    with LiveBytes() as live:
        gradient = torch.zeros(100)
        temporary = torch.zeros(50)
        assert live.peak_categories()[ACTIVATIONS] == 600
        live.register([gradient], GRADIENTS)
        del temporary
    assert live.peak_categories()[GRADIENTS] == 400
    assert live.peak_categories()[ACTIVATIONS] == 200
    assert live.most_of([ACTIVATIONS]) == 200
    assert live.peak_event().operator == "aten.zeros.default"


def test_storages_of_other_devices_are_not_counted():
    with LiveBytes("meta") as live:
        host = torch.zeros(100)
        device = torch.zeros(50, device="meta")
        live.register([host], WEIGHTS)
    assert live.peak_bytes == device.untyped_storage().nbytes() == 200


def test_frees_after_the_end_are_not_counted():
    with LiveBytes() as live:
        values = torch.zeros(100)
    del values
    assert live.live_bytes == 400
    assert len(live.events) == 1


class _Square(torch.autograd.Function):
    """Its backward takes a temporary of its own."""

    @staticmethod
    def forward(ctx, values):
        ctx.save_for_backward(values)
        return values * values

    @staticmethod
    def backward(ctx, gradient):
        (values,) = ctx.saved_tensors
        temporary = values * 2
        return temporary * gradient


def test_backward_of_a_custom_function_is_seen():
    values = torch.ones(100, requires_grad=True)
    with LiveBytes() as live:
        live.register([values], INPUT)
        result = _Square.apply(values)
        live.phase = "backward"
        result.backward(torch.ones(()).expand(100))
        live.register([values.grad], GRADIENTS)
    # At the end of backward: values, result, the scalar, the temporary, and its product, which becomes the gradient.
    assert live.peak_bytes == 400 + 400 + 4 + 400 + 400
    assert live.peak_categories()[GRADIENTS] == 400
    assert live.peak_event().phase == "backward"


def test_a_linear_layer_by_hand():
    """Batch 8, 5 -> 3 features. The peak is in the backward of the log-softmax."""
    model = nn.Linear(5, 3, bias=False)
    images, labels = torch.randn(8, 5), torch.randint(3, (8,))
    optimizer = make_optimizer(model)
    training_step(model, optimizer, images, labels)
    optimizer.zero_grad(set_to_none=True)
    live = track_step(model, optimizer, images, labels)
    categories = live.peak_categories()
    assert categories[WEIGHTS] == categories[OPTIMIZER] == 3 * 5 * 4
    assert categories[INPUT] == 8 * 5 * 4 + 8 * 8
    # Deepest in backward: log-softmax's output, the gradients with respect to it and to its input; the loss and the
    # gradient that backward starts from, one number each, live until it ends.
    log_probabilities = 8 * 3 * 4
    assert categories[ACTIVATIONS] == 3 * log_probabilities + 4 + 4
    assert live.peak_bytes == sum(categories.values())


def _chain(channels: int) -> nn.Module:
    units = [
        layer
        for index in range(3)
        for layer in (
            nn.Conv2d(3 if index == 0 else channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=index == 1),
        )
    ]
    return nn.Sequential(*units, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


class _Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.inner(values) + values)


def _residual_chain() -> nn.Module:
    def unit() -> nn.Module:
        return _Residual(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1)))

    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), unit(), unit(), nn.Flatten(), nn.Linear(8 * 8 * 8, 10))


@pytest.mark.parametrize("make", [lambda: _chain(4), _residual_chain])
def test_the_peak_equals_that_of_torchs_own_tracker(make):
    model = make().train()
    images, labels = random_batch(6, 8, in_channels=3, classes=10, device="cpu")
    optimizer = make_optimizer(model)
    training_step(model, optimizer, images, labels)
    optimizer.zero_grad(set_to_none=True)
    live = track_step(model, optimizer, images, labels)
    optimizer.zero_grad(set_to_none=True)
    reference = MemTracker()
    reference.track_external(model, optimizer, images, labels)
    with reference:
        loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
    snapshot = reference.get_tracker_snapshot("peak")[torch.device("cpu")]
    assert live.peak_bytes == snapshot["Total"]
