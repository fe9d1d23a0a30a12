# What is made from what; how is in the package `bench`, whose steps this only calls.
#
#   snakemake --cores 1            all of a scale: training runs, measurements, tables
#   snakemake --cores 1 tables     the tables again, from the records that exist; nothing is trained
#   snakemake -n                   the plan and the estimate, without running anything
#   ... --config scale=smoke       another scale than the one that suits this machine

import sys

from snakemake.exceptions import WorkflowError

from bench import plan
from bench.announcement import announce
from bench.configuration import load
from bench.errors import InputError
from bench.scales import choose

try:
    choice = choose(str(config.get("scale", "")))
    settings = load(choice.path)
    if workflow.is_main_process:
        announce(choice, settings)
except InputError as error:
    raise WorkflowError(str(error)) from None

runs = {run.name: run for run in plan.planned_runs(settings)}
pairs = {f"{architecture}-{reconstruction}": (architecture, reconstruction) for architecture, reconstruction in plan.memory_targets(settings)}

pathvars:
    results=f"results/{choice.scale}",
    tables=f"paper_tables/{choice.scale}",
