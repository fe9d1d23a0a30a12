"""What is said before anything runs: what was found, which scale was chosen and why, how much there is to do."""

import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from bench.configuration import SCALES, Configuration
from bench.jobs import Job, planned_jobs
from bench.long_measurements import asked
from bench.records import read_record
from bench.scales import Choice

if TYPE_CHECKING:
    from bench.estimate import Estimator

RESULTS = Path("results")
KINDS = {
    "train": "training runs",
    "memory": "memory measurements",
    "steps": "step timings",
    "timeline": "record of timelines",
    "numerics": "experiments on noise",
}


def announce(choice: Choice, configuration: Configuration) -> None:
    """Print the plan of the chosen scale to the standard error stream."""
    jobs = planned_jobs(configuration, RESULTS / choice.scale)
    lines = [
        f"found:  {choice.found}",
        f"scale:  {choice.scale}, because {choice.reason}",
        *summary(configuration, jobs),
        *(f"note:   {said}" for said in namesakes(choice.path, jobs)),
        f"other:  make SCALE={'|'.join(SCALES)} CORES=... ARGS=..., or snakemake --config scale=...",
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)


def summary(configuration: Configuration, jobs: Sequence[Job], estimator: "Estimator | None" = None) -> list[str]:
    """Two to four lines: the jobs by kind and state, and the time that is left, by `estimator` if there is one."""
    states = {job: job.state for job in jobs}
    by_kind = Counter(job.kind for job in jobs)
    counts = [f"{by_kind[kind]} {words}" for kind, words in KINDS.items() if by_kind[kind]]
    data = configuration["data"]
    lines = [f"plan:   {', '.join(counts)} on {data['name']}, images of {data['image_size']}x{data['image_size']}"]
    if claims := asked(configuration, RESULTS / configuration["scale"]):
        named = " and ".join(f"{claim.name} ({claim.state})" for claim in claims)
        lines.append(f"claims: {named} besides, not in the time below")
    by_state = Counter(states.values())
    if set(by_state) != {"missing"}:
        lines.append(f"state:  {', '.join(f'{count} {state}' for state, count in by_state.items())}")
    left = [job for job, state in states.items() if state != "done"]
    if not left:
        if any(claim.state != "done" for claim in claims):
            return [*lines, "time:   all records are there but those for the claims table"]
        return [*lines, "time:   all records are there; only the tables may have to be made"]
    if estimator is None:
        # Here and not at the top: this imports torch, and counts operations.
        from bench.estimate import Estimator

        estimator = Estimator(configuration, RESULTS / configuration["scale"])
    time = duration(sum(map(estimator.seconds, left)))
    return [*lines, f"time:   about {time} one after another ({estimator.basis})"]


def namesakes(path: Path, jobs: Sequence[Job]) -> list[str]:
    """A sentence for each other configuration with the file name of the one at `path` that stale records were made by.

    Both have one folder of results, and each would make the other's records anew.
    """
    found = Counter(made_by(job.record) for job in jobs if job.state == "stale")
    return [
        f"{count} of the stale records come from {other}, a configuration with the same file name; to keep them, give"
        " one of the two, and the scale in it, another name."
        for other, count in found.items()
        if other and other.name == path.name and other.is_file() and not other.samefile(path)
    ]


def made_by(record: Path) -> Path | None:
    """The configuration that the command of a whole `record` names; None where it names none."""
    command = read_record(record).get("command")
    words = [str(word) for word in command] if isinstance(command, list) else []
    return next((Path(value) for option, value in pairwise(words) if option == "--config"), None)


def duration(seconds: float) -> str:
    """Seconds as a person would say them."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 86400:.0f} days"
