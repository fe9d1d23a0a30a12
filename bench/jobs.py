"""The jobs of a scale: every record that it needs, where the record lies, its key, and how far it has got."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import plan
from bench.configuration import Configuration
from bench.errors import InputError
from bench.records import read_record, recorded_digest


@dataclass(frozen=True)
class Job:
    """One process that writes one record."""

    kind: str  # "train", "memory", "steps", "timeline" or "numerics"
    name: str
    architecture: str
    reconstructions: tuple[str, ...]
    record: Path
    key: str
    device: str  # what it runs on: auto, cpu or cuda
    run: plan.Run | None = None  # of a training run
    time_limit_s: float | None = None  # of a training run, at present
    processes: int = 1  # that share a training run

    @property
    def arguments(self) -> str:
        """What tells this job from the others of its kind, as arguments of `python -m bench <kind>`."""
        if self.kind == "numerics":
            return f"--experiment {self.name} --device {self.device}"
        if self.kind == "timeline":
            return f"--device {self.device}"
        words = f"--architecture {self.architecture}"
        if self.kind != "steps":
            words += f" --reconstruction {self.reconstructions[0]}"
        if self.run:
            return f"{words} --device {self.run.device} --seed {self.run.seed}"
        return f"{words} --device {self.device}"

    @property
    def state(self) -> str:
        """`done`, `missing`, `stale` (made with other settings or other code) or `broken` (not readable)."""
        return state_of(self.record, self._answers)

    @property
    def demand(self) -> str:
        """What Snakemake compares: the key and, where there is one, the time limit that the record was made under.

        So a limit that was changed is another demand only for a run that a lower one ended, or that was not run yet.
        """
        limit = self.time_limit_s
        if self.record.exists():
            try:
                record = read_record(self.record)
            except InputError:
                record = {}
            limit = record.get("time_limit_s") if self._answers(record) else limit
        return self.key if limit is None else f"{self.key} in {limit} s"

    def _answers(self, record: dict[str, Any]) -> bool:
        """Whether `record` is what the job would make now."""
        return recorded_digest(record, "key") == self.key and not outgrown(record, self.time_limit_s)


def state_of(path: Path, answers: Callable[[dict[str, Any]], bool]) -> str:
    """The state of the record at `path`; `answers` says whether what is read is what would be made now."""
    if not path.exists():
        return "missing"
    try:
        record = read_record(path)
    except InputError:
        return "broken"
    return "done" if answers(record) else "stale"


def outgrown(record: dict[str, Any], time_limit_s: float | None) -> bool:
    """Whether the record is of a run that timed out under a limit lower than the present one (None: no limit)."""
    outcome, under = record.get("outcome"), record.get("time_limit_s")
    if not isinstance(outcome, dict) or outcome.get("status") != "timed-out" or not isinstance(under, int | float):
        return False
    return time_limit_s is None or under < time_limit_s


def planned_jobs(configuration: Configuration, results: Path) -> list[Job]:
    """The training runs, measurements, timelines and experiments on noise whose records are the folder `results`."""
    first, limit = plan.table1_device(configuration)["device"], configuration["time_limit_s"]
    jobs = []
    for run in plan.planned_runs(configuration):
        record = results / "runs" / run.name / "record.json"
        device = plan.device_entry(configuration, run.device)
        made = record, plan.run_key(configuration, run), device["device"], run, limit, device["processes"]
        jobs.append(Job("train", run.name, run.architecture, (run.reconstruction,), *made))
    for architecture, reconstruction in plan.memory_targets(configuration):
        name = f"{architecture}-{reconstruction}"
        key = plan.memory_key(configuration, architecture, reconstruction)
        record = results / "memory" / f"{name}.json"
        jobs.append(Job("memory", name, architecture, (reconstruction,), record, key, first))
    for architecture in plan.steps_targets(configuration):
        reconstructions = tuple(configuration["architectures"][architecture]["reconstructions"])
        key = plan.steps_key(configuration, architecture)
        record = results / "steps" / f"{architecture}.json"
        jobs.append(Job("steps", architecture, architecture, reconstructions, record, key, first))
    key = plan.timeline_key(configuration)
    jobs.append(Job("timeline", "timeline", "", (), results / "timeline.json", key, first))
    for experiment in plan.numerics_targets(configuration):
        key = plan.numerics_key(configuration, experiment)
        jobs.append(Job("numerics", experiment, "", (), results / "numerics" / f"{experiment}.json", key, first))
    return jobs
