"""Invertible batch normalisation (eq. 14), with the lower bound on its scale of eq. 23.

In the paper's equations one symbol stands for mean, variance and deviation; read
y = w (x - mean) / sqrt(var + eps) + beta, where w = gamma, or |gamma + eps_i| when eps_i (`gamma_eps`) is set.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from bench.reversible.channelwise import add_scaled, channel_sum, scale_and_shift, weighted_sums
from bench.reversible.layer import Gradients, InvertibleLayer, State, Wanted, channel_slices


class Statistics(NamedTuple):
    """What the inverse needs to know of one forward pass: two numbers a channel."""

    mean: Tensor  # (C,)
    inverse_deviation: Tensor  # (C,), 1 / sqrt(var + eps)
    of_batch: bool  # whether they depend on the batch (training), so that the gradient must account for it


class InvertibleBatchNorm2d(InvertibleLayer):
    """Batch normalisation over (N, H, W) whose input is restored from its output and two numbers a channel.

    In training it uses and keeps the batch's statistics and updates the running ones once a forward pass; in
    evaluation it uses the running ones. `gamma_eps` is eq. 23's eps_i: the scale is then |gamma + gamma_eps|.
    """

    from_output = True

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1, gamma_eps: float = 0.0) -> None:
        super().__init__()
        self.channels, self.eps, self.momentum, self.gamma_eps = channels, eps, momentum, gamma_eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self._latest: Statistics | None = None

    def extra_repr(self) -> str:
        return f"{self.channels}, eps={self.eps}, momentum={self.momentum}, gamma_eps={self.gamma_eps}"

    def scale(self) -> Tensor:
        """w of the module's docstring, shape (C,)."""
        return (self.weight + self.gamma_eps).abs() if self.gamma_eps else self.weight

    def differentiable(self, state: State) -> State:
        outputs, means, deviations, scale = [], [], [], self.scale()
        for part, channels in zip(state, channel_slices(state), strict=True):
            output, mean, inverse_deviation = torch.native_batch_norm(
                part,
                scale[channels],
                self.bias[channels],
                self.running_mean[channels],
                self.running_var[channels],
                self.training,
                self.momentum,
                self.eps,
            )
            outputs.append(output)
            means.append(mean.detach())
            deviations.append(inverse_deviation.detach())
        if self.training:
            self._latest = Statistics(torch.cat(means), torch.cat(deviations), True)
        return outputs

    def trace(self, state: State) -> Statistics:
        memo = self._batch_statistics(state) if self.training else self._running_statistics()
        self.replay(state, memo)
        return memo

    def replay(self, state: State, memo: Statistics) -> None:
        factor = self.scale().detach() * memo.inverse_deviation
        _scale_and_shift(state, factor, self.bias.detach() - memo.mean * factor)

    def undo(self, state: State, memo: Statistics) -> None:
        factor = 1 / (self.scale().detach() * memo.inverse_deviation)
        _scale_and_shift(state, factor, memo.mean - self.bias.detach() * factor)

    def retrace(self, state: State, grad: State, memo: Statistics, wanted: Wanted) -> Gradients:
        scale, bias = self.scale().detach(), self.bias.detach()
        sum_g, sum_gx = self._gradient_sums(state, grad, scale, bias)
        # gx = w r (g - mean(g) - xn mean(g xn)) with xn = (y - beta) / w and r the inverse deviation, written as
        # g A + y B + C so that it is computed in place; outside training the two means are absent.
        a = scale * memo.inverse_deviation
        if memo.of_batch:
            count = grad[0].numel() // grad[0].shape[1]
            b = -memo.inverse_deviation * sum_gx / count
            c = -a * sum_g / count - bias * b
            _scale_and_shift(grad, a, c)
            for y, g, channels in zip(state, grad, channel_slices(state), strict=True):
                add_scaled(g, y, b[channels])
        else:
            _scale_and_shift(grad, a, torch.zeros_like(a))
        self.undo(state, memo)
        gradients: Gradients = {}
        if wanted(self.weight):
            gradients[self.weight] = (
                sum_gx * torch.sign(self.weight.detach() + self.gamma_eps) if self.gamma_eps else sum_gx
            )
        if wanted(self.bias):
            gradients[self.bias] = sum_g
        return gradients

    def latest(self) -> Statistics:
        if not self.training:
            return self._running_statistics()
        if self._latest is None:
            raise RuntimeError(
                "Batch normalisation in training inverts its latest forward pass, and there was none yet."
            )
        return self._latest

    def _running_statistics(self) -> Statistics:
        return Statistics(self.running_mean.clone(), torch.rsqrt(self.running_var + self.eps), False)

    def _batch_statistics(self, state: State) -> Statistics:
        count = state[0].numel() // state[0].shape[1]
        mean = torch.cat([channel_sum(part) for part in state]) / count
        # sum x (x - mean) = n var: one pass with no temporary, where `torch.var` on a CPU takes many times as long.
        squares = [
            weighted_sums(part, part, mean[channels], torch.ones_like(mean[channels]))[1]
            for part, channels in zip(state, channel_slices(state), strict=True)
        ]
        variance = torch.cat(squares).clamp_(min=0) / count
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        unbiased = variance * (count / max(count - 1, 1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
        self._latest = Statistics(mean, torch.rsqrt(variance + self.eps), True)
        return self._latest

    def _gradient_sums(self, state: State, grad: State, scale: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """(sum g, sum g xn) over (N, H, W), each (C,), with xn = (y - beta) / w."""
        sums = [
            weighted_sums(g, y, bias[channels], 1 / scale[channels])
            for y, g, channels in zip(state, grad, channel_slices(state), strict=True)
        ]
        return torch.cat([sum_g for sum_g, _ in sums]), torch.cat([sum_gx for _, sum_gx in sums])


def _scale_and_shift(state: State, factor: Tensor, shift: Tensor) -> None:
    """x <- x factor + shift for every channel of the state, in place."""
    for part, channels in zip(state, channel_slices(state), strict=True):
        scale_and_shift(part, factor[channels], shift[channels])
