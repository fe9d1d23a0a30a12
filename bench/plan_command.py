"""`python -m bench plan`: what a scale runs, what of it is done, and an estimate of the time."""

import argparse
import json
from pathlib import Path

import pandas as pd

from bench.announcement import RESULTS, summary
from bench.configuration import load
from bench.estimate import Estimator
from bench.jobs import planned_jobs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this step's options."""
    parser.add_argument("--config", type=Path, required=True, help="configuration, config/<scale>.yaml")
    parser.add_argument("--json", action="store_true", help="print the jobs as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the plan; nothing is run or written."""
    configuration = load(arguments.config)
    results = RESULTS / configuration["scale"]
    jobs, estimator = planned_jobs(configuration, results), Estimator(configuration, results)
    rows = [
        {
            "kind": job.kind,
            "name": job.name,
            "state": job.state,
            "key": job.key,
            "estimated_s": round(estimator.seconds(job), 1),
            "record": job.record.as_posix(),
        }
        for job in jobs
    ]
    if arguments.json:
        print(json.dumps({"scale": configuration["scale"], "basis": estimator.basis, "jobs": rows}, indent=2))
        return 0
    print(pd.DataFrame(rows).to_string(index=False))
    print("\n".join(summary(configuration, jobs, estimator)))
    return 0
