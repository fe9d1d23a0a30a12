"""Command line: `python -m bench <step> ...`. Every step of the workflow can be run by hand."""

import argparse
import contextlib
import importlib
import os
import sys

from bench.arguments import check, check_names, check_words
from bench.errors import told
from bench.quick_torch import import_torch

# step -> (module with `configure(parser)` and `run(arguments) -> int`, what the step does)
STEPS = {
    "list": ("bench.listing", "architectures, reconstructions, data sets and scales"),
    "train": ("bench.training.command", "train one network and write its record"),
    "search": ("bench.training.search_command", "try recipes on training images held out, and keep the record"),
    "logits": ("bench.logits_command", "how far a first step moves the logits, for choosing logit_scale"),
    "epoch": ("bench.epoch.command", "time an epoch against an ordinary PyTorch script of the same ResNet"),
    "control": ("bench.control.command", "train a network whose accuracy on CIFAR-10 is published, on other images"),
    "memory": ("bench.memory.command", "measure the peak memory of one training step, beside the theory"),
    "steps": ("bench.memory.steps_command", "time a training step of an architecture in each reconstruction, paired"),
    "timeline": ("bench.memory.timeline_command", "watch what a training step holds, layer by layer, in every network"),
    "timeline-figures": ("bench.reporting.timelines.command", "draw the timelines of a scale from their record"),
    "resident": ("bench.memory.resident", "compare the resident memory of the process with the tracked bytes"),
    "peers": ("bench.peers.command", "bytes, time and gradients beside other libraries for reversible networks"),
    "kernels": ("bench.kernels.command", "fused passes over activations against plain ones, on a GPU"),
    "paper-shapes": ("bench.memory.paper_shapes", "bytes per pixel of networks of the paper's own shapes"),
    "claims": ("bench.reporting.claims_command", "the table of the numbers that the draft leaves open"),
    "whole-batch": ("bench.training.whole_batch", "one training step with the whole training set as its batch"),
    "numerics": ("bench.numerics.command", "measure numerical noise, and what it does to accuracy"),
    "measure": ("bench.memory.measure_command", "all of `memory` and `steps` of an architecture in one process"),
    "tables": ("bench.reporting.command", "collect records into Table 1 and Table 2"),
    "figures": ("bench.reporting.figures.command", "draw the figures on noise, each beside its CSV"),
    "report": ("bench.reporting.page.command", "write one HTML file with tables, figures, curves and provenance"),
    "show": ("bench.show", "print a record for a reader"),
    "plan": ("bench.plan_command", "print what a scale runs, on what, and an estimate of the time"),
}
WITHOUT_TORCH = ("show",)
WITHOUT_OPTIMIZER = ("list", "logits", "plan", "tables", "claims", "figures", "timeline-figures", "report")


def main(arguments: list[str] | None = None) -> int:
    """Run one step; returns the exit code (2 for bad input, which is told in one sentence)."""
    words = sys.argv[1:] if arguments is None else arguments
    parsed = parse(words)
    try:
        check_words(words, parsed)
        check(parsed)
        if parsed.step not in WITHOUT_TORCH:
            import_torch(optimizers=parsed.step not in WITHOUT_OPTIMIZER)
        check_names(parsed)
        return importlib.import_module(STEPS[parsed.step][0]).run(parsed)
    except BrokenPipeError:
        return 1  # whoever read what is printed has seen enough of it
    except Exception as error:
        sentence = told(error) or memory_ran_out(error)
        if sentence is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("error: interrupted; what is finished is kept, and the next start goes on from there.", file=sys.stderr)
        return 130


def memory_ran_out(error: Exception) -> str | None:
    """The sentence for memory that ran out where it is no result, as it is in tables; None for any other error."""
    if "torch" not in sys.modules:
        return None
    from bench.training.outcome import first_line, is_memory_refusal

    if not is_memory_refusal(error):
        return None
    return f"memory ran out ({first_line(error)}); take a smaller batch or network, or a machine with more memory."


def parse(words: list[str]) -> argparse.Namespace:
    """The step and its arguments; a command line that no step takes ends the process, with its usage."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    subparsers = parser.add_subparsers(dest="step", required=True, metavar="step")
    for name, (module, purpose) in STEPS.items():
        subparser = subparsers.add_parser(name, help=purpose, description=purpose)
        # Only the step that is asked for is imported: torch takes seconds, and `--help` should not.
        if name in words[:1]:
            importlib.import_module(module).configure(subparser)
    return parser.parse_args(words)


def leave(code: int) -> None:
    """End the process without taking torch's modules apart one by one, which is a fifth of a short run."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
