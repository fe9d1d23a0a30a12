"""The paper's cost model (eqs. 5-13 and 30): what training a network costs in memory, from the network's own modules.

What grows with the batch is told per input pixel, in bytes (eq. 7c): M = M_theta + (M'_z + M'_g) x (h w bs).

- Stored (eqs. 6-10): M'_z, the inputs of convolutions, batch norms and linear layers; a tensor that two layers read
  counts once. M'_g, eq. 9 at the last convolution.
- revnet (eq. 11): M'_z = global (the state before each down-sampling and that one's own stored inputs, and the last
  state) + local (what F or G stores). M'_g, the state's gradient.
- irevnet (3.5): one state + local. layerwise (eq. 30): one state. hybrid (4.2): one state + half a state
  where F has more than one unit. streamed: as the hybrid. M'_g of all four: the state's gradient.

For c_0 channels at full resolution eq. 30, worked out, is M = M_theta + 2 c_0 x h w bs x bpe, whatever the depth, and
the hybrid's, with two units in F, M_theta + 2.5 c_0 x h w bs x bpe: 256 and 320 bytes per pixel at c_0 = 32.

How this reads the paper where it can be read in two ways, and what theory leaves out:
- Eq. 11's peak is said to fall into the last reversible block. Early blocks have larger hidden activations, so the
  maximum over all blocks is taken: of what is kept up to there, plus the block's gradient and hidden activations.
- F and G are recomputed one after the other, so the larger of them counts, not both.
- The paper's M has neither the weights' gradients nor the optimizer's state; `PixelCost` has fields for them, and
  `step_bytes` adds them and the images.
- In neither: buffers, labels, batch norm's two numbers a channel; outputs of activation functions that are no layer's
  input (behind the last block; RevNet's stem; in stored networks the first activation and those that end F and G, which
  are added: of the quick scale's `streamed` 32 and 6 x 16 bytes per pixel); what a head needs to pool backwards; slices
  of convolutions and poolings, which do not grow with the batch once it is larger than a slice; workspaces of kernels,
  cuDNN's above all. Measured peaks have them all. A checkpointed block has two maps more than theory when its backward
  pass begins: its recomputed output, and that output's gradient twice (before and after the activation). In mixed
  precision, the bfloat16 copy that a convolution stores of an input that is float32, as the reversible streams are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from torch import Tensor, nn

from bench.architectures import build
from bench.architectures.baselines import CheckpointedResNet18, OffloadedResNet18
from bench.memory.retraced import sequence
from bench.memory.trace import Entry, Rule, Trace, last_gradient, size, storage_bytes, traced
from bench.reversible import ReversibleSequential

BYTES_PER_VALUE = 4  # bpe: weights, their gradients and the optimizer's state are float32 throughout
IMAGES = 2  # in the traced batch: batch norm refuses a single value per channel


@dataclass(frozen=True)
class PixelCost:
    """Theory of one network's training memory.

    Per input pixel, in bytes: `state` (kept from the forward pass on: M_z, or M_global and the last state), `hidden`
    (M_local: what the layer in work needs besides), `gradient` (M'_g), `image` (the input; in no M of the paper's).
    In all, in bytes: `weights_bytes` (M_theta, eq. 8: every parameter), and what the paper leaves out, the weights'
    gradients and the optimizer's state (SGD with momentum).
    """

    weights_bytes: int
    state: float
    hidden: float
    gradient: float
    image: float
    weight_gradients_bytes: int
    optimizer_bytes: int

    @property
    def total(self) -> float:
        """M'_z + M'_g, bytes per input pixel."""
        return self.state + self.hidden + self.gradient

    def batch_bytes(self, batch: int, height: int, width: int) -> int:
        """The paper's M (eq. 10b) for a batch of images."""
        return self.weights_bytes + round(self.total * batch * height * width)

    def step_bytes(self, batch: int, height: int, width: int) -> int:
        """What a training step holds: M, the images, the weights' gradients and the optimizer's state."""
        images = round(self.image * batch * height * width)
        return self.batch_bytes(batch, height, width) + images + self.weight_gradients_bytes + self.optimizer_bytes


def pixel_cost(
    network: nn.Module | str, image_size: int = 32, in_channels: int = 3, precision: str = "float32", **arguments: Any
) -> PixelCost:
    """Theory for a network, or for the architecture of that name, built with `arguments`.

    A checkpointed ResNet keeps each block's input, and one block's inside at a time. An offloaded one is described on
    the device that it leaves: it holds the one tensor that is fetched back (on a CPU nothing leaves, and what is
    measured there is the stored network). `precision` is that of training; under autocast the types are the real ones.
    """
    if isinstance(network, str):
        network = build(network, in_channels=in_channels, **arguments)
    weights = sum(parameter.numel() for parameter in network.parameters()) * BYTES_PER_VALUE
    pixels = IMAGES * image_size**2
    shape = IMAGES, in_channels, image_size, image_size
    with traced(network, rules_for(network), shape, precision) as (trace, images):
        if isinstance(network, OffloadedResNet18):
            state, hidden, gradient = _offloaded_peak(trace.entries, images)
        else:
            state, hidden, gradient = _peak(trace.entries, images)
        image = size(images)
    return PixelCost(weights, state / pixels, hidden / pixels, gradient / pixels, image / pixels, weights, weights)


def rules_for(network: nn.Module) -> dict[str, Rule]:
    """Rules, by module name, for the parts of a network that do not simply store their layers' inputs."""
    rules: dict[str, Rule] = {
        name: sequence for name, module in network.named_modules() if isinstance(module, ReversibleSequential)
    }
    if isinstance(network, CheckpointedResNet18):
        rules |= {f"blocks.{name}": checkpointed for name, _ in network.blocks.named_children()}
    return rules


def checkpointed(trace: Trace, block: nn.Module, x: Tensor) -> Tensor:
    """A checkpointed block keeps its input; what its layers store is there only while it is worked on."""
    entries, y = trace.inside(block, x)
    inside = storage_bytes((kept for entry in entries for kept in entry.kept), but=[x])
    trace.note(Entry((x,), gradient=last_gradient(entries), hidden=inside))
    return y


def _peak(entries: list[Entry], images: Tensor) -> tuple[int, int, int]:
    """(state, hidden, gradient) bytes at the moment of the backward pass when their sum is largest."""
    kept: list[Tensor] = []
    moments = []
    for entry in _grouped(entries):
        kept += entry.kept
        moments.append((storage_bytes(kept, but=[images]), entry.hidden, entry.gradient))
    return max(moments, key=sum, default=(0, 0, 0))


def _grouped(entries: Iterable[Entry]) -> list[Entry]:
    """Ordinary layers in a row as one entry: eq. 10 adds all that they store and eq. 9's gradient."""
    grouped: list[Entry] = []
    for ordinary, layers in groupby(entries, key=lambda entry: entry.ordinary):
        members = list(layers)
        if ordinary:
            kept = tuple(tensor for entry in members for tensor in entry.kept)
            grouped.append(Entry(kept, last_gradient(members)))
        else:
            grouped += members
    return grouped


def _offloaded_peak(entries: list[Entry], images: Tensor) -> tuple[int, int, int]:
    """Nothing stays; the layer in work has its input fetched back."""
    moments = [(0, storage_bytes(entry.kept, but=[images]), entry.gradient) for entry in entries]
    return max(moments, key=sum, default=(0, 0, 0))
