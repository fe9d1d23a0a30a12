"""What is said before anything runs: what was found, which scale was chosen and why, how much there is to do."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.configuration import SCALES, Configuration
from bench.jobs import Job, planned_jobs
from bench.scales import Choice

RESULTS = Path("results")
KINDS = {"train": "training runs", "memory": "memory measurements", "steps": "step timings"}


def announce(choice: Choice, configuration: Configuration) -> None:
    """Print the plan of the chosen scale to the standard error stream."""
    jobs = planned_jobs(configuration, RESULTS / choice.scale)
    lines = [
        f"found:  {choice.found}",
        f"scale:  {choice.scale}, because {choice.reason}",
        *summary(configuration, jobs),
        f"other:  make SCALE={'|'.join(SCALES)} CORES=... ARGS=..., or snakemake --config scale=...",
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)


def summary(configuration: Configuration, jobs: Sequence[Job]) -> list[str]:
    """Two or three lines: the jobs by kind and state, and the time that is left."""
    states = {job: job.state for job in jobs}
    counts = [f"{sum(job.kind == kind for job in jobs)} {words}" for kind, words in KINDS.items()]
    data = configuration["data"]
    lines = [f"plan:   {', '.join(counts)} on {data['name']}, images of {data['image_size']}x{data['image_size']}"]
    by_state = Counter(states.values())
    if set(by_state) != {"missing"}:
        lines.append(f"state:  {', '.join(f'{count} {state}' for state, count in by_state.items())}")
    left = [job for job, state in states.items() if state != "done"]
    return [*lines, f"time:   {remaining(configuration, left)}"]


def remaining(configuration: Configuration, jobs: Sequence[Job]) -> str:
    """How long `jobs` may take one after another, in words."""
    if not jobs:
        return "all records are there; only the tables may have to be made"
    # Here and not at the top: this imports torch, and counts operations.
    from bench.estimate import Estimator

    estimator = Estimator(configuration, RESULTS / configuration["scale"])
    return f"about {duration(sum(map(estimator.seconds, jobs)))} one after another ({estimator.basis})"


def duration(seconds: float) -> str:
    """Seconds as a person would say them."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
