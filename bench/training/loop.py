"""The training loop: epochs of steps, an evaluation after each, and a state that a checkpoint can hold."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bench.training.batches import Batches
from bench.training.captured import CapturedStep
from bench.training.clock import Clock
from bench.training.evaluation import accuracy
from bench.training.exactness import check_exactness, defer_checks, gather_overflows, overflows, restore_overflows
from bench.training.finite import check_loss, check_network
from bench.training.lookahead import Lookahead
from bench.training.precision import computing
from bench.training.processes import ALONE, Processes
from bench.training.recipe import Recipe, batch_loss, make_optimizer
from bench.training.schedule import Schedule, learning_rate


def ignore(*_: Any) -> None:
    """Report to nobody."""


class Trainer:
    """Trains `model`, a module from images (N, C, H, W) to logits (N, classes), on the device that it lies on.

    On CUDA, and alone, steps become a CUDA graph, which keeps the memory of a step for itself, unless `capture` is
    false, as it is to be under a memory cap: the recording asks for work space of its own, and keeps it when it fails.
    Another `optimizer` than the recipe's may be given; each of its groups has the scheduled rate, times the group's
    "factor" where it has one.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        recipe: Recipe,
        clock: Clock,
        processes: Processes = ALONE,
        capture: bool = True,
        optimizer: torch.optim.Optimizer | None = None,
        schedule: Schedule = learning_rate,
    ) -> None:
        self.model, self.batches, self.recipe, self.clock = model, batches, recipe, clock
        self.processes, self.wrapped = processes, processes.wrap(model)
        if processes.several:
            defer_checks(model)
        self.optimizer, self.schedule = optimizer or make_optimizer(model, recipe), schedule
        capture = capture and batches.device.type == "cuda" and not processes.several
        self.captured = CapturedStep(self.step) if capture else None
        # A graph reads the groups' learning rates where these lie.
        self.rates = [torch.zeros((), device=batches.device) for _ in self.optimizer.param_groups] if capture else []
        self.lookahead = Lookahead(model, recipe, self.steps)
        self.history: list[dict[str, Any]] = []

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.recipe.epochs * self.batches.steps_per_epoch

    def train(self, on_step: Callable[..., Any] = ignore, on_epoch: Callable[..., Any] = ignore) -> None:
        """Train the epochs that are left. `on_epoch(trainer)` follows each, outside the clock's phases.

        Raises `Diverged` when the loss, a parameter or a running statistic is not finite.
        """
        self.model.train()
        while len(self.history) < self.recipe.epochs:
            epoch = len(self.history) + 1
            with self.clock.phase("training"):
                loss = self.train_epoch(epoch, on_step)
            with self.clock.phase("evaluation"):
                reached = self.evaluate()
            self.history.append(
                {
                    "epoch": epoch,
                    "learning_rate": float(self.optimizer.param_groups[0]["lr"]),
                    "loss": loss,
                    f"{self.batches.evaluated_on}_accuracy": reached,
                    "training_s": self.clock.phases["training"],
                    "evaluation_s": self.clock.phases["evaluation"],
                }
            )
            on_epoch(self)

    def train_epoch(self, epoch: int, on_step: Callable[..., Any]) -> float:
        """One pass over the training images; returns the mean loss of its steps."""
        total = torch.zeros((), device=self.batches.device)
        steps = self.batches.steps_per_epoch
        take_step = self.captured or self.step
        for step, (images, labels) in enumerate(self.batches.training(epoch)):
            self.set_learning_rate((epoch - 1) * steps + step)
            total += take_step(images, labels)
            self.lookahead.after((epoch - 1) * steps + step)
            # A GPU is asked once an epoch, since asking makes it wait; the CPU computes step by step in any case.
            # Several processes must agree to end: they add their losses up once an epoch.
            if self.batches.device.type == "cpu" and not self.processes.several:
                check_loss(total, epoch, step)
            on_step()
        check_exactness(self.model, self.processes)
        gather_overflows(self.model, self.processes)
        check_loss(self.processes.sum_(total), epoch, steps - 1)
        check_network(self.model, self.processes, epoch)
        return total.item() / steps / self.processes.count

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Forward, backward and update by one batch; returns its mean loss."""
        # A step that broke off while it was recorded as a CUDA graph has left gradients that were never computed.
        self.optimizer.zero_grad(set_to_none=True)
        with computing(self.recipe.precision, self.batches.device):
            logits = self.wrapped(images)
        loss = batch_loss(logits, labels, self.recipe)
        loss.backward()
        self.optimizer.step()
        # Here, not before `backward`: gradients that are no longer needed would add to the next step's peak.
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def evaluate(self, mirrored: bool = False) -> float:
        """Accuracy of the present weights (`evaluation.accuracy`), every process taking its share of the images."""
        # Those that lookahead keeps as well: a checkpoint, which one process writes, is then every process's.
        self.processes.average_([*self.model.buffers(), *self.lookahead.slow_statistics])
        with computing(self.recipe.precision, self.batches.device):
            reached = accuracy(self.model, self.batches, self.processes, mirrored)
        gather_overflows(self.model, self.processes)
        return reached

    def set_learning_rate(self, step: int) -> None:
        """Set the scheduled rate of `step`, counted over the run."""
        rate = self.schedule(step, self.steps, self.recipe)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1)
        for group, place in zip(self.optimizer.param_groups, self.rates, strict=False):
            group["lr"] = place.fill_(group["lr"])

    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the run depends on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "overflows": overflows(self.model),
            "lookahead": self.lookahead.state_dict(),
            "batches": self.batches.generator.get_state(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if self.batches.device.type == "cuda" else [],
            "clock": self.clock.state_dict(),
            "history": self.history,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.processes.writes:  # it has counted for all
            restore_overflows(self.model, state["overflows"])
        self.lookahead.load_state_dict(state["lookahead"])
        self.batches.generator.set_state(state["batches"])
        torch.set_rng_state(state["torch"])
        if state["cuda"]:
            torch.cuda.set_rng_state_all(state["cuda"])
        self.clock.load_state_dict(state["clock"])
        self.history[:] = state["history"]
