"""Difficulty is computed from what an instance demands."""

from lamsim_core.records import GoldCall
from lamsim_core.tasks import load_templates, plan_tasks
from lamsim_core.tasks.difficulty import LEVELS, difficulty
from tests.instances import plain_instance


def test_more_calls_look_ups_and_tools_are_harder() -> None:
    task = plain_instance("calendar.move", "create_event")
    found = difficulty(task)
    assert (found.calls, found.turns) == (2, 2)
    assert found.looked_up == 1, "the event's id comes from a result; title and start are in the request"
    assert found.others == len(task.tools) - 2
    fewer = task.model_copy(update={"tools": task.tools[:1]})
    assert difficulty(fewer).score <= found.score
    shorter = task.model_copy(update={"gold": task.gold[:1]})
    assert difficulty(shorter).score < found.score
    together = GoldCall(name="find_events", arguments={"title": "x y z"}, together=True)
    more = difficulty(task.model_copy(update={"gold": (*task.gold, together)}))
    assert (more.calls, more.turns) == (3, 2) and more.score > found.score
    assert difficulty(task.model_copy(update={"style": "camel"})).score == found.score + 1


def test_every_level_occurs() -> None:
    levels = {difficulty(task).level for task in plan_tasks("train", len(load_templates()))}
    assert levels == set(LEVELS)
