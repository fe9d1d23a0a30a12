"""The jobs of a scale: every record that it needs, where the record lies, its key, and how far it has got."""

from dataclasses import dataclass
from pathlib import Path

from bench import plan
from bench.configuration import Configuration
from bench.errors import InputError
from bench.records import read_record


@dataclass(frozen=True)
class Job:
    """One process that writes one record."""

    kind: str  # "train", "memory", "steps" or "numerics"
    name: str
    architecture: str
    reconstructions: tuple[str, ...]
    record: Path
    key: str
    device: str  # what it runs on: auto, cpu or cuda
    run: plan.Run | None = None  # of a training run

    @property
    def arguments(self) -> str:
        """What tells this job from the others of its kind, as arguments of `python -m bench <kind>`."""
        if self.kind == "numerics":
            return f"--experiment {self.name} --device {self.device}"
        words = f"--architecture {self.architecture}"
        if self.kind != "steps":
            words += f" --reconstruction {self.reconstructions[0]}"
        if self.run:
            return f"{words} --device {self.run.device} --seed {self.run.seed}"
        return f"{words} --device {self.device}"

    @property
    def state(self) -> str:
        """`done`, `missing`, `stale` (made with other settings or other code) or `broken` (not readable)."""
        if not self.record.exists():
            return "missing"
        try:
            digest = read_record(self.record).get("digest")
        except InputError:
            return "broken"
        return "done" if isinstance(digest, dict) and digest.get("key") == self.key else "stale"


def planned_jobs(configuration: Configuration, results: Path) -> list[Job]:
    """The training runs, measurements and experiments on noise whose records are the folder `results`."""
    first = configuration["devices"][0]["device"]
    jobs = []
    for run in plan.planned_runs(configuration):
        record = results / "runs" / run.name / "record.json"
        device = plan.device_entry(configuration, run.device)["device"]
        key = plan.run_key(configuration, run)
        jobs.append(Job("train", run.name, run.architecture, (run.reconstruction,), record, key, device, run))
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
    for experiment in plan.numerics_targets(configuration):
        key = plan.numerics_key(configuration, experiment)
        jobs.append(Job("numerics", experiment, "", (), results / "numerics" / f"{experiment}.json", key, first))
    return jobs
