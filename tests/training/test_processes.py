"""One run by two gloo processes: the real command under torchrun, and the loop against one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from torch import distributed, multiprocessing, nn

from bench.architectures import build
from bench.errors import InputError
from bench.reversible import InexactReconstruction
from bench.reversible.checksum import checksum
from bench.training.exactness import check_exactness, overflows
from bench.training.processes import ALONE, Processes, join_processes, leave_processes
from bench.training.settings import available_cpus
from tests.reversible.networks import images
from tests.training.test_train_command import CONFIG

ROOT = Path(__file__).parents[2]


def network():
    """Nothing in it looks at more than one image, so that two processes can do exactly what one does."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU(), nn.Flatten(), nn.Linear(512, 2))


def train_share(rank, folder, make_trainer):
    """Train as one of two, and leave weights and history in `folder`."""
    processes = joined(rank, folder)
    trainer = make_trainer(network(), processes=processes, lookahead=4)
    trainer.train()
    torch.save([trainer.model.state_dict(), trainer.history], Path(folder, f"{rank}.pt"))
    leave_processes(processes)


def joined(rank, folder):
    """One of two processes, who have met."""
    os.environ |= {"WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": Path(folder, "port").read_text()}
    torch.set_num_threads(1)
    return join_processes()


def count_overflows(rank, folder, make_trainer):
    """Train an exact network on a grid that its values leave, as one of two, and leave what each has counted."""
    processes = joined(rank, folder)
    torch.manual_seed(1)
    model = build("irevnet", "exact", initial_channels=8, depths=(1, 1), classes=2, grid_bits=23)
    trainer = make_trainer(model, processes=processes, epochs=1)
    own = []
    trainer.train_epoch(1, on_step=lambda: own.append(overflows(model)[0]))
    told = overflows(model)[0]
    trainer.evaluate()
    evaluated = overflows(model)[0]
    trainer.load_state_dict({**trainer.state_dict(), "overflows": [1000]})
    resumed = overflows(model)[0]
    if rank:  # in training the others wait for this one, so that nothing is raised at once
        different, name = images(0, 2, 8, 4, 4, dtype=torch.float32), "layer 7"
        model.grid.compare(name, [different], checksum([-different]), model.grid.counted())
    with pytest.raises(InexactReconstruction) as inexact:
        check_exactness(model, processes)
    torch.save([own[-1], told, evaluated, resumed, str(inexact.value)], Path(folder, f"{rank}.pt"))
    leave_processes(processes)


class Second(Processes):
    """One of two, the other of which has statistics of 1 wherever this one has any."""

    def sum_(self, value):
        return value.add_(1)


def test_what_lookahead_keeps_of_running_statistics_is_every_processs_as_well(make_trainer, monkeypatch):
    monkeypatch.setattr(Processes, "wrap", lambda self, model: model)
    trainer = make_trainer(processes=Second(1, 2), lookahead=4)
    before = [slow.clone() for slow in trainer.lookahead.slow]
    trainer.processes.average_(trainer.lookahead.slow_statistics)
    names = [name for name, value in trainer.model.state_dict().items() if value.is_floating_point()]
    for name, slow, old in zip(names, trainer.lookahead.slow, before, strict=True):
        assert torch.equal(slow, (old + 1) / 2 if "running" in name else old), name


def test_two_processes_train_as_one_does_with_the_same_global_batch(make_trainer, tmp_path, free_port):
    (tmp_path / "port").write_text(str(free_port))
    multiprocessing.spawn(train_share, (str(tmp_path), make_trainer), nprocs=2)
    (first, history), (second, _) = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    alone = make_trainer(network(), lookahead=4)
    alone.train()
    for name, value in alone.model.state_dict().items():
        assert torch.equal(first[name], second[name])
        assert torch.allclose(first[name], value, atol=2e-5), name
    for mine, other in zip(history, alone.history, strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert mine["test_accuracy"] == pytest.approx(other["test_accuracy"], abs=1 / 40)


def test_one_process_tells_of_what_all_have_found_of_exactness(make_trainer, tmp_path, free_port):
    (tmp_path / "port").write_text(str(free_port))
    multiprocessing.spawn(count_overflows, (str(tmp_path), make_trainer), nprocs=2)
    (first, told, evaluated, resumed, sentence), second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert first > 0 and second[0] > 0 and told == first + second[0] < evaluated and resumed == 1000
    assert second[1:4] == [0, 0, 0] and "input of layer 7 is not the one" in second[4]
    assert sentence.startswith("Another process of this run")


def start_two(folder, epochs, timeout, **settings):
    """Train RevNet by two processes, started by the plain command, into `folder`/run; returns what it printed."""
    devices = [{"name": "machine", "device": "cpu", "processes": 2}]
    config = {**CONFIG, "devices": devices, "training": {**CONFIG["training"], "epochs": epochs}, **settings}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "bench", "train", "--config", str(folder / "tiny.yaml"), "--seed", "1"]
    command += ["--architecture", "revnet", "--reconstruction", "noisy", "--output", str(folder / "run")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def run_by_two(tmp_path_factory):
    """A folder with a run by two processes, and what it printed."""
    folder = tmp_path_factory.mktemp("two")
    return folder, start_two(folder, epochs=3, timeout=300)


def test_the_command_starts_two_and_writes_one_record(run_by_two):
    folder, printed = run_by_two
    assert [path.name for path in (folder / "run").iterdir()] == ["record.json"]
    record = json.loads((folder / "run" / "record.json").read_text())
    assert record["processes"] == {
        "count": 2,
        "global_batch_size": 20,
        "batch_size_each": 10,
        "batch_normalisation": "over the images of each process",
    }
    assert record["hardware"]["device"].startswith("2 processes, ")
    assert len(record["history"]) == 3 and record["history"][-1]["loss"] < record["history"][0]["loss"]
    assert record["outcome"]["accuracy"] > 0.3  # ten classes
    assert printed.count("epoch 1/3 ") == 1


def test_two_processes_come_to_the_limit_of_time_together(tmp_path):
    """Interrupted one by one, each would wait for the other."""
    start_two(tmp_path, epochs=100_000, timeout=50, time_limit_s=2, threads=0)
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["hardware"]["threads"] == max(1, available_cpus() // 2)  # they share the machine's cores
    assert record["outcome"]["status"] == "timed-out" and record["history"]
    assert record["outcome"]["reason"] == "not done after 2 seconds, the time limit of a run"
    assert (tmp_path / "run" / "checkpoint.pt").exists()


# In one of the two processes alone: what it may happen to with some memory of its own, or a busier GPU.
REFUSED = """
import os
from bench.training.loop import Trainer

step, taken = Trainer.step, []

def refused(self, images, labels):
    taken.append(images)
    if os.environ["RANK"] == "{rank}" and len(taken) > 12:  # ten an epoch
        raise MemoryError("out of memory at last")
    return step(self, images, labels)

Trainer.step = refused
"""


@pytest.mark.parametrize("rank", [0, 1])
def test_one_process_that_is_refused_memory_ends_the_run_of_both_with_its_record(rank, tmp_path):
    (tmp_path / "refused.py").write_text(REFUSED.format(rank=rank))
    start_two(tmp_path, epochs=100_000, timeout=120, plugins=["refused.py"])
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["outcome"]["status"] == "out-of-memory" and len(record["history"]) == 1
    told = " (in process 2 of 2)" if rank else ""
    assert record["outcome"]["reason"] == f"out of memory at last{told}"
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_a_run_by_two_is_another_than_a_run_by_one(run_by_two):
    from bench import configuration
    from bench.plan import Run, run_key

    folder, _ = run_by_two
    config = configuration.load(folder / "tiny.yaml")
    run = Run("revnet", "noisy", "machine", 1)
    key = json.loads((folder / "run" / "record.json").read_text())["digest"]["key"]
    assert key == run_key(config, run)
    config["devices"][0]["processes"] = 1
    assert key != run_key(config, run)


def test_processes_wait_for_one_another_while_one_of_them_waits_for_gpus(monkeypatch):
    """torch's own patience is half an hour."""
    told = {}
    monkeypatch.setattr(distributed, "init_process_group", lambda backend, **options: told.update(options))
    monkeypatch.setattr(distributed, "rendezvous", lambda method: iter([(distributed.HashStore(), 0, 2)]))
    for name in ("WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.setenv(name, "2")
    join_processes()
    assert told["timeout"].days >= 7


class Fourth(Processes):
    """One of four, of whom one has another number where `other` says so."""

    other = 0

    def sum_(self, value):
        n = int(value[0])
        return value.mul_(3).add_(torch.tensor([n + self.other, (n + self.other) ** 2]))


@pytest.mark.parametrize("number", [0, 3, 200])
@pytest.mark.parametrize("other", [0, 1, 5])
def test_processes_agree_where_all_have_the_same_number(number, other):
    processes = Fourth(3, 4)
    object.__setattr__(processes, "other", other)
    assert processes.agree(number, torch.device("cpu")) == (other == 0)
    assert ALONE.agree(number, torch.device("cpu"))


def test_a_batch_that_cannot_be_shared_is_named():
    assert ALONE.share(7) == 7 and Processes(count=2).share(8) == 4
    with pytest.raises(InputError, match="batch_size is 7, which 2 processes cannot share"):
        Processes(count=2).share(7)
