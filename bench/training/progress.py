"""What is shown while a run goes on: a progress bar on a terminal, a plain line an epoch elsewhere (a log, a pipe)."""

import sys
from typing import Any, TextIO

from tqdm import tqdm

from bench.training.loop import Trainer
from bench.training.outcome import accuracy_of


class Progress:
    """Shows steps and epochs of a run on `stream` (standard error unless told); nothing when `silent`."""

    def __init__(self, name: str, trainer: Trainer, stream: TextIO | None = None, silent: bool = False) -> None:
        self.epochs, self.evaluated_on = trainer.recipe.epochs, trainer.batches.evaluated_on
        self.stream, self.silent = stream or sys.stderr, silent
        done = len(trainer.history)
        self.before_s = trainer.history[-1]["training_s"] if done else 0.0
        tqdm.monitor_interval = 0  # no thread to watch the bar: its stack would count to a memory cap
        self.bar = tqdm(
            total=trainer.steps,
            initial=done * trainer.batches.steps_per_epoch,
            desc=name,
            unit="step",
            file=self.stream,
            disable=silent or not self.stream.isatty(),
        )

    def step(self) -> None:
        """A step is done."""
        self.bar.update()

    def epoch(self, entry: dict[str, Any]) -> None:
        """An epoch is done and evaluated: show its entry of the history."""
        seconds = entry["training_s"] - self.before_s
        self.before_s = entry["training_s"]
        line = (
            f"epoch {entry['epoch']}/{self.epochs} loss {entry['loss']:.2f} "
            f"{self.evaluated_on} {100 * accuracy_of(entry):.1f} % {seconds:.1f} s"
        )
        if self.silent:
            return
        if self.bar.disable:
            print(line, file=self.stream, flush=True)
        else:
            self.bar.set_postfix_str(line)

    def say(self, text: str) -> None:
        """A line of text that the bar does not overwrite."""
        if self.silent:
            return
        tqdm.write(text, file=self.stream)
        self.stream.flush()

    def close(self) -> None:
        """Leave the bar as it is."""
        self.bar.close()


def last_line(name: str, record: dict[str, Any]) -> str:
    """How a run ended, in one line."""
    outcome, seconds = record["outcome"], record["seconds"]
    words = outcome["status"] + (f" ({outcome['reason']})" if outcome["reason"] else "")
    if outcome["accuracy"] is not None:
        words += f", {record['settings']['evaluated_on']} {100 * outcome['accuracy']:.2f} %"
    return f"{name}: {words}, {seconds['load'] + seconds['training']:.1f} s"
