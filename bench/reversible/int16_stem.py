"""The stem of a 16-bit network: from the image to the state slice by slice, so that no float32 state is ever there."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from bench.reversible.batch_norm import InvertibleBatchNorm2d, Statistics
from bench.reversible.int16 import Int16Grid
from bench.reversible.layer import Gradients, InvertibleLayer, State, Wanted, accumulate, memory_format, per_channel
from bench.reversible.moments import Moments
from bench.reversible.slices import SLICE_BYTES, batch_slices


class StemMemo(NamedTuple):
    """The image, which the convolution's gradient needs, and batch norm's two numbers a channel."""

    image: Tensor
    statistics: Statistics


class Int16Stem(InvertibleLayer):
    """Convolution, batch normalisation and layers that treat every pixel alone; the first layer of a 16-bit run.

    (N, C_in, H, W) in float32 -> `parts` int16 parts of (N, C / parts, H, W). It has no inverse and needs none: the
    image is kept, and the other gradients are functions of the output. The convolution is computed twice in the forward
    pass (for the statistics, then for the output) and not again in the backward pass. The image gets no gradient.
    """

    exact = is_stem = True
    computes = ("convolution", "above")

    def __init__(
        self, convolution: nn.Conv2d, norm: InvertibleBatchNorm2d, *above: InvertibleLayer, parts: int = 2
    ) -> None:
        super().__init__()
        if convolution.bias is not None or convolution.padding_mode != "zeros" or isinstance(convolution.padding, str):
            raise ValueError(
                "Int16Stem needs a convolution without bias (batch normalisation follows) and with zeros around the"
                f" image, as many as a number says; it got {convolution}."
            )
        for layer in above:
            if not layer.per_image or next(layer.parameters(), None) is not None:
                raise ValueError(
                    "The layers above the convolution and the batch normalisation of an Int16Stem treat every pixel"
                    f" alone and have no parameters, as InvertibleLeakyReLU; it got {layer}."
                )
        self.convolution, self.norm, self.parts = convolution, norm, parts
        self.above = cast(Sequence[InvertibleLayer], nn.ModuleList(above))  # which does not tell what it holds
        self.addition = Int16Grid()

    def forward(self, x: Tensor) -> Tensor:
        """The float32 stem, as ordinary autograd sees it."""
        state = [self.convolution(x)]
        for layer in (self.norm, *self.above):
            state = layer.differentiable(state)
        return state[0]

    def differentiable(self, state: State) -> State:
        return list(self.forward(torch.cat(state, dim=1)).chunk(self.parts, dim=1))

    def trace(self, state: State) -> StemMemo:
        image = state.pop()
        memo = StemMemo(image, self._statistics(image))
        if self.addition.bits is None:
            self.addition.choose([self._output(image[s], memo).abs().amax() for s in self._slices(image)])
        for s in self._slices(image):
            pieces = self._output(image[s], memo).chunk(self.parts, dim=1)
            if not state:
                layout = memory_format(pieces[0])
                shape = (len(image), *pieces[0].shape[1:])
                state += [
                    torch.empty(shape, dtype=torch.int16, device=image.device, memory_format=layout) for _ in pieces
                ]
            for part, piece in zip(state, pieces, strict=True):
                part[s] = self.addition.stored(piece)
        return memo

    def retrace(self, state: State, grad: State, memo: StemMemo, wanted: Wanted) -> Gradients:
        image, count = memo.image, per_channel(state[0])
        sums: Any = sum(self.norm.gradient_sums(*self._below(state, grad, s)) for s in self._slices(image))
        gradients = self.norm.parameter_gradients(sums, wanted)
        for s in self._slices(image):
            output, grad_output = self._below(state, grad, s)
            self.norm.pull_back(output, grad_output, memo.statistics, sums, count)
            accumulate(gradients, self._convolution_gradient(image[s], grad_output[0], wanted))
        state[:], grad[:] = [image], cast(State, [None])
        return gradients

    def _statistics(self, image: Tensor) -> Statistics:
        if not self.norm.training:
            return self.norm.latest()
        moments = Moments()
        for s in self._slices(image):
            moments.add([self._convolved(image[s])])
        return self.norm.counted(moments)

    def _convolved(self, image: Tensor) -> Tensor:
        with torch.no_grad():
            return self.convolution(image)

    def _output(self, image: Tensor, memo: StemMemo) -> Tensor:
        output = [self._convolved(image)]
        self.norm.replay(output, memo.statistics)
        for layer in self.above:
            layer.replay(output, None)
        return output[0]

    def _below(self, state: State, grad: State, images: slice) -> tuple[State, State]:
        """(output of batch norm, its gradient) of some images."""
        output = [torch.cat([part[images] for part in self.addition.read(state)], dim=1)]
        grad_output = [torch.cat([part[images] for part in self.addition.read(grad)], dim=1)]
        for layer in reversed(self.above):
            layer.retrace(output, grad_output, None, lambda parameter: False)
        return output, grad_output

    def _convolution_gradient(self, image: Tensor, grad: Tensor, wanted: Wanted) -> Gradients:
        weight, layer = self.convolution.weight, self.convolution
        if not wanted(weight):
            return {}
        geometry = (list(layer.stride), list(layer.padding), list(layer.dilation), False, [0, 0], layer.groups)
        _, found, _ = torch.ops.aten.convolution_backward(
            grad, image, weight.detach(), None, *geometry, [False, True, False]
        )
        return {weight: found}

    def _slices(self, image: Tensor) -> Iterator[slice]:
        """Slices of the batch by the size of their outputs in float32."""
        outputs = torch.empty(len(image), self.norm.channels, *image.shape[2:], device="meta")
        return batch_slices(outputs, SLICE_BYTES.get(image.device.type, SLICE_BYTES["cuda"]))
