"""What is shown while a run goes on: a progress bar on a terminal, a plain line an epoch elsewhere (a log, a pipe)."""

import sys
from typing import Any, TextIO

from tqdm import tqdm

from bench.training.loop import Trainer


class Progress:
    """Shows steps and epochs of a run on `stream` (standard error unless told)."""

    def __init__(self, name: str, trainer: Trainer, stream: TextIO | None = None) -> None:
        self.epochs = trainer.recipe.epochs
        self.stream = stream or sys.stderr
        done = len(trainer.history)
        self.before_s = trainer.history[-1]["training_s"] if done else 0.0
        tqdm.monitor_interval = 0  # no thread to watch the bar: its stack would count to a memory cap
        self.bar = tqdm(
            total=trainer.steps,
            initial=done * trainer.batches.steps_per_epoch,
            desc=name,
            unit="step",
            file=self.stream,
            disable=not self.stream.isatty(),
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
            f"test {100 * entry['test_accuracy']:.1f} % {seconds:.1f} s"
        )
        if self.bar.disable:
            print(line, file=self.stream, flush=True)
        else:
            self.bar.set_postfix_str(line)

    def say(self, text: str) -> None:
        """A line of text that the bar does not overwrite."""
        tqdm.write(text, file=self.stream)
        self.stream.flush()

    def close(self) -> None:
        """Leave the bar as it is."""
        self.bar.close()
