"""Live bytes: which tensor storages exist at every moment of a training step, and what each of them is.

The paper's memory footprint is the peak of what a training iteration holds (section 3.2). `LiveBytes` sees every
operator that runs while it is entered - forward, backward, inside custom `autograd.Function`s, optimizer - and
follows the storages of the operators' arguments and results until they are freed. It counts what tensors hold, to the
byte; workspaces that a kernel takes and gives back within one operator are not tensors and are not counted (on CUDA
the allocator counts them).
"""

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WEIGHTS, GRADIENTS, OPTIMIZER, INPUT, BUFFERS, ACTIVATIONS = CATEGORIES = (
    "weights",
    "gradients",
    "optimizer",
    "input",
    "buffers",
    "activations",
)


@dataclass(eq=False, slots=True)
class Storage:
    """One storage that was met: its bytes now, and what it is counted as (changeable until the counts are read)."""

    category: str
    live_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """A storage grew (`change` > 0 bytes: allocated, first seen) or shrank (`change` < 0: freed, resized).

    `operator` is the latest operator that had started ("" before the first); `phase` and `place` are what the fields of
    `LiveBytes` said.
    """

    storage: Storage
    change: int
    operator: str
    phase: str
    place: str


class LiveBytes(TorchDispatchMode):
    """Follow the storages on one kind of device while entered; `peak_bytes` and `peak_categories()` tell the rest.

    Storages that exist beforehand (weights, optimizer state, the batch) are told with `register`. What is met
    unregistered counts as `new_category`: activations, until the step says otherwise. A storage may be registered
    late, as gradients are once they hang on their parameters: it then counts in its category from its birth. Views,
    expanded tensors and detached copies share a storage, which counts once.

    events: every change in order, for a timeline; phase: set it from the training step to mark the events' phase;
    place: likewise, which part of the network is at work.
    """

    def __init__(self, device_type: str = "cpu") -> None:
        super().__init__()
        self.device_type = device_type
        self.phase, self.place = "", ""
        self.new_category = ACTIVATIONS
        self.live_bytes = 0
        self.peak_bytes = 0
        self.events: list[Event] = []
        self._events_at_peak = 0
        self._operator = ""
        self._followed: dict[int, tuple[weakref.ref, Storage]] = {}

    def register(self, tensors: Iterable[torch.Tensor], category: str) -> None:
        """Count the storages of `tensors` as `category` (one of CATEGORIES), from their birth on."""
        for tensor in tensors:
            storage = self._follow(tensor)
            if storage is not None:
                storage.category = category
        self._note_peak()

    def peak_categories(self) -> dict[str, int]:
        """Bytes of each category at the moment of the peak; they sum to `peak_bytes`."""
        totals = dict.fromkeys(CATEGORIES, 0)
        for event in self.events[: self._events_at_peak]:
            totals[event.storage.category] += event.change
        return totals

    def most_of(self, categories: Iterable[str]) -> int:
        """Most bytes that these categories held together at any one moment, be it the peak's or another."""
        wanted = set(categories)
        changes = [event.change for event in self.events if event.storage.category in wanted]
        return max(accumulate(changes, initial=0))

    def peak_event(self) -> Event:
        """The change that completed the peak: its operator and phase say when the peak was."""
        return self.events[self._events_at_peak - 1]

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operator, then count: its results exist by then, and its arguments still do."""
        self._operator = str(function)
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, result)):
            if isinstance(leaf, torch.Tensor):
                self._follow(leaf)
        self._note_peak()
        return result

    def __exit__(self, *exception: Any) -> None:
        self._followed.clear()  # dropping the weak references ends their callbacks
        super().__exit__(*exception)

    def _follow(self, tensor: torch.Tensor) -> Storage | None:
        """The record of a tensor's storage, brought up to date; None where it lies on another kind of device."""
        if tensor.device.type != self.device_type:
            return None
        untyped = tensor.untyped_storage()
        key = untyped._cdata
        if key not in self._followed:
            storage = Storage(self.new_category)
            self._followed[key] = (weakref.ref(untyped, lambda _: self._forget(key)), storage)
        storage = self._followed[key][1]
        self._set_size(storage, untyped.nbytes())
        return storage

    def _forget(self, key: int) -> None:
        """A storage was freed. Its address may be used again at once, so that its record must go now."""
        _, storage = self._followed.pop(key)
        self._set_size(storage, 0)

    def _set_size(self, storage: Storage, size: int) -> None:
        change = size - storage.live_bytes
        if change:
            storage.live_bytes = size
            self.live_bytes += change
            self.events.append(Event(storage, change, self._operator, self.phase, self.place))

    def _note_peak(self) -> None:
        """Take a new maximum, after looking for storages that no operator resized (`storage.resize_(0)`)."""
        if self.live_bytes > self.peak_bytes:
            for reference, storage in list(self._followed.values()):
                untyped = reference()
                if untyped is not None:
                    self._set_size(storage, untyped.nbytes())
        if self.live_bytes > self.peak_bytes:
            self.peak_bytes = self.live_bytes
            self._events_at_peak = len(self.events)
