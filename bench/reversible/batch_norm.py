"""Invertible batch normalisation (eq. 14), with the lower bound on its scale of eq. 23.

In the paper's equations one symbol stands for mean, variance and deviation; read
y = w (x - mean) / sqrt(var + eps) + beta, where w = gamma, or |gamma + eps_i| when eps_i (`gamma_eps`) is set.
"""

import torch
from torch import Tensor, nn

from bench.reversible.channelwise import pull_back, scale_and_shift, weighted_sums
from bench.reversible.layer import Gradients, InvertibleLayer, State, Wanted, channel_slices, per_channel
from bench.reversible.moments import Moments
from bench.reversible.statistics import Statistics, counted, require_several, running_statistics


class InvertibleBatchNorm2d(InvertibleLayer):
    """Batch normalisation over (N, H, W) whose input is restored from its output and two numbers a channel.

    In training it uses and keeps the batch's statistics and updates the running ones once a forward pass; in
    evaluation it uses the running ones. `gamma_eps` is eq. 23's eps_i: the scale is then |gamma + gamma_eps|. Where a
    method of the engine takes a `slope`, it does the work of a leaky ReLU after it as well, whose output the state is.
    """

    from_output = True
    running_mean: Tensor
    running_var: Tensor

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
        self._require_channels(state)
        if self.training:
            require_several(per_channel(state[0]))
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

    def trace(self, state: State, slope: float = 1.0) -> Statistics:
        self._require_channels(state)
        memo = self._batch_statistics(state) if self.training else running_statistics(self)
        self.replay(state, memo, slope)
        return memo

    def replay(self, state: State, memo: Statistics, slope: float = 1.0) -> None:
        self._require_channels(state)
        factor = self.scale().detach() * memo.inverse_deviation
        _scale_and_shift(state, factor, self.bias.detach() - memo.mean * factor, slope)

    def undo(self, state: State, memo: Statistics) -> None:
        _scale_and_shift(state, *self._undoing(memo))

    def retrace(self, state: State, grad: State, memo: Statistics, wanted: Wanted, slope: float = 1.0) -> Gradients:
        sums = self.gradient_sums(state, grad, slope)
        self.pull_back(state, grad, memo, sums, per_channel(state[0]), slope)
        return self.parameter_gradients(sums, wanted)

    def gradient_sums(self, state: State, grad: State, slope: float = 1.0) -> Tensor:
        """(sum g, sum g xn) over (N, H, W), shape (2, C) in float64, of an output and its gradient: all that
        `pull_back` needs to know of images other than its own. xn = (y - beta) / w.
        """
        bias, factor = self.bias.detach(), 1 / self.scale().detach()
        sums = [
            torch.stack(weighted_sums(g, y, bias[channels], factor[channels], slope))
            for y, g, channels in zip(state, grad, channel_slices(state), strict=True)
        ]
        return torch.cat(sums, dim=1).double()

    def pull_back(
        self, state: State, grad: State, memo: Statistics, sums: Tensor, count: int, slope: float = 1.0
    ) -> None:
        """Turn (output, its gradient) of some images into (input, its gradient), in place.

        `sums` are the `gradient_sums` over all images, `count` their pixels.
        """
        # gx = w r (g - mean(g) - xn mean(g xn)) with xn = (y - beta) / w and r the inverse deviation, written as
        # g A + y B + C so that it is computed in place; outside training the two means are absent.
        a = self.scale().detach() * memo.inverse_deviation
        b, c = None, torch.zeros_like(a)
        if memo.of_batch:
            mean_g, mean_gx = (sums / count).to(a.dtype)
            b = -memo.inverse_deviation * mean_gx
            c = -a * mean_g - self.bias.detach() * b
        factor, shift = self._undoing(memo)
        for y, g, part in zip(state, grad, channel_slices(state), strict=True):
            pull_back(g, y, a[part], b if b is None else b[part], c[part], (factor[part], shift[part]), slope)

    def parameter_gradients(self, sums: Tensor, wanted: Wanted) -> Gradients:
        """The wanted ones of gamma's and beta's gradients, from the `gradient_sums` over all images."""
        sum_g, sum_gx = sums.to(self.weight.dtype)
        gradients: Gradients = {}
        if wanted(self.weight):
            sign = torch.sign(self.weight.detach() + self.gamma_eps) if self.gamma_eps else 1
            gradients[self.weight] = sum_gx * sign
        if wanted(self.bias):
            gradients[self.bias] = sum_g
        return gradients

    def latest(self) -> Statistics:
        if not self.training:
            return running_statistics(self)
        if self._latest is None:
            raise RuntimeError(
                "Batch normalisation in training inverts its latest forward pass, and there was none yet."
            )
        return self._latest

    def _require_channels(self, state: State) -> None:
        """Raise `ValueError` where `state` has other channels: torch's kernel would read and write beyond its own."""
        given = sum(part.shape[1] for part in state)
        if given != self.channels:
            raise ValueError(
                f"InvertibleBatchNorm2d was made for {self.channels} channels but got an activation of {given}; give it"
                " as many as the layer before has."
            )

    def _undoing(self, memo: Statistics) -> tuple[Tensor, Tensor]:
        """Factor and shift of the inverse, (C,) each."""
        factor = 1 / (self.scale().detach() * memo.inverse_deviation)
        return factor, memo.mean - self.bias.detach() * factor

    def _batch_statistics(self, state: State) -> Statistics:
        moments = Moments()
        moments.add(state)
        return self.counted(moments)

    def counted(self, moments: Moments) -> Statistics:
        """The statistics of a forward pass in training, whose input has these moments; the running ones take note."""
        self._latest = counted(self, moments)
        return self._latest


def _scale_and_shift(state: State, factor: Tensor, shift: Tensor, slope: float = 1.0) -> None:
    """x <- leaky(x factor + shift) for every channel of the state, in place."""
    for part, channels in zip(state, channel_slices(state), strict=True):
        scale_and_shift(part, factor[channels], shift[channels], slope)
