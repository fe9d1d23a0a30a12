"""The formulas of section 4.1 against each other and against measurement, within 5 %."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.numerics import layer_noise, sign_flips, theory
from bench.numerics.coupling import singular_values
from bench.reversible import InvertibleConv2d

POSITIVE = st.floats(1e-3, 1e3)


@given(POSITIVE)
def test_the_toy_layer_is_a_case_of_every_general_formula(rho):
    scale = torch.tensor([1.0, rho], dtype=torch.float64)
    zero, one = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    expected = theory.toy_batch_norm(rho)
    assert theory.batch_norm(zero, one, scale, zero) == pytest.approx(expected, rel=1e-9)
    assert theory.linear(scale) == pytest.approx(expected, rel=1e-9)


@given(POSITIVE)
def test_leaky_relu_is_the_same_for_a_slope_and_its_inverse_and_best_at_one(slope):
    assert theory.leaky_relu(slope) == pytest.approx(theory.leaky_relu(1 / slope), rel=1e-9)
    assert theory.leaky_relu(slope) <= theory.leaky_relu(1.0) == 1.0


@given(st.lists(POSITIVE, min_size=2, max_size=8), POSITIVE)
def test_eps_i_never_makes_a_positive_gamma_worse(gammas, eps_i):
    gamma = torch.tensor(gammas, dtype=torch.float64)
    assert theory.linear(theory.bounded_scale(gamma, eps_i)) >= theory.linear(gamma) * (1 - 1e-9)


def test_eps_counts_as_part_of_the_deviation():
    """Variance, scale, shift and eps 1: powers of 1 and, at the output, 1/2 + 1; the inverse doubles the noise's."""
    zero, one = torch.zeros(1).double(), torch.ones(1).double()
    assert theory.batch_norm(zero, one, one, one, eps=1.0) == pytest.approx(1 / (1.5 * 2))


@pytest.mark.parametrize("rows", [layer_noise.toy_batch_norm, layer_noise.any_batch_norm, layer_noise.leaky_relu])
def test_figures_6_and_7_are_within_five_percent(rows):
    errors = [abs(row["relative_error"]) for row in rows(1, 7)]
    assert max(errors) < 0.05, errors


def test_figure_6_right_has_three_layers_for_each_ratio():
    rows = layer_noise.any_batch_norm(1, 2)
    assert [row["layer"] for row in rows] == [1, 2, 3] * 2
    assert len({row["alpha_theory"] for row in rows}) == 6


def test_with_sign_flips_theory_holds_at_any_noise_and_without_it_does_not():
    rows = layer_noise.noise_near_signal(1, 7)
    assert max(abs(row["flips_relative_error"]) for row in rows) < 0.05
    flipped = [row for row in rows if row["layer"] == "leaky ReLU"]
    assert max(abs(row["relative_error"]) for row in flipped) > 0.5
    assert max(abs(row["relative_error"]) for row in rows if row["layer"] == "batch norm") < 0.05


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 1.0))
def test_sign_flips_vanish_with_the_noise(slope):
    assert sign_flips.leaky_relu(slope, 1e-6) == pytest.approx(theory.leaky_relu(slope), rel=1e-3)


def test_the_coupling_keeps_volume_and_its_noise_is_not_negligible():
    torch.manual_seed(0)
    for gain in (0.25, 1.0):
        values = singular_values(InvertibleConv2d(4, gain=gain).double(), side=6)
        assert values.log().sum().abs() < 1e-8
    for row in layer_noise.coupling_convolution(1):
        assert abs(row["relative_error"]) < 0.05
    assert theory.decibel(theory.coupling(1.0)) == pytest.approx(-20 * math.log10(2.5))
    assert theory.decibel(theory.coupling(1.0)) < -7


def test_the_closed_form_is_that_of_wide_layers_far_from_the_border():
    torch.manual_seed(0)
    values = singular_values(InvertibleConv2d(64, kernel_size=1, gain=0.7).double(), side=1)
    assert theory.linear(values) == pytest.approx(theory.coupling(0.7), rel=0.15)
