"""How long the jobs of a scale may take: from earlier runs on this hardware where there are any, else from counts.

A job is taken to last its floating-point operations, counted on one training step of the very network, divided by a
rate. Earlier records give the rate; without any, a rate that common hardware reaches on small convolutions is assumed,
and the answer is an order of magnitude.
"""

import contextlib
import functools
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from bench.configuration import Configuration
from bench.errors import InputError
from bench.jobs import Job
from bench.memory.steps import WARM_UP
from bench.numerics.expected_time import expected_seconds
from bench.plan import device_entry, timeline_targets
from bench.provenance import hardware
from bench.records import read_record
from bench.training.device import torch_device
from bench.training.network import network
from bench.training.settings import available_cpus

# Operations a second that are assumed without earlier runs: of a CPU's thread on networks of 8 to 16 channels, and of a
# recent GPU in float32 on networks of 64.
CPU_THREAD_RATE, CUDA_RATE = 4e10, 1e13
# A process and its imports, in seconds.
START_S = 4.0
# Training images of the data sets when all are used; where it is not known, as many as CIFAR-10 has.
TRAINING_IMAGES = {"digits": 1437, "fashion-mnist": 60_000}
OTHER_TRAINING_IMAGES = 50_000

# (kind of device, architecture, reconstruction)
Network = tuple[str, str, str]


class Estimator:
    """Seconds of jobs of `configuration`; the records in `results` are read once."""

    def __init__(self, configuration: Configuration, results: Path) -> None:
        self.configuration = configuration
        self._rates = self._recorded_rates(results)

    @property
    def basis(self) -> str:
        """What the estimate rests on, as a clause."""
        if self._rates:
            return "from earlier runs on this hardware"
        return "from counted operations only: it may be wrong by a factor of three"

    def seconds(self, job: Job) -> float:
        """Estimated seconds of one job, its start included."""
        if job.kind == "numerics":
            return START_S + expected_seconds(self.configuration, job.name, torch_device(job.device).type)
        kind, images = torch_device(job.device).type, self._images(job)
        pairs = [(job.architecture, each) for each in job.reconstructions]
        if job.kind == "timeline":
            pairs = timeline_targets(self.configuration)
        return START_S + sum(images * self._operations(*pair) / self._rate((kind, *pair)) for pair in pairs)

    def _images(self, job: Job) -> int:
        """Images that go through a training step of each reconstruction of the job."""
        configuration = self.configuration
        if job.run:
            epochs = device_entry(configuration, job.run.device)["epochs"] or configuration["training"]["epochs"]
            data = configuration["data"]
            return epochs * (data["train_images"] or TRAINING_IMAGES.get(data["name"], OTHER_TRAINING_IMAGES))
        if job.kind == "timeline":
            return 2 * configuration["memory"]["batch_sizes"][0]  # a step that is watched, after one that is not
        if job.kind == "memory":
            return sum(configuration["memory"]["batch_sizes"]) + configuration["memory"]["table_batch_size"]
        return configuration["steps"]["batch_size"] * (WARM_UP + configuration["steps"]["repeats"])

    @functools.cache  # noqa: B019 (an estimator lives as long as the process)
    def _operations(self, architecture: str, reconstruction: str) -> float:
        """Floating-point operations of a training step an image, whatever is recomputed included."""
        model, _ = network(self.configuration, architecture, reconstruction)
        size = self.configuration["data"]["image_size"]
        images = torch.zeros(2, self.configuration["in_channels"], size, size)
        with _one_thread(), _OperationCounter() as counter:
            functional.cross_entropy(model(images), torch.zeros(2, dtype=torch.int64)).backward()
        return counter.operations / len(images)

    def _rate(self, network: Network) -> float:
        """Operations a second: of this network's runs, else of all runs on this kind of device, else assumed."""
        kind = network[0]
        of_kind = [rate for key, rates in self._rates.items() if key[0] == kind for rate in rates]
        return statistics.median(self._rates.get(network) or of_kind or [self._assumed_rate(kind)])

    def _assumed_rate(self, kind: str) -> float:
        return CUDA_RATE if kind == "cuda" else CPU_THREAD_RATE * (self.configuration["threads"] or available_cpus())

    def _recorded_rates(self, results: Path) -> dict[Network, list[float]]:
        """Operations a second of earlier runs of this scale, start and evaluation counted as training."""
        rates: dict[Network, list[float]] = {}
        here: dict[str, dict[str, Any]] = {}
        for path in sorted(results.glob("runs/*/record.json")):
            # What is broken, or of a network that is no longer planned, is reported by the tables, and no ground here.
            with contextlib.suppress(InputError, KeyError, IndexError, TypeError, ValueError, ZeroDivisionError):
                record = read_record(path)
                if _finished(record, here) and (rate := self._recorded_rate(record)) > 0:
                    settings = record["settings"]
                    network = (settings["device_type"], settings["architecture"], settings["reconstruction"])
                    rates.setdefault(network, []).append(rate)
        return rates

    def _recorded_rate(self, record: dict[str, Any]) -> float:
        """Operations a second of the run of `record`."""
        settings = record["settings"]
        images = record["data"]["sizes"][0] * len(record["history"])
        operations = self._operations(settings["architecture"], settings["reconstruction"])
        return images * operations / record["seconds"]["everything"]


class _OperationCounter(TorchDispatchMode):
    """Counts the floating-point operations of convolutions and matrix products, by PyTorch's own table.

    PyTorch's `FlopCounterMode` counts the same within 1 %, but makes torch import its compiler, which takes seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here; torch would import its compiler to be sure of that."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        if count:
            self.operations += count(*args, **(kwargs or {}), out_val=result)
        return result


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """For two images a second thread is no help, and where the cores are busy it takes ten times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _finished(record: dict[str, Any], here: dict[str, dict[str, Any]]) -> bool:
    """Whether the record is of a run that came to its end on this hardware, which `here` remembers by kind."""
    kind = record["settings"]["device_type"]
    if kind not in here:  # asking takes a process where there is a GPU
        here[kind] = hardware(torch_device(kind))
    same = all(record["hardware"].get(part) == here[kind][part] for part in ("cpu", "cpu_capability", "gpu"))
    return same and record["outcome"]["status"] in ("ok", "below-target")
