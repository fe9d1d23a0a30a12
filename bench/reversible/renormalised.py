"""Batch normalisation with another inverse: the one of the paper's authors, kept to tell its error from rounding."""

import torch
from torch import Tensor

from bench.reversible.batch_norm import InvertibleBatchNorm2d, Statistics
from bench.reversible.layer import Gradients, InvertibleLayer, State, Wanted, channel_slices, per_channel


class RenormalisedBatchNorm2d(InvertibleLayer):
    """`InvertibleBatchNorm2d` whose inverse re-normalises the output and multiplies by the unbiased deviation.

    x = sign(w) (y - mean(y)) / sqrt(var(y)) s + mean(x), where mean(y) and var(y) are taken anew from the output that
    is given and s^2 = var(x) n / (n - 1) with n values a channel. The forward pass divides by the deviation without
    that factor, so the restored input is off by 1 / (2 n), which is no rounding: 109 dB for 128 images of 32x32, 73 dB
    for two. In evaluation it is the ordinary inverse. It needs the whole batch at once, and a copy while retracing.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1, gamma_eps: float = 0.0) -> None:
        super().__init__()
        self.norm = InvertibleBatchNorm2d(channels, eps, momentum, gamma_eps)

    def differentiable(self, state: State) -> State:
        return self.norm.differentiable(state)

    def trace(self, state: State) -> Statistics:
        return self.norm.trace(state)

    def replay(self, state: State, memo: Statistics) -> None:
        self.norm.replay(state, memo)

    def undo(self, state: State, memo: Statistics) -> None:
        if not memo.of_batch:
            self.norm.undo(state, memo)
            return
        sign = torch.sign(self.norm.scale().detach())
        variance = (memo.inverse_deviation.double() ** -2 - self.norm.eps).clamp_(min=0)
        for part, channels in zip(state, channel_slices(state), strict=True):
            count = per_channel(part)
            deviation = (variance[channels] * (count / max(count - 1, 1))).sqrt().to(part.dtype)
            variance_y, mean_y = torch.var_mean(part, (0, 2, 3), correction=0)
            # A channel without any variation has no direction to restore: it becomes its mean.
            factor = sign[channels] * deviation * variance_y.clamp(min=torch.finfo(part.dtype).tiny).rsqrt()
            part.sub_(_spread(mean_y)).mul_(_spread(factor)).add_(_spread(memo.mean[channels]))

    def retrace(self, state: State, grad: State, memo: Statistics, wanted: Wanted) -> Gradients:
        output = [part.clone() for part in state]
        gradients = self.norm.retrace(output, grad, memo, wanted)
        self.undo(state, memo)
        return gradients

    def latest(self) -> Statistics:
        return self.norm.latest()


def _spread(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)
