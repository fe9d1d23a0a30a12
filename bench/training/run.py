"""One training run, from a configuration to its record."""

import contextlib
import gc
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench import data, provenance
from bench.plan import Run, run_key
from bench.records import write_record
from bench.training import memory_use, run_record
from bench.training.allocator import set_allocator
from bench.training.batches import Batches
from bench.training.clock import Clock, process_age
from bench.training.device import device_entry, torch_device
from bench.training.ending_together import end_for_all, ending_together
from bench.training.exactness import exactness
from bench.training.lease import Lease
from bench.training.loop import Trainer
from bench.training.memory_cap import memory_cap
from bench.training.memory_format import place
from bench.training.network import architecture_entry, trained_network
from bench.training.outcome import Outcome, outcome_of, reached
from bench.training.processes import ALONE, Processes, on_device
from bench.training.progress import Progress, last_line
from bench.training.recipe import recipe_from
from bench.training.resumption import Resumption
from bench.training.run_lock import run_lock
from bench.training.settings import available_cpus, set_determinism, set_precision, set_threads
from bench.training.time_limit import time_limit
from bench.training.warm_up import warm_up


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
        processes: Processes = ALONE,
        lease: Lease | None = None,
    ) -> None:
        """Check all that can be checked before anything is read or written; raises `InputError`."""
        architecture_entry(config, architecture)
        self.lease = lease or Lease()
        self.entry = {**device_entry(config, device), "processes": processes.count}
        self.config = {**config, "devices": [self.entry]}
        self.run = Run(architecture=architecture, reconstruction=reconstruction, device=self.entry["name"], seed=seed)
        self.device = torch_device(self.entry["device"])
        self.processes = on_device(processes, self.device)
        self.cap_mb = self.entry.get("memory_cap_mb")
        self.recipe = recipe_from(config["training"], self.entry)
        self.folder = folder
        self.clock = Clock(self.device, already=process_age() - self.lease.wait_s)
        self.settings = run_record.settings_of(
            config, architecture, reconstruction, seed, self.entry, self.device.type, self.recipe
        )
        self.digest = {
            "configuration": run_record.digest_of(config),
            "code": provenance.code_digest(),
            "key": run_key(self.config, self.run),
        }
        self.history: list[dict[str, Any]] = []
        self.remarks: dict[str, Any] = {"flip_tta_accuracy": None, "exactness": None, "cuda_graph": None}
        self.remarks["lease"] = vars(self.lease)
        # Raised, it makes the record of a timed-out run stale.
        self.remarks["time_limit_s"] = config.get("time_limit_s")

    def execute(self, resume: bool = False) -> Path:
        """Train, write the record, and return its path. However training ends, there is a record of it."""
        with run_lock(self.folder) if self.processes.writes else contextlib.nullcontext():
            return self.held(resume)

    def held(self, resume: bool) -> Path:
        """`execute`, now that no other process writes this run."""
        self.remarks["allocator"] = set_allocator(self.device, capped=self.cap_mb is not None)
        set_threads(self.config.get("threads", 0) or max(1, available_cpus() // self.processes.count))
        set_precision(self.recipe.precision)
        exact = self.run.reconstruction == "exact"
        set_determinism(self.device, self.run.seed, capped=self.cap_mb is not None, exact=exact)
        # An earlier run of this process is held in a circle, a trainer and its recorded step, and with it GPU memory.
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        with self.clock.phase("load"):
            batches = self.load()
        if self.cap_mb:
            self.warm_up(images=2)
        resumption = Resumption(self.folder, self.digest["key"], self.device, self.processes)
        memory_use.forget_peaks(self.device)
        target = self.config["target_accuracy"]

        def give_up(status: str, reason: str) -> None:
            """The end of a run that hangs, or waits for a process which has ended."""
            outcome = Outcome(status, reason, None, reached(self.history, target))
            self.finish(outcome, resumption)

        limit_s = self.config.get("time_limit_s")
        # Interrupted, one of several processes could not tell the others, who wait for it.
        own_limit_s = None if self.processes.several else limit_s

        def train() -> None:
            # The cap last: what watches the time is no part of what it is about.
            with time_limit(own_limit_s, partial(give_up, "timed-out")), memory_cap(self.device, self.cap_mb):
                self.build_and_train(batches, resumption, resume)

        with ending_together(self.processes, limit_s, give_up):
            outcome = outcome_of(train, self.history, target)
        self.finish(outcome, resumption)
        if outcome.status == "out-of-memory":
            end_for_all(self.processes, outcome.status, str(outcome.reason))
        return self.place

    @property
    def place(self) -> Path:
        """The record."""
        return self.folder / "record.json"

    def finish(self, outcome: Outcome, resumption: Resumption) -> None:
        """Write the record, tell of it, and remove a checkpoint that is done with, where this process is to write."""
        if not self.processes.writes:
            return
        record = run_record.run_record(
            self.settings,
            outcome,
            self.history,
            self.clock.seconds(),
            resumption.peaks(),
            self.digest,
            self.device,
            self.processes,
            resumed=resumption.times,
            **self.remarks,
        )
        write_record(self.place, record)
        print(last_line(self.run.name, record), file=sys.stderr, flush=True)
        # With more time the run could go on from where it was.
        if outcome.status != "timed-out":
            resumption.checkpoint.remove()

    def load(self) -> Batches:
        """Read the data set, and put its images where they stay."""
        images = data.load(self.config["data"], self.config["in_channels"], self.config["classes"])
        sizes = [len(images.train), len(images.test)]
        self.remarks["data"] = {"source": images.source, "cached": images.cached, "sizes": sizes}
        self.settings["evaluated_on"] = images.evaluated_on
        # Under a cap the images stay on the host, as they would beside a small card.
        keep_on = torch.device("cpu") if self.cap_mb else self.device
        return Batches(images, self.recipe, self.run.seed, self.device, keep_on, self.processes)

    def warm_up(self, images: int) -> None:
        """`warm_up.warm_up` by the clock."""
        with self.clock.phase("warm_up"):
            warm_up(self.config, self.run, self.recipe, self.device, images)

    def build_and_train(self, batches: Batches, resumption: Resumption, resume: bool) -> None:
        """Build the network and train it, from the checkpoint where one is to be resumed."""
        if self.device.type == "cuda" and not self.cap_mb:
            self.warm_up(batches.share)
        with self.clock.phase("build"):
            names = self.run.architecture, self.run.reconstruction
            model, shape = trained_network(self.config, *names, self.recipe)
            self.settings.update(run_record.shape_of(shape))
            model = place(model, self.device, self.recipe.precision)
            trainer = Trainer(model, batches, self.recipe, self.clock, self.processes, capture=self.cap_mb is None)
        trainer.history = self.history
        remarks = resumption.restore(trainer) if resume else []
        progress = Progress(self.run.name, trainer, silent=not self.processes.writes)
        for remark in remarks:
            progress.say(remark)

        def on_epoch(trainer: Trainer) -> None:
            progress.epoch(trainer.history[-1])
            resumption.save(trainer)

        try:
            trainer.train(progress.step, on_epoch)
        finally:
            progress.close()
            self.remarks["exactness"] = exactness(model)
            self.remarks["cuda_graph"] = resumption.cuda_graph(trainer)
        if self.recipe.flip_tta:
            with self.clock.phase("tta"):
                self.remarks["flip_tta_accuracy"] = trainer.evaluate(mirrored=True)
