"""Repair: what was wrong is told, and nothing of the solution is."""

import json
import random
from collections.abc import Iterator, Sequence

import pytest

from lamsim_core.agent.policy import GoldPolicy, ModelPolicy, reference_reply
from lamsim_core.agent.prompt import conversation
from lamsim_core.explore import repair
from lamsim_core.explore.episode import Acted
from lamsim_core.explore.fork import RestOfReference, fork_at
from lamsim_core.explore.modes import How
from lamsim_core.explore.repair import CUT_OFF, NOT_MET, TOLD, told_about
from lamsim_core.explore.replay import replay, steps_again
from lamsim_core.feedback import Judge, action_checks, judge_again
from lamsim_core.feedback.grounding import leaves
from lamsim_core.feedback.phrases import names
from lamsim_core.models.backend import Message
from lamsim_core.models.scripted import ScriptedBackend
from lamsim_core.records import ExpectedAnswer, GoldCall, Sampling, Step, Task, Trajectory
from lamsim_core.tasks import plan_tasks
from lamsim_core.train.rows import to_row
from tests.explore.sometimes import Sometimes, made, replies
from tests.instances import plain_instance

MOVE = plain_instance("calendar.move", "create_event")
TASKS = plan_tasks("train", 80)
REPAIR = How(mode="repair")


def only(trajectories: list[Trajectory]) -> Trajectory:
    (trajectory,) = trajectories
    return trajectory


def scripted(*said: str) -> ModelPolicy:
    return ModelPolicy(ScriptedBackend(said), Sampling(max_new_tokens=1000))


def helped(task: Task, wrong: Sequence[str]) -> ModelPolicy:
    """A model that says the wrong things first, and the right ones once it was told so often that something was wrong."""

    def reply(messages: Sequence[Message]) -> str:
        told = sum(message.role == "user" for message in messages) - 1
        if told < len(wrong):
            return wrong[told]
        return reference_reply(task, sum(message.role == "tool" for message in messages) - calls)

    calls = sum(text.count("<tool_call>") for text in wrong)
    return ModelPolicy(ScriptedBackend(reply), Sampling(max_new_tokens=1000))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('<tool_call>{"name": "find_event", "arguments": {}}</tool_call>', "Did you mean 'find_events'?"),
        ("<tool_call>{</tool_call>", "not valid JSON"),
        ('find_events(title="x")', "not written as one"),
        ('<tool_call>{"name": "find_events", "arguments": {"title": 3}}</tool_call>', "must be string"),
        ("All done.", NOT_MET),
        ("", NOT_MET),
    ],
)
def test_what_was_wrong_is_told_and_the_next_try_passes(wrong: str, said: str) -> None:
    plain = only(made(MOVE, helped(MOVE, [wrong]), How()))
    assert plain.passed is not True and plain.search is None
    trajectory = only(made(MOVE, helped(MOVE, [wrong]), REPAIR))
    assert trajectory.passed is True and not trajectory.plain
    told = trajectory.steps[0].feedback
    assert told is not None and said in told
    after = conversation(MOVE, trajectory.steps)[3 if trajectory.steps[0].call is None else 4]
    assert (after.role, after.content) == ("user", told)
    assert replay(trajectory).identical


def test_after_so_many_repairs_it_goes_on_as_it_would_plainly() -> None:
    wrong = '<tool_call>{"name": "find_event", "arguments": {}}</tool_call>'
    once = only(made(MOVE, scripted(wrong, wrong, "Done."), How(mode="repair", repairs=1)))
    assert [step.feedback is not None for step in once.steps] == [True, False, False]
    assert once.ended == "answered" and once.passed is False and once.answer == "Done."
    twice = only(made(MOVE, scripted("Done.", "Really.", "Yes."), REPAIR))
    assert [step.feedback for step in twice.steps] == [NOT_MET, NOT_MET, None] and twice.answer == "Yes."
    cut = only(made(MOVE, scripted("Done.", "x"), REPAIR, max_steps=2))
    assert [step.feedback for step in cut.steps] == [NOT_MET, None], "without a turn left nothing is told"


def test_a_reply_that_was_cut_off_is_told_so() -> None:
    policy = ModelPolicy(ScriptedBackend(["word " * 40, "Done."]), Sampling(max_new_tokens=100))
    assert only(made(MOVE, policy, How(mode="repair", repairs=1))).steps[0].feedback == CUT_OFF


def test_a_message_that_was_answered_with_feedback_is_no_answer() -> None:
    trajectory = only(made(MOVE, scripted("Done.", *["<tool_call>{</tool_call>"] * 3), REPAIR, max_steps=4))
    assert trajectory.ended == "step_limit" and trajectory.answer is None
    assert judge_again(trajectory).verdicts == trajectory.verdicts


def test_only_the_judgement_of_the_end_makes_it_an_oracle() -> None:
    own = only(made(MOVE, helped(MOVE, ["<tool_call>{</tool_call>"]), REPAIR))
    end = only(made(MOVE, helped(MOVE, ["Done."]), REPAIR))
    assert own.search is not None and end.search is not None
    assert (own.search.oracle, end.search.oracle) == (False, True)
    assert own.search.mode == "repair" and own.search.numbers == {"repairs": 2}


def test_what_is_right_is_told_nothing() -> None:
    for task in TASKS[:20]:
        trajectory = only(made(task, GoldPolicy(), REPAIR))
        assert trajectory.passed is True and all(step.feedback is None for step in trajectory.steps)


def test_training_rows_keep_the_feedback_and_do_not_train_on_what_it_answers() -> None:
    row = to_row(only(made(MOVE, helped(MOVE, ["Done.", "<tool_call>{</tool_call>"]), REPAIR)))
    roles = [message["role"] for message in row["messages"][:8]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "tool", "user", "assistant"]
    spoken = [message for message in row["messages"] if message["role"] == "assistant"]
    assert [message.get("weight", 1) for message in spoken] == [0, 0, 1, 1, 1]


def test_a_fork_takes_the_feedback_over() -> None:
    origin = only(made(MOVE, helped(MOVE, ["Done.", "<tool_call>{</tool_call>"]), REPAIR))
    for step in range(len(origin.steps)):
        events = fork_at(origin, step).run(RestOfReference(), run="f", max_steps=8)
        taken = list({e.step.index: e.step for e in events if isinstance(e, Acted)}.values())[:step]
        assert [each.feedback for each in taken] == [each.feedback for each in origin.steps[:step]]
        assert conversation(MOVE, taken) == conversation(MOVE, origin.steps[:step])


# ---- nothing leaks ----------------------------------------------------------------------------------------------------


def hidden(task: Task) -> Iterator[str]:
    """What the agent has to find out: arguments of the reference, the answer and its rivals, the rows of the end."""
    values = [*leaves([call.arguments for call in task.gold]), *leaves([change.after for change in task.goal])]
    if task.answer is not None:
        values += [*leaves(task.answer.value), *task.answer.rivals]
    for value in map(str, values):
        if len(value) > 2:
            yield value


def attempts() -> Iterator[Trajectory]:
    for number, task in enumerate(TASKS):
        chance = (0.0, 0.4, 0.8)[number % 3]
        yield from made(task, Sometimes(chance), How(mode="repair", repairs=50), attempt=number, max_steps=12)


ATTEMPTS = list(attempts())


def test_no_value_that_was_not_seen_is_told() -> None:
    told = 0
    for trajectory in ATTEMPTS:
        task = trajectory.task
        offered = json.dumps([tool.openai() for tool in task.tools], ensure_ascii=False)
        for place, step in enumerate(trajectory.steps):
            if step.feedback is None:
                continue
            told += 1
            before = [*trajectory.steps[:place], step.model_copy(update={"feedback": None})]
            seen = "\n".join([offered, *(message.content for message in conversation(task, before))])
            new = [value for value in hidden(task) if names(step.feedback, value) and not names(seen, value)]
            assert not new, (task.id, step.feedback, new)
    assert told > 300


def blinded(task: Task) -> Task:
    """The same task for whoever acts, with another solution."""
    return task.model_copy(
        update={
            "gold": tuple(GoldCall(name=call.name, arguments={"hidden": "Xanadu"}) for call in task.gold),
            "answer": ExpectedAnswer(kind="text", value="Xanadu", sources=(("Xanadu",),)),
            "goal": (),
            "closing": "Xanadu",
        }
    )


def test_what_is_told_about_actions_does_not_depend_on_the_solution() -> None:
    """The strongest form of the above: with another answer, another end and other reference calls the words are the same."""
    assert not list(swayed())
    failed = {v.check for t in ATTEMPTS for s in t.steps if s.feedback for v in s.verdicts if v.outcome == "fail"}
    assert set(TOLD) <= failed


@pytest.mark.parametrize("check", ["arguments.value", "ending.premature"])
def test_a_message_that_knows_the_solution_would_be_found(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "TOLD", TOLD | {check})
    assert list(swayed())


def swayed() -> Iterator[str]:
    """Tasks of which the words told about an action depend on the solution."""
    for trajectory in ATTEMPTS:
        if any(call.fails for call in trajectory.task.gold):
            continue  # a refusal that is part of the task is no mistake, so it is not told there
        judge = Judge(blinded(trajectory.task))
        text = ""
        turns: dict[int, tuple[list[Step], list[Step]]] = {}
        for place, step in enumerate(trajectory.steps):
            text = step.reply if step.reply is not None else text
            verdicts = judge.action(step.call, text, step.observation, step.changes, trajectory.steps[:place])
            mine, other = turns.setdefault(step.turn, ([], []))
            mine.append(step)
            other.append(step.model_copy(update={"verdicts": verdicts}))
        if any(told_about(mine) != told_about(other) for mine, other in turns.values()):
            yield trajectory.task.id


def test_of_the_judgement_of_the_end_only_that_it_failed_is_told() -> None:
    ends = {s.feedback for t in ATTEMPTS for s in t.steps if s.call is None and s.feedback is not None}
    assert NOT_MET in ends and len(ends) > 1
    assert all("not written as one" in said for said in ends - {NOT_MET}), "a broken call is told as one"
    assert set(action_checks()) >= TOLD


def test_every_attempt_replays_with_the_same_conversation() -> None:
    for trajectory in ATTEMPTS:
        assert replay(trajectory).identical
        again = steps_again(trajectory)
        assert conversation(trajectory.task, again) == conversation(trajectory.task, trajectory.steps)


def test_the_same_seed_gives_the_same_attempt() -> None:
    rng = random.Random(3)
    for number in rng.sample(range(len(TASKS)), 10):
        (again,) = made(
            TASKS[number],
            Sometimes((0.0, 0.4, 0.8)[number % 3]),
            How(mode="repair", repairs=50),
            attempt=number,
            max_steps=12,
        )
        assert replies(again) == replies(ATTEMPTS[number])
