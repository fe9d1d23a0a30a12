"""One training run, from a configuration to its record."""

import sys
from pathlib import Path
from typing import Any

import torch

from bench import data, provenance
from bench.plan import Run, run_key
from bench.records import write_record
from bench.training import memory_use, run_record
from bench.training.allocator import set_allocator
from bench.training.batches import Batches
from bench.training.checkpoint import Checkpoint
from bench.training.clock import Clock, process_age
from bench.training.device import device_entry, torch_device
from bench.training.exactness import exactness
from bench.training.loop import Trainer
from bench.training.memory_cap import memory_cap
from bench.training.memory_format import place
from bench.training.network import architecture_entry, network
from bench.training.outcome import Outcome, outcome_of
from bench.training.progress import Progress
from bench.training.recipe import make_optimizer, recipe_from, set_norm_momentum
from bench.training.settings import set_determinism, set_precision, set_threads


class TrainingRun:
    """Trains one network by a configuration and writes `record.json` into a folder; a checkpoint an epoch till then."""

    def __init__(
        self,
        config: dict[str, Any],
        architecture: str,
        reconstruction: str,
        seed: int,
        folder: Path,
        device: str | None,
    ) -> None:
        """Check all that can be checked before anything is read or written; raises `InputError`."""
        architecture_entry(config, architecture)
        self.entry = device_entry(config, device)
        self.config = {**config, "devices": [self.entry]}
        self.run = Run(architecture=architecture, reconstruction=reconstruction, device=self.entry["name"], seed=seed)
        self.device = torch_device(self.entry["device"])
        self.cap_mb = self.entry.get("memory_cap_mb")
        self.recipe = recipe_from(config["training"], self.entry)
        self.folder = folder
        self.clock = Clock(self.device, already=process_age())
        self.settings = run_record.settings_of(
            config, architecture, reconstruction, seed, self.entry, self.device.type, self.recipe
        )
        self.digest = {
            "configuration": run_record.digest_of(config),
            "code": provenance.code_digest(),
            "key": run_key(self.config, self.run),
        }
        self.history: list[dict[str, Any]] = []
        self.resumed = 0
        self.exactness: dict[str, Any] | None = None

    def execute(self, resume: bool = False) -> Path:
        """Train, write the record, and return its path. However training ends, there is a record of it."""
        allocator = set_allocator(self.device, capped=self.cap_mb is not None)
        set_threads(self.config.get("threads", 0))
        set_precision(self.recipe.precision)
        exact = self.run.reconstruction == "exact"
        set_determinism(self.device, self.run.seed, capped=self.cap_mb is not None, exact=exact)
        with self.clock.phase("load"):
            images = data.load(self.config["data"], self.config["in_channels"], self.config["classes"])
            # Under a cap the images stay on the host, as they would beside a small card.
            keep_on = torch.device("cpu") if self.cap_mb else self.device
            batches = Batches(images, self.recipe, self.run.seed, self.device, keep_on)
        if self.cap_mb:
            self.warm_up()
        checkpoint = Checkpoint(self.folder, self.digest["key"])
        memory_use.forget_peaks(self.device)
        with memory_cap(self.device, self.cap_mb):
            outcome = outcome_of(
                lambda: self.build_and_train(batches, checkpoint, resume), self.history, self.config["target_accuracy"]
            )
            peaks = memory_use.peaks(self.device)
        record = run_record.run_record(
            self.settings,
            outcome,
            self.history,
            self.clock.seconds(),
            peaks,
            self.digest,
            self.device,
            allocator=allocator,
            data={"source": images.source, "cached": images.cached, "sizes": [len(images.train), len(images.test)]},
            resumed=self.resumed,
            exactness=self.exactness,
        )
        place = self.folder / "record.json"
        write_record(place, record)
        checkpoint.remove()
        self.tell(outcome, record)
        return place

    def warm_up(self) -> None:
        """One small step of the very network, before the cap holds: what libraries keep for themselves once they are
        in use is no part of it, as little as it is of the paper's 500 MB "after initialization of various frameworks".
        """
        with self.clock.phase("build"):
            state = torch.get_rng_state()
            model, _ = network(self.config, self.run.architecture, self.run.reconstruction)
            size = self.config["data"]["image_size"]
            images = torch.zeros(2, self.config["in_channels"], size, size, device=self.device)
            place(model, self.device)(images).sum().backward()
            make_optimizer(model, self.recipe).step()
            torch.set_rng_state(state)

    def build_and_train(self, batches: Batches, checkpoint: Checkpoint, resume: bool) -> None:
        """Build the network and train it, from the checkpoint where one is to be resumed."""
        with self.clock.phase("build"):
            model, shape = network(self.config, self.run.architecture, self.run.reconstruction)
            self.settings.update(run_record.shape_of(shape))
            set_norm_momentum(model, self.recipe)
            trainer = Trainer(place(model, self.device), batches, self.recipe, self.clock)
        trainer.history = self.history
        remarks = self.restore(trainer, checkpoint) if resume else []
        progress = Progress(self.run.name, trainer)
        for remark in remarks:
            progress.say(remark)

        def on_epoch(trainer: Trainer) -> None:
            progress.epoch(trainer.history[-1])
            checkpoint.save({**trainer.state_dict(), "resumed": self.resumed})

        try:
            trainer.train(progress.step, on_epoch)
        finally:
            progress.close()
            self.exactness = exactness(model)

    def restore(self, trainer: Trainer, checkpoint: Checkpoint) -> list[str]:
        """Continue from the newest whole checkpoint of this run, if there is one; returns what is to be said."""
        state, remarks = checkpoint.load()
        if state is None:
            return [*remarks, "no checkpoint of this run to resume from: it starts at the beginning"]
        trainer.load_state_dict(state)
        self.resumed = state["resumed"] + 1
        return [*remarks, f"resumed after epoch {len(self.history)} of {self.recipe.epochs}"]

    def tell(self, outcome: Outcome, record: dict[str, Any]) -> None:
        """One line at the end of the log."""
        accuracy = "" if outcome.accuracy is None else f", test {100 * outcome.accuracy:.2f} %"
        headline = record["seconds"]["load"] + record["seconds"]["training"]
        reason = f" ({outcome.reason})" if outcome.reason else ""
        print(f"{self.run.name}: {outcome.status}{reason}{accuracy}, {headline:.1f} s", file=sys.stderr, flush=True)
