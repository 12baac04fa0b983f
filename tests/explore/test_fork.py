"""Forks: the same as an attempt that made the same calls from the start, whatever is taken over or edited."""

import random
from collections.abc import Sequence

import pytest

from lamsim_core.agent.policy import GoldPolicy, NoopPolicy, Policy, RandomPolicy, ReplayPolicy
from lamsim_core.agent.prompt import call_text, conversation, observation_text
from lamsim_core.errors import DivergenceError, InvalidInputError
from lamsim_core.explore.compare import side_by_side
from lamsim_core.explore.edits import LONGEST_EDIT
from lamsim_core.explore.episode import Acted, Ended, run_attempt
from lamsim_core.explore.fork import Fork, RestOfReference, fork_at, reference_done
from lamsim_core.explore.live import start_fork
from lamsim_core.explore.replay import replay
from lamsim_core.feedback import judge_again
from lamsim_core.records import GoldCall, Sampling, Task, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.tasks import build_environment, plan_tasks
from tests.instances import plain_instance

MOVE = plain_instance("calendar.move", "create_event")
TASKS = plan_tasks("train", 50)


def attempt(task: Task, policy: Policy, **options: int) -> Trajectory:
    *_, last = run_attempt(task, policy, run="r", **options)  # type: ignore[arg-type]
    assert isinstance(last, Ended)
    return last.trajectory


def forked(fork: Fork, policy: Policy, *, run: str = "f", max_steps: int = 8) -> Trajectory:
    *_, last = fork.run(policy, run=run, max_steps=max_steps)
    assert isinstance(last, Ended)
    return last.trajectory


def states(trajectory: Trajectory) -> list[tuple[str, str]]:
    return [(step.state_before, step.state_after) for step in trajectory.steps]


def replies(trajectory: Trajectory) -> list[str]:
    return [step.reply for step in trajectory.steps if step.reply is not None]


GOLD = attempt(MOVE, GoldPolicy())


def test_a_hundred_random_forks_equal_fresh_attempts_that_make_the_same_calls() -> None:
    rng = random.Random(7)
    forks = 0
    while forks < 100:
        origin = attempt(rng.choice(TASKS), RandomPolicy(), attempt=rng.randrange(100))
        last = len(origin.steps) - (origin.steps[-1].call is None)
        step = rng.randint(0, min(last, 6))
        made = forked(fork_at(origin, step, attempt=rng.randrange(10)), RandomPolicy())
        assert made.parent is not None and (made.parent.trajectory, made.parent.step) == (origin.id, step)
        assert states(made)[:step] == states(origin)[:step]
        assert [s.observation for s in made.steps[:step]] == [s.observation for s in origin.steps[:step]]
        fresh = attempt(made.task, ReplayPolicy(replies(made)), max_steps=max(1, len(replies(made))))
        assert states(fresh) == states(made)
        assert [s.changes for s in fresh.steps] == [s.changes for s in made.steps]
        assert [s.verdicts for s in fresh.steps] == [s.verdicts for s in made.steps]
        assert (fresh.passed, fresh.verdicts) == (made.passed, made.verdicts) or made.ended != fresh.ended
        assert replay(made).identical
        forks += 1


def test_the_reference_taken_over_to_its_end_passes_as_it_did() -> None:
    for step in range(3):
        made = forked(fork_at(GOLD, step), RestOfReference())
        assert made.passed is True and states(made) == states(GOLD) and made.policy.name == "gold"
    assert all(step.usage is None for step in made.steps)


def test_the_reference_goes_on_only_where_the_world_is_as_it_would_have_it() -> None:
    lookups = attempt(MOVE, ReplayPolicy(["<tool_call>{}</tool_call>", replies(GOLD)[0], "Done."]))
    assert forked(fork_at(lookups, 2), RestOfReference()).passed is True
    extra = GoldCall(name="create_event", arguments={"title": "x", "start": "2030-01-01 10:00", "minutes": 30})
    spoiled = attempt(MOVE, ReplayPolicy([call_text(extra), "Done."]))
    assert spoiled.steps[0].changes and reference_done(MOVE, spoiled.steps[:1]) is None
    made = forked(fork_at(spoiled, 1), RestOfReference())
    assert made.ended == "failed" and made.passed is None and "cannot go on" in (made.error or "")


def test_another_draw_is_another_seed_and_another_identity() -> None:
    origin = attempt(TASKS[0], RandomPolicy(), attempt=5)
    made = [forked(fork_at(origin, step, attempt=n), RandomPolicy()) for step in (0, 1) for n in (0, 1)]
    assert len({each.seed for each in made}) == 4 and len({each.identity for each in made}) == 4
    edited = forked(fork_at(origin, 1, action="I give up."), RandomPolicy())
    assert edited.seed == made[2].seed, "an edit alone makes the difference, not another seed"
    assert edited.identity not in {each.identity for each in made}
    plain = attempt(TASKS[0], RandomPolicy())
    assert len(plain.identity) == 4, "attempts stored before forks keep their identity"
    again = forked(fork_at(origin, 0), RandomPolicy())
    assert again.identity == made[0].identity and states(again) == states(made[0])


def test_a_typed_call_and_a_typed_message() -> None:
    call = MOVE.gold[0]
    wrong = GoldCall(name=call.name, arguments={"title": "no such thing"})
    made = forked(fork_at(GOLD, 0, action=wrong), NoopPolicy())
    assert made.steps[0].call is not None and made.steps[0].call.arguments == wrong.arguments
    assert made.parent is not None and made.parent.action == call_text(wrong) and made.policy.name == "noop"
    said = forked(fork_at(GOLD, 2, action=f"  {MOVE.closing} "), NoopPolicy())
    assert said.answer == MOVE.closing and said.passed is True and len(said.steps) == 3
    for bad in ("", "  ", "<tool_call>{}</tool_call>", "x" * (LONGEST_EDIT + 1)):
        with pytest.raises(InvalidInputError):
            fork_at(GOLD, 0, action=bad)
    with pytest.raises(InvalidInputError, match="several calls"):
        fork_at(GOLD, 0, action=GoldCall(name=call.name, arguments={"title": "</tool_call><tool_call>{}"}))


def test_an_edited_result_is_told_and_recorded_and_never_scored() -> None:
    """The attempt below would pass, for what was edited gives nothing away; it is not scored all the same."""
    made = forked(fork_at(GOLD, 1, result=[{"title": "made up"}]), ReplayPolicy(replies(GOLD)))
    assert states(made) == states(GOLD)
    first = made.steps[0]
    assert first.observation == GOLD.steps[0].observation and first.shown is not None and made.edited
    assert conversation(MOVE, made.steps)[3].content == '[{"title": "made up"}]' == observation_text(first.shown)
    assert all(v.outcome == "pass" for v in made.verdicts if v.check in MOVE.checks)
    assert (made.passed, made.reward) == (None, None)
    assert judge_again(made).passed is None, "nor when it is judged again"
    assert replay(made).identical
    assert [pair.different for pair in side_by_side(GOLD.steps, made.steps)] == [("shown",), (), ()]
    child = forked(fork_at(made, 2), RestOfReference())
    assert child.steps[0].shown == first.shown and child.passed is None, "nor what takes the edited result over"
    above = forked(fork_at(made, 0), RestOfReference())
    assert above.passed is True and not above.edited


def test_an_answer_given_away_by_an_edited_result_is_not_a_pass() -> None:
    task = next(t for t in TASKS if t.answer is not None and t.answer.kind in ("number", "text") and t.gold)
    fruitless = attempt(task, ReplayPolicy([call_text(GoldCall(name=task.tools[0].name, arguments={})), "No idea."]))
    assert fruitless.passed is False
    hinted = fork_at(fruitless, 1, result={"answer": task.answer.value if task.answer else None})
    made = forked(hinted, ReplayPolicy([*replies(fruitless)[:1], task.closing]))
    assert made.answer == task.closing and made.passed is None
    assert any(v.check == "answer.grounded" and v.outcome == "fail" for v in made.verdicts)


@pytest.mark.parametrize("bad", [float("nan"), {1, 2}, "x" * LONGEST_EDIT])
def test_a_result_that_is_no_json_is_refused(bad: object) -> None:
    with pytest.raises(InvalidInputError):
        fork_at(GOLD, 1, result=bad)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="no result"):
        fork_at(GOLD, 0, result="x")


def test_a_fork_within_a_turn_keeps_the_calls_before_it() -> None:
    find = replies(GOLD)[0]
    origin = attempt(MOVE, ReplayPolicy([f"Both at once. {find}{find} Here.", "Done."]))
    assert [step.turn for step in origin.steps] == [0, 0, 1]
    made = forked(fork_at(origin, 1), NoopPolicy())
    assert [step.turn for step in made.steps] == [0, 1]
    assert made.steps[0].reply == f"Both at once. {find}" and states(made)[:1] == states(origin)[:1]
    whole = forked(fork_at(origin, 2), NoopPolicy())
    assert whole.steps[0].reply == origin.steps[0].reply


@pytest.mark.parametrize("step", [-1, 4, 3])
def test_there_is_no_fork_beyond_the_end(step: int) -> None:
    with pytest.raises(InvalidInputError, match="closes the attempt" if step == 3 else "can take over 0 to 3"):
        fork_at(GOLD, step)


def test_the_end_of_an_attempt_cut_short_can_be_gone_on_from() -> None:
    cut = attempt(MOVE, GoldPolicy(), max_steps=2)
    assert cut.ended == "step_limit" and cut.passed is False
    with pytest.raises(InvalidInputError, match="use up 2 of 2 turns"):
        fork_at(cut, 2).run(RestOfReference(), run="f", max_steps=2)
    assert forked(fork_at(cut, 2), RestOfReference()).passed is True


def test_steps_that_come_out_differently_are_not_taken_over() -> None:
    def lying(**fields: object) -> Trajectory:
        first = GOLD.steps[0].model_copy(update=fields)
        return GOLD.model_copy(update={"steps": (first, *GOLD.steps[1:])})

    for record in (
        lying(state_after="0" * 32),
        lying(observation=GOLD.steps[1].observation),
        lying(reply="Hello."),
        lying(reply=replies(GOLD)[0] * 2),
    ):
        with pytest.raises(DivergenceError):
            list(fork_at(record, 1).run(NoopPolicy(), run="f", max_steps=8))


def test_taken_over_steps_are_told_first() -> None:
    events = list(fork_at(GOLD, 2).run(NoopPolicy(), run="f", max_steps=8))
    acted: Sequence[Acted] = [event for event in events if isinstance(event, Acted)]
    assert [event.step.seed for event in acted[:2]] == [step.seed for step in GOLD.steps[:2]]
    assert isinstance(events[0], Acted) and isinstance(events[1], Acted)


def test_a_fork_runs_live_with_a_person_and_with_the_reference(home: Settings) -> None:
    stored: list[Trajectory] = []
    live = start_fork(home, fork_at(GOLD, 2), "human", Sampling(), on_trajectory=stored.append)
    while live.state != "your_turn" and live.alive:
        live.wait(0.05)
    assert len(live.steps) == 2
    live.act(MOVE.closing)
    assert live.wait(20) and stored[0].passed is True and stored[0].parent is not None and stored[0].run == live.id
    again = start_fork(home, fork_at(GOLD, 1), "gold", Sampling(), on_trajectory=stored.append)
    assert again.wait(20) and stored[1].passed is True
    lying = GOLD.model_copy(update={"steps": (GOLD.steps[0].model_copy(update={"state_after": "x"}),)})
    broken = start_fork(home, fork_at(lying, 1), "noop", Sampling(), on_trajectory=stored.append)
    assert broken.wait(20) and broken.state == "failed" and "not what is recorded" in (broken.error or "")
    assert len(stored) == 2


def test_a_world_is_not_shared_between_a_fork_and_its_parent() -> None:
    before = build_environment(MOVE).world.state_hash()
    forked(fork_at(GOLD, 0), RestOfReference())
    assert build_environment(MOVE).world.state_hash() == before
