"""A training step as a CUDA graph: recorded once, and from then on launched as a whole.

A step of a deep reversible network is some thousands of kernels, each of which takes a GPU less time than Python and
the driver need to launch it. A graph holds them all, with the places of their tensors in memory.
"""

import gc
from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor], Tensor]

# Before the recording: libraries choose kernels, the optimizer makes its state, exact reconstruction its grid.
EAGER_STEPS = 3


class CapturedStep:
    """`step`, which trains on (images, labels) on a CUDA device and returns the loss, which the next overwrites.

    All batches have one shape, and what differs from step to step lies in tensors that keep their place. A step that
    cannot be recorded, as it waits for the GPU or the host, goes on as it is; `refusal` says why.
    """

    def __init__(self, step: Step) -> None:
        self.step, self.eager_steps = step, 0
        self.refusal: str | None = None
        self.graph: torch.cuda.CUDAGraph | None = None
        self.images = self.labels = self.loss = torch.empty(0)

    @property
    def outcome(self) -> str:
        """What became of it, for a record."""
        if self.graph is not None:
            return "recorded"
        return f"refused ({self.refusal})" if self.refusal else "too few steps"

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        if self.graph is None and self.refusal is None and self.eager_steps >= EAGER_STEPS:
            self._record(images, labels)
        if self.graph is None:
            self.eager_steps += 1
            return self.step(images, labels)
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.graph.replay()
        return self.loss

    def _record(self, images: Tensor, labels: Tensor) -> None:
        """Record the step, which computes nothing yet."""
        self.images, self.labels = images.clone(), labels.clone()
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        gc.collect()
        try:
            with torch.cuda.graph(graph):
                self.loss = self.step(self.images, self.labels)
        # Torch and the driver refuse in many ways, and a step that was not recorded can still be taken.
        except (RuntimeError, ValueError, NotImplementedError) as error:
            torch.cuda.set_stream(stream)  # which torch leaves for the recording's, if that cannot be ended
            self.refusal = f"{type(error).__name__}: {error}".partition("\n")[0]
            return
        self.graph = graph
