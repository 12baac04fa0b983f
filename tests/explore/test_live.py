import time

import pytest

from lamsim_core.errors import LamsimError
from lamsim_core.explore.live import LiveRun, get_live, live_runs, start_live
from lamsim_core.records import GoldCall, Sampling, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.tasks import get_template, instantiate

TASK = instantiate(get_template("calendar.move"), 3)


def begin(home: Settings, policy: str, stored: list[Trajectory]) -> LiveRun:
    return start_live(home, TASK, policy, Sampling(), attempt=0, on_trajectory=stored.append)


def until_my_turn(run: LiveRun, steps: int) -> None:
    deadline = time.monotonic() + 10
    while not (run.state == "your_turn" and len(run.steps) == steps):
        assert time.monotonic() < deadline and run.alive, run.state
        time.sleep(0.01)


def test_a_reference_run_is_found_again_and_stored(home: Settings) -> None:
    stored: list[Trajectory] = []
    run = begin(home, "gold", stored)
    assert run.wait(20)
    assert get_live(run.id) is run and run not in live_runs()
    assert run.state == "finished" and run.trajectory is not None and run.trajectory.passed is True
    assert [t.id for t in stored] == [run.trajectory.id] and stored[0].run == run.id
    assert run.first_token_seconds is not None and run.first_token_seconds <= run.seconds


def test_a_person_acts(home: Settings) -> None:
    stored: list[Trajectory] = []
    run = begin(home, "human", stored)
    for number, call in enumerate(TASK.gold):
        until_my_turn(run, number)
        run.act(GoldCall(name=call.name, arguments=call.arguments))
    until_my_turn(run, len(TASK.gold))
    run.act("Done.")
    assert run.wait(10)
    assert run.trajectory is not None and run.trajectory.passed is True
    with pytest.raises(LamsimError, match="not waiting"):
        run.act("more")


def test_stopping_while_it_is_my_turn(home: Settings) -> None:
    run = begin(home, "human", [])
    until_my_turn(run, 0)
    run.stop()
    assert run.wait(10)
    assert run.state == "stopped" and run.trajectory is not None and run.trajectory.passed is None


def test_an_unknown_model_is_a_sentence(home: Settings) -> None:
    run = begin(home, "no-such-model", [])
    assert run.wait(20)
    assert run.state == "failed" and run.error is not None and "no-such-model" in run.error


def test_unknown_runs_are_none() -> None:
    assert get_live("live_nothing") is None
