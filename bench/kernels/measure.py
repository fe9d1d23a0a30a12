"""The passes of batch norm and leaky ReLU over an output y and its gradient g, fused and plain: values and times."""

import functools
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from bench.reversible.channelwise import pull_back, scale_and_shift, weighted_sums
from bench.reversible.fused import plain
from bench.reversible.moments import Moments

FORMATS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}
SLOPE = 0.2
CALLS = 10  # within one measured time, so that launching is hidden behind computing as it is in training
# Of each pass, how often it must read or write a tensor of the activation's size.
TRAFFIC = {"statistics": 1, "forward": 2, "gradient sums": 2, "gradient and inverse": 4}


def compute(name: str, y: Tensor, g: Tensor, vectors: Tensor) -> list[Tensor]:
    """What the pass `name` makes of `y` and `g` (N, C, H, W), which it may overwrite; `vectors` (5, C) are numbers."""
    a, b, c, d, e = vectors
    if name == "statistics":
        moments = Moments()
        moments.add([y])
        return [moments.mean, moments.squares]
    if name == "forward":
        scale_and_shift(y, a, b, SLOPE)
        return [y]
    if name == "gradient sums":
        return list(weighted_sums(g, y, a, b, SLOPE))
    pull_back(g, y, a, b, c, (d, e), SLOPE)
    return [g, y]


def rows(
    shape: tuple[int, ...], device: torch.device, rounds: int, timer: Callable[[Callable[[], Any]], float]
) -> Iterator[dict[str, Any]]:
    """One row for each memory format and pass: median times by `timer`, fused and plain in turn, and the largest
    difference of their results relative to the largest value.
    """
    vectors = torch.rand(5, shape[1], device=device) + 0.5
    for layout, memory_format in FORMATS.items():
        y, g = (torch.randn(shape, device=device).to(memory_format=memory_format) for _ in range(2))
        for name, traffic in TRAFFIC.items():
            # Passes in place work on copies, which are made before the clock runs.
            def call(name: str = name, y: Tensor = y, g: Tensor = g) -> Callable[[], list[Tensor]]:
                return functools.partial(compute, name, y.clone(), g.clone(), vectors)

            fused, times = call()(), []
            with plain():
                expected = call()()
            for _ in range(rounds):
                fused_ms = timer(call())
                with plain():
                    times.append((fused_ms, timer(call())))
            fused_ms, plain_ms = (statistics.median(column) for column in zip(*times, strict=True))
            yield {
                "pass": name,
                "shape": list(shape),
                "memory_format": layout,
                "difference": max(map(_difference, fused, expected)),
                "fused_ms": fused_ms,
                "plain_ms": plain_ms,
                "fused_gb_per_s": traffic * y.numel() * y.element_size() / fused_ms / 1e6,
            }


def milliseconds(call: Callable[[], Any]) -> float:
    """Of one call on the GPU: the mean of some in a row, by CUDA events."""
    call()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(CALLS):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / CALLS


def _difference(one: Tensor, other: Tensor) -> float:
    return float((one.double() - other.double()).abs().max() / other.double().abs().max())
