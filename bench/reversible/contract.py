"""What is asked of F and G of a reversible block, which are called again in the backward pass, and what breaks it.

They must give then what they gave before. So they read nothing but their input, their parameters, and buffers that stay
as they are (the running statistics of a batch norm in training are not read), they leave their input as it is, and they
draw random numbers from torch's generator alone. Whether they were training is remembered.
"""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn
from torch.autograd.graph import Node

from bench.reversible.batch_norm import InvertibleBatchNorm2d
from bench.reversible.random_state import Generators
from bench.reversible.recorded import Recording

Modes = list[tuple[nn.Module, bool]]
# Of what is known to write its running statistics in training, and not to read them: not of what is made of it.
ONLY_WRITING = {
    nn.modules.batchnorm._BatchNorm.forward,
    nn.SyncBatchNorm.forward,
    nn.modules.instancenorm._InstanceNorm.forward,
}
NORMALISING = "running_mean"  # a buffer that only modules with running statistics have


class Call(NamedTuple):
    """What is kept of a call of F, to make it again."""

    random: Generators | None  # the states of the generators before it, if it drew from one
    modes: Modes  # its modules, and whether each was training
    buffers: dict[str, Tensor]  # what it read besides parameters
    versions: list[int]  # of these, before it


def call_of(module: nn.Module) -> Call:
    """What a call of now depends on. The statistics of a normalisation in training are not read, but written."""
    modes = [(each, each.training) for each in module.modules()]
    buffers: dict[str, Tensor] = {}
    if any(each._buffers and _reads_buffers(each) for each, _ in modes):
        for prefix, each in module.named_modules():
            if _reads_buffers(each):
                # A normalisation that torch does not know may read in training what it then writes: it has a copy.
                written = each.training and NORMALISING in each._buffers
                own = dict(each.named_buffers(prefix, recurse=False))
                buffers |= {name: buffer.clone() for name, buffer in own.items()} if written else own
    return Call(None, modes, buffers, [_version(buffer) for buffer in buffers.values()])


def _reads_buffers(module: nn.Module) -> bool:
    only_writes = isinstance(module, InvertibleBatchNorm2d) or type(module).forward in ONLY_WRITING
    return not (module.training and only_writes)


@contextlib.contextmanager
def in_modes(wanted: Modes) -> Iterator[None]:
    """Have the modules training or not, as they were."""
    others = [(each, training) for each, training in wanted if each.training != training]
    for each, training in others:
        each.training = training
    try:
        yield
    finally:
        for each, training in others:
            each.training = not training


def require_unchanged(call: Call) -> None:
    """Raise `RuntimeError` where a buffer that the call read has other values by now."""
    for (name, buffer), version in zip(call.buffers.items(), call.versions, strict=True):
        if _version(buffer) != version:
            raise RuntimeError(
                f"Buffer {name!r} of F or G of a reversible block has changed since F was called, and the backward pass"
                " would compute with the new values; leave it as it is between the two, or use reconstruction='ideal'."
            )


@contextlib.contextmanager
def left_as_it_is(x: Tensor) -> Iterator[None]:
    """Raise `RuntimeError` where F changes its input `x` in place."""
    before = _version(x)
    yield
    if _version(x) != before:
        raise RuntimeError(
            "F or G of a reversible block has changed its input in place, which is half of the block's own; let it make"
            " a new tensor first (inplace=False in its first layer)."
        )


@contextlib.contextmanager
def left_as_they_are(state: list[Tensor]) -> Iterator[None]:
    """`left_as_it_is` for all parts of a state."""
    with contextlib.ExitStack() as parts:
        for part in state:
            parts.enter_context(left_as_it_is(part))
        yield


@contextlib.contextmanager
def parameters_left(call: Call) -> Iterator[None]:
    """Raise `RuntimeError` where the call of F changes one of its parameters in place."""
    parameters = [each for module, _ in call.modes for each in module._parameters.values() if each is not None]
    before = [_version(each) for each in parameters]
    yield
    if before != [_version(each) for each in parameters]:
        raise RuntimeError(
            "F or G of a reversible block has changed a parameter of its own in place, and the backward pass would do"
            " so once more; change it after the optimizer's step, make it a buffer that F replaces by another, or use"
            " reconstruction='ideal'."
        )


def require_own_leaves(recording: Recording) -> None:
    """Raise `RuntimeError` where the recorded call used a tensor with a gradient that is no parameter of the module."""
    known = {recording.input.node, *(edge.node for edge in recording.parameters.values())}
    seen: set[Node] = set()
    ahead = [recording.output.node] if recording.output else []
    while ahead:
        node = ahead.pop()
        if node in seen or node in known:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            raise RuntimeError(
                f"F or G of a reversible block used a tensor of shape {tuple(node.variable.shape)} that requires a"
                " gradient and is neither its input nor a parameter of it, so its gradient would be lost; make it a"
                " parameter, detach it, join it to the block's input, or use reconstruction='ideal'."
            )
        ahead += [below for below, _ in node.next_functions if below is not None]


def _version(tensor: Tensor) -> int:
    """How often it was changed in place; tensors of inference mode do not count that."""
    return 0 if tensor.is_inference() else tensor._version
