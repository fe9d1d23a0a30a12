"""The clock of a run. One class owns it, so that what a second belongs to is said in one place.

load        reading the data set and moving it to the device, from before its first byte is read
build       choosing widths, building the network and its optimizer
warm_up     steps on random images with a network that is thrown away: libraries choose and compile their kernels
training    augmentation, forward, backward and update, until the last update is done
evaluation  one pass over the test images after each epoch
tta         one more pass at the end with flip test-time augmentation, where the recipe asks for it
everything  from the start of the process: interpreter, imports, checkpoints and the rest included

The headline is load + training. The others stand beside it, and so does everything (the cold start).
`docs/time.md` says what is made of them.
"""

import contextlib
import time
from collections.abc import Iterator

import psutil
import torch

PHASES = ("load", "build", "warm_up", "training", "evaluation", "tta")


class Clock:
    """Seconds of each phase, measured with a clock that never goes back, the device's queue emptied at both ends."""

    def __init__(self, device: torch.device, already: float = 0.0) -> None:
        """`already` is what "everything" starts with, in seconds (see `process_age`)."""
        self.device = device
        self.phases = dict.fromkeys(PHASES, 0.0)
        self.running: str | None = None
        self.already = already
        self.started = time.perf_counter()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what happens inside to `name`. Phases do not nest: a second would count twice."""
        if name not in self.phases:
            raise KeyError(f"unknown phase {name!r}; known: {', '.join(PHASES)}")
        if self.running is not None:
            raise RuntimeError(f"phase {name!r} was begun while {self.running!r} runs")
        self.running = name
        synchronize(self.device)
        start = time.perf_counter()
        try:
            yield
            synchronize(self.device)
        finally:
            self.phases[name] += time.perf_counter() - start
            self.running = None

    @property
    def everything(self) -> float:
        """Seconds since the process began, those of earlier processes of a resumed run included."""
        return self.already + time.perf_counter() - self.started

    @property
    def headline(self) -> float:
        """Load + training: the seconds that time to accuracy is counted in."""
        return self.phases["load"] + self.phases["training"]

    def seconds(self) -> dict[str, float]:
        """All of it, for the record."""
        return {**self.phases, "everything": self.everything}

    def state_dict(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return self.seconds()

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Continue a resumed run: loading and building are counted once, training and evaluation go on.

        A run that was never stopped loads once; so the loading of the present process counts only to "everything".
        """
        self.already += state["everything"]
        self.phases = {name: state[name] for name in PHASES}


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that was queued; the CPU queues nothing."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def process_age() -> float:
    """Seconds since this process was started, by the operating system's account."""
    return max(0.0, time.time() - psutil.Process().create_time())
