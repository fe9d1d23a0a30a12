"""One convolution, batch norm and ReLU of a streamed branch, worked on in slices: its steps forward and backward."""

from typing import Any

import torch
from torch import Tensor, nn

from bench.reversible.channelwise import Activated, add_scaled, computed, scale_and_shift, weighted_sums
from bench.reversible.convolution import compute_dtype
from bench.reversible.fused import fused
from bench.reversible.layer import Gradients, Wanted
from bench.reversible.moments import Moments
from bench.reversible.statistics import Statistics, counted, running_statistics


class StreamedUnit:
    """x -> c = kernel * x -> y = gamma (c - mean) / sqrt(var + eps) + beta -> z = max(y, 0)."""

    def __init__(self, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        self.convolution = convolution
        self.norm: Any = norm  # torch declares that its count of batches may be None

    def taken(self, x: Tensor) -> Tensor:
        """x as the convolution takes it, where kernels can work beside that; once, if it is taken more often."""
        return x if fused(x) is None else x.to(compute_dtype(x))

    def convolved(self, x: Tensor) -> Tensor:
        """c of x: as the convolution gives it where kernels can read that, else in the type of x."""
        dtype = compute_dtype(x)
        kernel = self.convolution.weight.detach().to(dtype)
        c = torch.conv2d(x.to(dtype), kernel, padding=self.convolution.padding)
        return c if fused(c) is not None else c.to(x.dtype)

    def statistics(self, moments: Moments) -> Statistics:
        """Of a forward pass whose c has these moments; in evaluation the running ones. Counts the pass."""
        if not self.norm.training:
            return running_statistics(self.norm)
        self.norm.num_batches_tracked += 1
        return counted(self.norm, moments)

    def activate(self, c: Tensor, known: Statistics) -> Tensor:
        """Turn c into z, in place."""
        if (kernels := fused(c)) is not None:
            kernels.scale_and_shift(c, *self._normalising(known), slope=0.0, out=c)
            return c
        return self._normalise(c, known).relu_()

    def activated(self, c: Tensor, known: Statistics) -> Tensor:
        """z of c, as a new tensor."""
        if (kernels := fused(c)) is None:
            return self.activate(c.clone(), known)
        z = torch.empty_like(c)
        kernels.scale_and_shift(c, *self._normalising(known), slope=0.0, out=z)
        return z

    def output(self, c: Tensor, known: Statistics) -> Tensor | Activated:
        """z of c, to be added to something: with kernels, not computed before that."""
        if fused(c) is None:
            return self.activate(c.clone(), known)
        return Activated(c, *self._normalising(known), slope=0.0)

    def gradient_sums(self, grad_y: Tensor, c: Tensor, known: Statistics) -> Tensor:
        """(sum g, sum g xn), shape (2, C) in float64: what `pull_back` needs to know of images other than its own."""
        return torch.stack(weighted_sums(grad_y, c, known.mean, known.inverse_deviation)).double()

    def activated_sums(self, grad_z: Tensor, z: Tensor | Activated, c: Tensor, known: Statistics) -> Tensor:
        """`gradient_sums` from the gradient of z, `output`."""
        if (kernels := fused(grad_z, c)) is None:
            return self.gradient_sums(torch.ops.aten.threshold_backward(grad_z, computed(z), 0.0), c, known)
        gate = self._normalising(known)
        sums: Tensor = kernels.input_sums(grad_z, c, known.mean, known.inverse_deviation, gate, slope=0.0)
        return sums

    def pull_back(self, grad: Tensor, c: Tensor, known: Statistics, sums: Tensor, count: int) -> Tensor:
        """Turn the gradient of y of some images into that of c, in place; `sums` over all images, `count` pixels."""
        of_g, of_c, constant = self._pulling(known, sums, count)
        if (kernels := fused(grad, c)) is not None:
            kernels.pull_back_input(grad, c, of_g, of_c, constant, (of_g, constant), slope=1.0, out=grad)
            return grad
        scale_and_shift(grad, of_g, constant)
        if known.of_batch:
            add_scaled(grad, c, of_c)
        return grad

    def pull_back_activated(self, grad_z: Tensor, c: Tensor, known: Statistics, sums: Tensor, count: int) -> Tensor:
        """The gradient of c of some images from that of z, as a new tensor."""
        if (kernels := fused(grad_z, c)) is None:
            y = self._normalise(c.clone(), known)
            grad_y = torch.ops.aten.threshold_backward.grad_input(grad_z, y, 0.0, grad_input=y)
            return self.pull_back(grad_y, c, known, sums, count)
        grad = torch.empty_like(c)
        kernels.pull_back_input(
            grad_z, c, *self._pulling(known, sums, count), self._normalising(known), slope=0.0, out=grad
        )
        return grad

    def _pulling(self, known: Statistics, sums: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """(A, B, C), (channels,) each, of the gradient g A + c B + C of c, where g is that of y."""
        # gc = w r (g - mean(g) - xn mean(g xn)) with xn = (c - mean) r; see InvertibleBatchNorm2d.
        a = self.norm.weight.detach() * known.inverse_deviation
        if not known.of_batch:
            return a, torch.zeros_like(a), torch.zeros_like(a)
        mean_g, mean_gx = (sums / count).to(a.dtype)
        b = -a * known.inverse_deviation * mean_gx
        return a, b, -a * mean_g - b * known.mean

    def pull_back_convolution(self, grad_c: Tensor, x: Tensor, wanted: Wanted) -> tuple[Tensor, Gradients]:
        """(gradient of x, gradient of the kernel if it is wanted) for some images."""
        weight, dtype = self.convolution.weight, compute_dtype(x)
        grad_x, grad_weight, _ = torch.ops.aten.convolution_backward(
            grad_c.to(dtype),
            x.to(dtype),
            weight.detach().to(dtype),
            None,
            [1, 1],
            list(self.convolution.padding),
            [1, 1],
            False,
            [0, 0],
            1,
            [True, wanted(weight), False],
        )
        # With kernels it may stay as the convolution gives it, like c.
        grad_x = grad_x if fused(grad_x, x) is not None else grad_x.to(x.dtype)
        return grad_x, {weight: grad_weight.to(weight.dtype)} if wanted(weight) else {}

    def norm_gradients(self, sums: Tensor, wanted: Wanted) -> Gradients:
        """The wanted ones of gamma's and beta's gradients, from the `gradient_sums` over all images."""
        sum_g, sum_gx = sums.to(self.norm.weight.dtype)
        return {**self._behind("weight", sum_gx, wanted), **self._behind("bias", sum_g, wanted)}

    def _behind(self, name: str, gradient: Tensor, wanted: Wanted) -> Gradients:
        """The gradient of batch norm's `name`; where that is computed (`nn.utils.parametrize`), of what it is from."""
        if name in self.norm._parameters:
            parameter = self.norm._parameters[name]
            return {parameter: gradient} if wanted(parameter) else {}
        originals = [parameter for parameter in self.norm.parametrizations[name].parameters() if wanted(parameter)]
        if not originals:
            return {}
        with torch.enable_grad():
            value = getattr(self.norm, name)
        found = torch.autograd.grad(value, originals, gradient, allow_unused=True)
        return {each: part for each, part in zip(originals, found, strict=True) if part is not None}

    def _normalise(self, c: Tensor, known: Statistics) -> Tensor:
        scale_and_shift(c, *self._normalising(known))
        return c

    def _normalising(self, known: Statistics) -> tuple[Tensor, Tensor]:
        """Factor and shift that make y of c, (channels,) each."""
        factor = self.norm.weight.detach() * known.inverse_deviation
        return factor, self.norm.bias.detach() - known.mean * factor
