"""A run that was killed goes on from its checkpoint, and its record tells of the whole of it."""

from pathlib import Path
from typing import Any

import torch

from bench import provenance
from bench.errors import InputError
from bench.training import memory_use
from bench.training.checkpoint import Checkpoint
from bench.training.loop import Trainer
from bench.training.processes import Processes


class Resumption:
    """The checkpoints of the run `key` in `folder`, what was before this process, and how often that was (`times`).

    Times and bits are of one kind of hardware and one torch: with others, a run begins anew.
    """

    def __init__(self, folder: Path, key: str, device: torch.device, processes: Processes) -> None:
        self.folder, self.device, self.processes = folder, device, processes
        made_on = f"{provenance.device_words(device)}, torch {torch.__version__}"
        self.checkpoint = Checkpoint(folder, f"{key} on {made_on}")
        self.times = 0
        self.earlier_peaks: dict[str, Any] = {}
        self.earlier_graph: str | None = None

    def save(self, trainer: Trainer) -> None:
        """Write a checkpoint, where this process is to write."""
        if self.processes.writes:
            kept = {"resumed": self.times, "peaks": self.peaks(), "cuda_graph": self.cuda_graph(trainer)}
            self.checkpoint.save({**trainer.state_dict(), **kept})

    def restore(self, trainer: Trainer) -> list[str]:
        """Go on from the newest whole checkpoint, if there is one; returns what is to be said.

        Raises `InputError` if the processes of the run do not go on from the same epoch.
        """
        state, remarks = self.checkpoint.load()
        epochs = len(state["history"]) if state else 0
        if not self.processes.agree(epochs, self.device):
            raise InputError(
                f"The processes of this run have not all the same checkpoint in {self.folder} (here: {epochs} epochs); "
                "give their machines one shared folder and GPUs of one kind, or delete the checkpoints."
            )
        if state is None:
            return [*remarks, "no checkpoint of this run to resume from: it starts at the beginning"]
        trainer.load_state_dict(state)
        self.times, self.earlier_peaks, self.earlier_graph = state["resumed"] + 1, state["peaks"], state["cuda_graph"]
        return [*remarks, f"resumed after epoch {epochs} of {trainer.recipe.epochs}"]

    def peaks(self) -> dict[str, Any]:
        """`memory_use.peaks` of the whole run so far."""
        now = memory_use.peaks(self.device)
        return memory_use.highest(now, self.earlier_peaks or now)

    def cuda_graph(self, trainer: Trainer) -> str | None:
        """What became of the steps' CUDA graph, by the latest process that took any; None: there was to be none."""
        captured = trainer.captured
        return captured.outcome if captured and captured.eager_steps else self.earlier_graph
