# What is made from what; how, is in the package `bench`, whose steps this only calls.
#
#   snakemake --cores 1            all of a scale: training runs, measurements, tables
#   snakemake --cores 1 tables     the tables again, from the records that exist; nothing is trained
#   snakemake --cores 1 report     the report (and whatever it needs), paper_tables/<scale>/report.html
#   snakemake --cores 1 figures    the figures on numerical noise, and the experiments that they are drawn from
#   snakemake -n                   the plan and the estimate; nothing is run
#   ... --config scale=smoke       another scale than the one that suits this machine

import sys
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError

from bench.announcement import RESULTS, announce
from bench.errors import InputError
from bench.jobs import planned_jobs
from bench.long_measurements import asked, at_hand
from bench.reporting.figures.names import FIGURE_FILES
from bench.reporting.timelines.names import timeline_names
from bench.scales import choose, configuration_of
from bench.snakemake_state import make_way
from bench.training.run_record import digest_of
from bench.training.settings import available_cpus
from bench.workflow_lock import hold

if Path.cwd() != Path(workflow.basedir).resolve():
    raise WorkflowError(f"The workflow runs in its own folder: start it in {workflow.basedir}, without --directory.")
if set(config) - {"scale"}:
    raise WorkflowError(f"--config knows only the key scale, not {', '.join(set(config) - {'scale'})}.")
try:
    choice = choose(str(config.get("scale", "")))
    settings = configuration_of(choice)
    jobs = planned_jobs(settings, RESULTS / choice.scale)
    claims = {claim.name: claim for claim in asked(settings, RESULTS / choice.scale)}
    if workflow.is_main_process:
        announce(choice, settings)
        if busy := make_way(choice.scale, [*jobs, *claims.values()]):
            print(f"note:   {busy}", file=sys.stderr, flush=True)
except InputError as error:
    raise WorkflowError(str(error)) from None

# `--resources` stands for all that a profile says of them: with gpu=4 alone, steps are still timed by one job at a time.
for resource in ("gpu", "timing"):
    if resource not in workflow.global_resources:
        workflow.register_resource(resource, 1)

trainings = {job.name: job for job in jobs if job.kind == "train"}
measurements = {}
for job in jobs:
    if job.kind in ("memory", "steps"):
        measurements.setdefault(job.architecture, []).append(job)
experiments = {job.name: job for job in jobs if job.kind == "numerics"}
(timelines,) = (job for job in jobs if job.kind == "timeline")
# As a word of a shell. It is quoted here and stays a path, since Snakemake compares commands and parameters that are text,
# and where a configuration lies makes no record another: records have their keys, and tables this digest.
CONFIG = Path(quote(str(choice.path)))
SETTINGS = digest_of(settings)


def gpus(wildcards):
    """GPUs of a job: none on a machine without any; on a cluster each asks for one."""
    return int(choice.gpu or not workflow.local_exec)


def shared(wildcards):
    """Processes that share a training run."""
    return trainings[wildcards.name].processes if "name" in wildcards.keys() else 1


def cores(wildcards):
    """Cores of a training, so that each process has its own: one with a GPU, else as many as the scale says.

    Where the scale leaves them open, a training has all there are, however many processes share it.
    """
    return (1 if gpus(wildcards) else settings["threads"]) * shared(wildcards) or available_cpus()


# Steps run in the interpreter that runs Snakemake, or in the environment that Snakemake makes for them. Said here and not
# as a parameter of the rules: an environment that moved must not make every record anew. A prefix replaces Snakemake's own,
# without which a step that fails before a pipe would be taken for one that succeeded (a plain sh may lack the option).
if not workflow.deployment_settings.deployment_method:
    strict = "set -eu; ! (set -o pipefail) 2> /dev/null || set -o pipefail"
    shell.prefix(f"{strict}; export PATH={quote(str(Path(sys.executable).parent))}:$PATH; ")


# Not at a dry run, nor where nothing is made that another workflow could be making, as by the rule tables.
onstart:
    if any(job.output for job in workflow.dag.needrun_jobs()):
        try:
            hold(choice.scale)
        except InputError as error:
            raise WorkflowError(str(error)) from None


# The last job's lines name every file there is: this one says where to look.
onsuccess:
    report = Path("paper_tables") / choice.scale / "report.html"
    where = f"; open {report} in a browser" if report.exists() else ""
    if (report.parent / "table1.md").exists():
        print(
            f"done:   the tables of scale {choice.scale} are in {report.parent}{where}", file=sys.stderr, flush=True
        )


pathvars:
    results=f"results/{choice.scale}",
    tables=f"paper_tables/{choice.scale}",


wildcard_constraints:
    name="[a-z0-9-]+",


localrules:
    all,


# The records are asked for by name: tables that lie there from elsewhere, as in a fresh clone, do not stand for them.
rule all:
    input:
        records=[job.record.as_posix() for job in jobs],
        tables=expand("<tables>/{table}.{suffix}", table=["table1", "table2"], suffix=["md", "csv", "tex"]),
        figures=expand("<tables>/figures/{file}", file=FIGURE_FILES if experiments else []),
        timelines=expand("<tables>/figures/{name}.{suffix}", name=timeline_names(settings), suffix=["png", "pdf"]),
        claims=expand("<tables>/claims.{suffix}", suffix=["md", "csv", "tex"]),
        report="<tables>/report.html",


# One process a run. A failed run (out of memory, diverged) is a record with a status, and no failure here. What a killed
# one left is its checkpoint, which is no output, so that Snakemake leaves it in place and --resume goes on from it.
rule train:
    output:
        record=ensure("<results>/runs/{name}/record.json", non_empty=True),
    log:
        "<results>/logs/train-{name}.log",
    conda:
        "envs/bench.yaml"
    threads: cores
    resources:
        gpu=lambda wildcards: gpus(wildcards) * shared(wildcards),
    params:
        config=CONFIG,
        key=lambda wildcards: trainings[wildcards.name].demand,
        run=lambda wildcards: trainings[wildcards.name].arguments,
        folder=subpath(output.record, parent=True),
    shell:
        "python -m bench train --config {params.config} {params.run}" " --output {params.folder} --resume > {log} 2>&1"


# One process an architecture for all that is measured on it: importing torch takes longer than measuring.
for architecture, records in measurements.items():

    rule:
        name:
            f"measure_{architecture}"
        output:
            records=ensure([job.record.as_posix() for job in records], non_empty=True),
        log:
            f"<results>/logs/measure-{architecture}.log",
        conda:
            "envs/bench.yaml"
        resources:
            gpu=gpus,
            timing=1,
        params:
            config=CONFIG,
            key=[job.key for job in records],
            run=f"--architecture {architecture} --device {records[0].device}",
            folder=RESULTS / choice.scale,
        shell:
            "python -m bench measure --config {params.config} {params.run} --output {params.folder} > {log} 2>&1"


# Experiments on numerical noise. Trainings of the sweeps that are done are kept beside the record, as no output: an
# experiment that was stopped goes on, and one that grew trains what is new.
rule numerics:
    output:
        record=ensure("<results>/numerics/{name}.json", non_empty=True),
    log:
        "<results>/logs/numerics-{name}.log",
    priority: 10  # by far the longest jobs of the smaller scales: begun last, they would leave a core idle at the end
    conda:
        "envs/bench.yaml"
    resources:
        gpu=gpus,
    params:
        config=CONFIG,
        key=lambda wildcards: experiments[wildcards.name].key,
        run=lambda wildcards: experiments[wildcards.name].arguments,
    shell:
        "python -m bench numerics --config {params.config} {params.run} --output {output.record} > {log} 2>&1"


rule figures:
    input:
        records=[job.record.as_posix() for job in experiments.values()],
        code=sorted(path.as_posix() for path in Path("bench/reporting/figures").glob("*.py")),
    output:
        expand("<tables>/figures/{file}", file=FIGURE_FILES),
    log:
        "<results>/logs/figures.log",
    conda:
        "envs/bench.yaml"
    params:
        config=CONFIG,
        results=RESULTS / choice.scale,
        folder=subpath(output[0], parent=True),
    shell:
        "python -m bench figures --config {params.config} --results {params.results}"
        " --output {params.folder} > {log} 2>&1"


rule timeline:
    output:
        record=ensure("<results>/timeline.json", non_empty=True),
    log:
        "<results>/logs/timeline.log",
    conda:
        "envs/bench.yaml"
    resources:
        gpu=gpus,
    params:
        config=CONFIG,
        key=timelines.key,
        run=timelines.arguments,
    shell:
        "python -m bench timeline --config {params.config} {params.run} --output {output.record} > {log} 2>&1"


rule timeline_figures:
    input:
        record=rules.timeline.output.record,
        code=[
            *sorted(path.as_posix() for path in Path("bench/reporting/timelines").glob("*.py")),
            "bench/reporting/figures/style.py",
        ],
    output:
        expand("<tables>/figures/{name}.{suffix}", name=timeline_names(settings), suffix=["png", "pdf"]),
    log:
        "<results>/logs/timeline-figures.log",
    conda:
        "envs/bench.yaml"
    params:
        config=CONFIG,
        results=RESULTS / choice.scale,
        folder=subpath(output[0], parent=True),
    shell:
        "python -m bench timeline-figures --config {params.config} --results {params.results}"
        " --output {params.folder} > {log} 2>&1"


# The tables of a whole scale: every record is made first.
rule collect:
    input:
        records=[job.record.as_posix() for job in jobs if job.kind not in ("numerics", "timeline")],
        code=sorted(path.as_posix() for path in Path("bench/reporting").glob("*.py")),
    output:
        rules.all.input.tables,
    log:
        "<results>/logs/collect.log",
    conda:
        "envs/bench.yaml"
    params:
        config=CONFIG,
        settings=SETTINGS,
        results=RESULTS / choice.scale,
        folder=subpath(output[0], parent=True),
    shell:
        "python -m bench tables --config {params.config} --results {params.results}"
        " --output {params.folder} > {log} 2>&1"


# For the claims table alone, where the scale's `claims` asks for them: bytes at the draft's own shapes, and one step with
# the whole training set as its batch. Elsewhere they are made by hand (docs/memory.md).
if "paper-shapes" in claims:

    rule paper_shapes:
        output:
            record=ensure("<results>/paper_shapes.json", non_empty=True),
        log:
            "<results>/logs/paper-shapes.log",
        conda:
            "envs/bench.yaml"
        resources:
            gpu=gpus,
        params:
            key=claims["paper-shapes"].key,
        shell:
            "python -m bench paper-shapes --output {output.record} > {log} 2>&1"


if "whole-batch" in claims:

    rule whole_batch:
        output:
            record=ensure("<results>/whole-batch/record.json", non_empty=True),
        log:
            "<results>/logs/whole-batch.log",
        conda:
            "envs/bench.yaml"
        threads: cores
        resources:
            gpu=gpus,
            mem_mb=16000,
        params:
            config=CONFIG,
            key=claims["whole-batch"].key,
            folder=subpath(output.record, parent=True),
        shell:
            "python -m bench whole-batch --config {params.config} --output {params.folder} > {log} 2>&1"


# What the draft leaves open.
rule claims:
    input:
        records=[
            *rules.collect.input.records,
            *(record.as_posix() for record in at_hand(settings, RESULTS / choice.scale)),
        ],
        code=rules.collect.input.code,
    output:
        rules.all.input.claims,
    log:
        "<results>/logs/claims.log",
    conda:
        "envs/bench.yaml"
    params:
        config=CONFIG,
        settings=SETTINGS,
        results=RESULTS / choice.scale,
        folder=subpath(output[0], parent=True),
    shell:
        "python -m bench claims --config {params.config} --results {params.results}"
        " --output {params.folder} > {log} 2>&1"


# One HTML file with all of it, for a browser; it needs no network.
rule report:
    input:
        rules.all.input.tables,
        rules.all.input.figures,
        rules.all.input.timelines,
        rules.all.input.claims,
        code=sorted(path.as_posix() for path in Path("bench/reporting/page").iterdir() if path.is_file()),
    output:
        report=rules.all.input.report,
    log:
        "<results>/logs/report.log",
    conda:
        "envs/bench.yaml"
    params:
        config=CONFIG,
        settings=SETTINGS,
        results=RESULTS / choice.scale,
        folder=subpath(output.report, parent=True),
    shell:
        "python -m bench report --config {params.config} --results {params.results}"
        " --tables {params.folder} --output {output.report} > {log} 2>&1"


# The tables of whatever records there are. With neither input nor output, this runs whenever asked for, and nothing else does.
rule tables:
    log:
        "<results>/logs/tables.log",
    conda:
        "envs/bench.yaml"
    params:
        config=CONFIG,
        results=RESULTS / choice.scale,
        folder=Path("paper_tables") / choice.scale,
    shell:
        "python -m bench tables --config {params.config} --results {params.results}"
        " --output {params.folder} 2>&1 | tee {log}"
