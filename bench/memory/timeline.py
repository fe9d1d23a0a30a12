"""The timeline of a training step: live bytes by category at every moment, and the layer that was at work."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from bench.memory.at_work import AtWork
from bench.memory.peak import track_step
from bench.memory.tracker import ACTIVATIONS, BUFFERS, GRADIENTS, INPUT, OPTIMIZER, WEIGHTS, Event, LiveBytes, Storage

STATE, HIDDEN, ACTIVATION_GRADIENTS, TEMPORARIES = "state", "hidden", "activation gradients", "temporaries"
# From what is always there to what comes and goes.
SHOWN = (WEIGHTS, OPTIMIZER, GRADIENTS, INPUT, STATE, HIDDEN, ACTIVATION_GRADIENTS, TEMPORARIES)


@dataclass(frozen=True)
class Stretch:
    """Moments in a row with the same module at work (`place`, "" outside of all) in the same phase.

    `peak` and `end`: bytes of each category of `SHOWN`, when the stretch held most and when it was over; `operator`:
    the one that had started last when it held most.
    """

    phase: str
    place: str
    operator: str
    peak: tuple[int, ...]
    end: tuple[int, ...]


class Roles(LiveBytes):
    """`LiveBytes` that also tells what an activation is for, as the cost model does (`bench.memory.cost_model`).

    - state: kept from the forward pass for the backward pass, or held by a run of invertible layers as its activation;
    - activation gradients: made from other gradients, and handed on to another layer;
    - hidden: other activations that outlive the work of the layer that made them;
    - temporaries: born and gone within the work of one layer.

    Running statistics count as weights. `entered` on the network that the step is of, beside `LiveBytes` itself.
    """

    def __init__(self, device_type: str, at_work: AtWork) -> None:
        super().__init__(device_type)
        self.at_work = at_work
        self._roles: dict[Storage, str] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note the place, run the operator, and say what its results are for."""
        self.place, seen = self.at_work.name(), len(self.events)
        self._note_state()
        result = super().__torch_dispatch__(function, types, args, kwargs)
        made = [event.storage for event in self.events[seen:] if event.change > 0]
        if made and self.phase == "backward":
            given = {self._follow(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
            of_gradients = any(self._roles.get(each) == ACTIVATION_GRADIENTS for each in given if each is not None)
            if of_gradients or "backward" in str(function):
                for storage in made:
                    self._roles.setdefault(storage, ACTIVATION_GRADIENTS)
        return result

    def stretches(self) -> list[Stretch]:
        """The step, summed up by stretches."""
        self._settle()
        held = dict.fromkeys(SHOWN, 0)
        found: list[Stretch] = []
        for events in _stretches(self.events):
            peak, operator = tuple(held.values()), events[0].operator
            for event in events:
                held[_shown(event.storage.category)] += event.change
                if sum(held.values()) > sum(peak):
                    peak, operator = tuple(held.values()), event.operator
            found.append(Stretch(events[0].phase, events[0].place, operator, peak, tuple(held.values())))
        return found

    def _note_state(self) -> None:
        """What a run of invertible layers holds as its activation and gradient; what a block has inside is neither."""
        if len(self.at_work.works) == 1:
            work = self.at_work.works[0]
            for parts, role in ((work.state, STATE), (work.grad or [], ACTIVATION_GRADIENTS)):
                for part in parts:
                    storage = self._follow(part)
                    if storage is not None and self._roles.get(storage) != STATE:
                        self._roles[storage] = role

    def _settle(self) -> None:
        """Give every activation the category that its role and its life say."""
        born: dict[Storage, int] = {}
        gone: dict[Storage, int] = {}
        after_forward: set[Storage] = set()
        for index, events in enumerate(_stretches(self.events)):
            for event in events:
                (born if event.change > 0 else gone).setdefault(event.storage, index)
            if events[0].phase == "forward":
                after_forward = {each for each in born if each not in gone}
        for storage in born:
            if storage.category == ACTIVATIONS:
                role = self._roles.get(storage)
                if role != STATE and gone.get(storage) == born[storage]:
                    role = TEMPORARIES
                elif storage in after_forward:
                    role = STATE
                storage.category = role or HIDDEN


def timeline(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    labels: torch.Tensor,
    precision: str = "float32",
) -> list[Stretch]:
    """The stretches of one training step of `model`, whose optimizer has its state already."""
    at_work = AtWork(model)
    roles = Roles(images.device.type, at_work)
    with at_work.entered():
        track_step(model, optimizer, images, labels, roles, precision)
    return roles.stretches()


def _stretches(events: list[Event]) -> Iterator[list[Event]]:
    """Events in groups of the same phase and place; what was there before the step is its first group."""
    group: list[Event] = []
    for event in events:
        if group and (event.phase, event.place) != (group[0].phase, group[0].place):
            yield group
            group = []
        group.append(event)
    if group:
        yield group


def _shown(category: str) -> str:
    return WEIGHTS if category == BUFFERS else category
