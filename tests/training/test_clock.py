"""The clock's accounts, kept with a clock that the test moves."""

import time

import pytest
import torch

from bench.training import clock as clock_module
from bench.training.clock import Clock, process_age

CPU = torch.device("cpu")


@pytest.fixture
def turn(monkeypatch):
    """A function that moves time on."""
    now = [100.0]
    monkeypatch.setattr(clock_module.time, "perf_counter", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


def test_every_second_goes_where_it_belongs(turn):
    clock = Clock(CPU, already=2.0)
    turn(1)
    phases = (
        ("load", 3),
        ("build", 5),
        ("training", 7),
        ("evaluation", 11),
        ("training", 13),
        ("warm_up", 19),
        ("tta", 23),
    )
    for name, seconds in phases:
        with clock.phase(name):
            turn(seconds)
    turn(17)
    expected = {"load": 3, "build": 5, "warm_up": 19, "training": 20, "evaluation": 11, "tta": 23, "everything": 101}
    assert clock.seconds() == expected
    assert clock.headline == 23


def test_seconds_before_a_failure_count(turn):
    clock = Clock(CPU)
    with pytest.raises(ArithmeticError), clock.phase("training"):
        turn(4)
        raise ArithmeticError
    assert clock.phases["training"] == 4
    with clock.phase("evaluation"):
        turn(1)
    assert clock.phases["evaluation"] == 1


def test_phases_neither_nest_nor_have_other_names(turn):
    clock = Clock(CPU)
    within = clock.phase("training")
    with pytest.raises(RuntimeError, match="'load' was begun while 'training' runs"), within, clock.phase("load"):
        pass
    with pytest.raises(KeyError), clock.phase("lunch"):
        pass


def test_a_resumed_run_counts_loading_once_and_everything_twice(turn):
    first = Clock(CPU, already=1.0)
    for name, seconds in (("load", 2), ("training", 10)):
        with first.phase(name):
            turn(seconds)
    state = first.state_dict()
    second = Clock(CPU, already=1.0)
    with second.phase("load"):
        turn(3)
    second.load_state_dict(state)
    with second.phase("training"):
        turn(10)
    assert second.phases["load"] == 2 and second.phases["training"] == 20
    assert second.everything == 13 + 14


def test_process_age_grows_with_time():
    before = process_age()
    time.sleep(0.05)
    assert before > 0 and process_age() - before > 0.03
