"""What counts as a broken call, what a mistyped value is blamed for, and what a refusal is blamed on."""

import json

import pytest

from lamsim_core.agent.policy import ReplayPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.environment.arguments import ArgumentValidator
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.feedback.reference import differences, in_full, same_call
from lamsim_core.records import GoldCall, Task, Trajectory
from lamsim_core.tasks import get_template, instantiate
from tests.instances import plain_instance

MOVE = plain_instance("calendar.move", "create_event")


def attempt(task: Task, *replies: str) -> Trajectory:
    *_, last = run_attempt(task, ReplayPolicy(replies), run="r")
    assert isinstance(last, Ended)
    return last.trajectory


def broken(message: str) -> bool:
    return "structure" in [verdict.error_class for verdict in attempt(MOVE, message).steps[0].failed]


@pytest.mark.parametrize(
    "message",
    [
        'find_events(title="x")',
        '[find_events(title="x"), create_event()]',
        "```python\nfind_events()\n```",
        '{"name": "find_events", "parameters": {}}',
        '{"name": "no_such_tool", "parameters": {}}',
        '{"tool": "find_events"}',
        '<function=find_events>{"title": "x"}</function>',
        '[TOOL_CALLS] [{"name": "x"}]',
    ],
)
def test_calls_in_other_forms_are_broken_calls(message: str) -> None:
    assert broken(message)


@pytest.mark.parametrize(
    "message",
    [
        '{"name": "Ada", "found": true}',
        "I used find_events(title) and found nothing.",
        "It is at 10:00 (as find_events told).",
        "[1] (see above)",
        "Its name: 'Ada', its place: 'Hall'.",
    ],
)
def test_messages_are_no_broken_calls(message: str) -> None:
    assert not broken(message)


def test_a_long_message_is_read_in_a_moment() -> None:
    for text in (" " * 300_000, "[" * 300_000, "find_events(" * 30_000):
        assert attempt(MOVE, text).steps[0].seconds < 2


def test_a_mistyped_value_has_that_fault_alone() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 50}, "k": {"type": "string", "enum": ["a"]}},
    }
    faults = ArgumentValidator(schema).faults({"n": 1.5, "k": 7})
    assert [(fault.name, fault.path) for fault in faults] == [("type", "$.arguments.n"), ("type", "$.arguments.k")]


def test_what_is_left_out_means_the_default() -> None:
    task = instantiate(get_template("contacts.label_taken"), 0)
    refused = next(call for call in task.gold if call.fails)
    given = refused.model_copy(update={"arguments": in_full(refused, task)})
    assert given.arguments != refused.arguments and same_call(given, refused, task)
    name = next(key for key in given.arguments if key not in refused.arguments)
    other = given.model_copy(update={"arguments": {**given.arguments, name: "another"}})
    assert [found.argument for found in differences(other, refused, task)] == [name]
    replies = [call_text(given if call is refused else call) for call in task.gold]
    made = attempt(task, *replies, task.closing)
    assert made.passed is True and not any(step.failed for step in made.steps)


def test_a_change_left_half_done_is_an_early_end() -> None:
    task = instantiate(get_template("calendar.plan_meeting"), 0)
    begun = next(place for place, call in enumerate(task.gold) if "title" in json.dumps(call.arguments)) + 1
    made = attempt(task, *map(call_text, task.gold[:begun]), task.closing)
    verdict = next(v for v in made.steps[-1].verdicts if v.check == "ending.premature")
    assert (verdict.outcome, verdict.error_class) == ("fail", "premature_end")


def test_a_call_of_a_tool_nobody_knows_has_no_defaults() -> None:
    assert in_full(GoldCall(name="nobody_knows", arguments={"a": 1}), MOVE) == {"a": 1}
