"""What the cost model counts as kept, where no neighbouring layer keeps the same tensor."""

from torch import nn

from bench.memory.cost_model import pixel_cost
from bench.reversible import InvertibleConv2d, ReversibleSequential


def test_a_stored_coupling_keeps_the_inputs_of_both_its_convolutions():
    layers = [nn.Conv2d(3, 8, 3, padding=1), InvertibleConv2d(8)]
    assert pixel_cost(ReversibleSequential(*layers, reconstruction="ideal"), image_size=16).state == 8 * 4


def test_a_state_in_16_bits_costs_half():
    cost = pixel_cost("streamed-int16", reconstruction="exact", initial_channels=8, depths=(1, 1))
    assert (cost.state, cost.hidden, cost.gradient) == (8 * 2, 0, 8 * 2)
