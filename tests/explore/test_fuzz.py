"""Hostile replies are data: nothing escapes, whatever the model wrote."""

import random

import pytest

from lamsim_core.agent.policy import ReplayPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.canonical import canonical_json
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.feedback import Judge
from lamsim_core.tasks import get_template, instantiate
from tests.explore.fuzz import fuzz, hostile


def test_hostile_replies_never_raise() -> None:
    found = fuzz(2500)
    assert found.escaped == 0, found.examples
    assert found.p99_ms < 500


def test_what_escapes_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(self: Judge, *seen: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Judge, "action", breaks)
    assert fuzz(200).escaped > 0


def test_a_hostile_reply_ends_as_a_judged_trajectory() -> None:
    rng = random.Random(5)
    task = instantiate(get_template("calendar.move"), 3)
    gold = [call_text(call) for call in task.gold]
    for _ in range(50):
        *_, last = run_attempt(task, ReplayPolicy([hostile(rng, gold) for _ in range(8)]), run="r")
        assert isinstance(last, Ended)
        assert last.trajectory.passed is not True
        canonical_json(last.trajectory.model_dump(mode="json"))
