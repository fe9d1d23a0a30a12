"""Lookahead: the weights against a plain account of the same average, and where it does nothing."""

import torch
from torch import nn

from bench.training.lookahead import Lookahead
from bench.training.recipe import Recipe


def recipe(**changes):
    return Recipe(**{"epochs": 1, "batch_size": 8, "peak_learning_rate": 0.1, **changes})


def test_weights_are_drawn_to_the_slow_average_every_few_steps_and_at_the_end():
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    steps = 12
    lookahead = Lookahead(model, recipe(lookahead=5, lookahead_decay=0.9), steps)
    slow = model.weight.detach().clone()
    for step in range(steps):
        with torch.no_grad():
            model.weight += torch.randn(2, 3)
        reached = model.weight.detach().clone()
        lookahead.after(step)
        if step in (4, 9, 11):
            kept = 0.9**5 * ((step + 1) / steps) ** 3
            slow = kept * slow + (1 - kept) * reached
            assert torch.allclose(model.weight, slow, atol=1e-6)
        else:
            assert torch.equal(model.weight, reached)


def test_running_statistics_follow_and_counters_do_not():
    model = nn.BatchNorm2d(4)
    lookahead = Lookahead(model, recipe(lookahead=1, lookahead_decay=0.5), 1)
    model.running_mean += 2
    model.num_batches_tracked += 3
    lookahead.after(0)
    assert model.running_mean.tolist() == [1.0] * 4 and model.num_batches_tracked == 3


def test_switched_off_it_keeps_no_copy_and_changes_nothing():
    model = nn.Linear(3, 2)
    lookahead = Lookahead(model, recipe(), 10)
    before = model.weight.detach().clone()
    lookahead.after(9)
    assert lookahead.state_dict() == [] and torch.equal(model.weight, before)
