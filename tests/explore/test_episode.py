import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from lamsim_core.agent.policy import GoldPolicy, HumanPolicy, ReplayPolicy
from lamsim_core.errors import ModelError, StoppedError
from lamsim_core.explore.engine import Summary, explore
from lamsim_core.explore.episode import Acted, Ended, Token, run_attempt
from lamsim_core.models.backend import Completion
from lamsim_core.records import PolicyInfo, Sampled, Step, Task, Trajectory, Usage
from lamsim_core.tasks import plan_tasks
from tests.instances import plain_instance


def attempt(task: Task, replies: Sequence[str], **options: int) -> Trajectory:
    *_, last = run_attempt(task, ReplayPolicy(replies), run="r", **options)  # type: ignore[arg-type]
    assert isinstance(last, Ended)
    return last.trajectory


MOVE = plain_instance("calendar.move", "create_event")
FIND = (
    f'<tool_call>{{"name": "find_events", "arguments": {{"title": "{MOVE.gold[0].arguments["title"]}"}}}}</tool_call>'
)


def test_the_stream_of_a_reference_solution() -> None:
    events = list(run_attempt(MOVE, GoldPolicy(), run="r"))
    assert [type(e) for e in events] == [Token, Acted, Token, Acted, Token, Acted, Ended]
    trajectory = events[-1].trajectory  # type: ignore[union-attr]
    assert trajectory.passed is True and trajectory.reward == 1.0 and trajectory.ended == "answered"
    assert [s.turn for s in trajectory.steps] == [0, 1, 2]
    assert trajectory.steps[1].changes and trajectory.steps[1].state_before != trajectory.steps[1].state_after
    assert trajectory.answer == MOVE.closing


def test_the_same_attempt_gives_the_same_steps() -> None:
    def shape(t: Trajectory) -> list[tuple[str, str, int]]:
        return [(s.state_before, s.state_after, s.seed) for s in t.steps]

    first, second = attempt(MOVE, [FIND, "Done."]), attempt(MOVE, [FIND, "Done."])
    assert shape(first) == shape(second)
    other = attempt(MOVE, [FIND, "Done."], attempt=1)
    assert [s[2] for s in shape(other)] != [s[2] for s in shape(first)]


def test_recovery_after_errors_passes_and_the_errors_stay() -> None:
    gold = [e.step.reply or "" for e in run_attempt(MOVE, GoldPolicy(), run="r") if isinstance(e, Acted)]
    wrong = ['<tool_call>{"name": "find_event"}</tool_call>', "<tool_call>{</tool_call>"]
    trajectory = attempt(MOVE, [*wrong, *gold])
    assert trajectory.passed is True
    assert [[v.error_class for v in s.failed] for s in trajectory.steps[:2]] == [["tool_name"], ["structure"]]
    messages = [v.message for v in trajectory.steps[0].failed]
    assert "Did you mean 'find_events'?" in messages[0]


def test_the_tokens_of_a_reply_are_kept_with_its_first_step() -> None:
    sampled = Sampled(tokens=(5, 7, 2), logprobs=(-0.5, -1.25, 0.0))

    class Told(ReplayPolicy):
        def reply(
            self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
        ) -> Iterator[str | Completion]:
            for piece in super().reply(task, steps, seed, should_stop):
                yield piece if isinstance(piece, str) else piece.model_copy(update={"sampled": sampled})

    *_, last = run_attempt(MOVE, Told([f"{FIND}{FIND}", "Done."]), run="r")
    assert isinstance(last, Ended)
    assert [step.sampled for step in last.trajectory.steps] == [sampled, None, sampled]
    stored = last.trajectory.model_dump(mode="json")
    assert Trajectory.model_validate(stored) == last.trajectory
    for step in stored["steps"]:
        del step["sampled"]
    assert [step.sampled for step in Trajectory.model_validate(stored).steps] == [None] * 3, "older records load"


def test_several_calls_in_one_reply() -> None:
    trajectory = attempt(MOVE, [f"Two at once. {FIND}{FIND}", "Done."])
    first, second, third = trajectory.steps
    assert (first.turn, second.turn, third.turn) == (0, 0, 1)
    assert first.reply and second.reply is None
    assert [v.check for v in second.verdicts if v.outcome == "fail"] == ["repetition"]


@pytest.mark.parametrize(
    ("replies", "ended", "gate"),
    [
        ([""], "answered", "ending.answered"),
        (["Done."], "answered", "state.goal"),
        ([FIND] * 8, "step_limit", "ending.answered"),
    ],
)
def test_bad_endings(replies: list[str], ended: str, gate: str) -> None:
    trajectory = attempt(MOVE, replies)
    assert trajectory.ended == ended
    assert trajectory.passed is False and trajectory.reward == 0.0
    assert gate in {v.check for v in trajectory.verdicts if v.outcome == "fail" and v.gate}


def test_collateral_damage_fails_what_is_otherwise_right() -> None:
    gold = [e.step.reply or "" for e in run_attempt(MOVE, GoldPolicy(), run="r") if isinstance(e, Acted)]
    arguments = '{"title": "x", "start": "2030-01-01 10:00", "minutes": 30}'
    extra = f'<tool_call>{{"name": "create_event", "arguments": {arguments}}}</tool_call>'
    trajectory = attempt(MOVE, [extra, *gold])
    assert trajectory.passed is False
    failed = [v for v in trajectory.verdicts if v.outcome == "fail" and v.gate]
    assert [v.error_class for v in failed] == ["collateral"]


class BrokenPolicy:
    info = PolicyInfo(kind="model", name="broken")

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        yield "I am about to"
        raise ModelError("The model broke.")


class CutPolicy(BrokenPolicy):
    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        usage = Usage(prompt_tokens=5, cached_tokens=0, completion_tokens=3, prefill_seconds=0, decode_seconds=0)
        yield Completion(text="so on and so on", usage=usage, finish="length")


def test_a_broken_model_is_not_scored() -> None:
    *_, last = run_attempt(MOVE, BrokenPolicy(), run="r")
    assert isinstance(last, Ended)
    assert (last.trajectory.ended, last.trajectory.passed, last.trajectory.reward) == ("failed", None, None)
    assert last.trajectory.error == "The model broke."


def test_a_cut_reply_fails() -> None:
    *_, last = run_attempt(MOVE, CutPolicy(), run="r")
    assert isinstance(last, Ended)
    assert (last.trajectory.ended, last.trajectory.passed) == ("token_limit", False)


def test_a_stopped_attempt_is_not_scored() -> None:
    *_, last = run_attempt(MOVE, HumanPolicy(), run="r", should_stop=lambda: True)
    assert isinstance(last, Ended)
    assert (last.trajectory.ended, last.trajectory.passed) == ("stopped", None)


def run_engine(tasks: Sequence[Task], policy: object, **options: object) -> tuple[Summary, list[Trajectory]]:
    stored: list[Trajectory] = []
    arguments: dict[str, object] = {
        "run": "r",
        "attempts": 1,
        "max_steps": 8,
        "done": set(),
        "on_trajectory": stored.append,
        "on_progress": lambda done, total, message: None,
        "should_stop": lambda: False,
        **options,
    }
    return explore(tasks, policy, **arguments), stored  # type: ignore[arg-type]


def test_the_engine_tries_everything_once_and_resumes() -> None:
    tasks = plan_tasks("train", 12)
    summary, stored = run_engine(tasks, GoldPolicy(), attempts=2)
    assert summary == (24, 24, 24, False)
    assert len({t.identity for t in stored}) == 24
    done = {(t.task.key, t.attempt) for t in stored[:10]}
    again, rest = run_engine(tasks, GoldPolicy(), attempts=2, done=done)
    assert again == (24, 24, 14, False)
    assert {(t.task.key, t.attempt) for t in rest} == {(t.task.key, t.attempt) for t in stored[10:]}


def test_the_engine_stops_between_attempts() -> None:
    stored: list[Trajectory] = []
    summary, _ = run_engine(
        plan_tasks("train", 12), GoldPolicy(), on_trajectory=stored.append, should_stop=lambda: len(stored) >= 5
    )
    assert summary == (12, 5, 5, True)


def test_the_engine_gives_up_on_a_broken_model() -> None:
    with pytest.raises(ModelError, match="5 times in a row"):
        run_engine(plan_tasks("train", 12), BrokenPolicy())


def test_several_attempts_at_once_are_those_made_in_turn() -> None:
    tasks = plan_tasks("train", 12)
    alone, expected = run_engine(tasks, GoldPolicy(), attempts=3)
    threads: set[str] = set()
    calling = threading.current_thread()

    class Watched(GoldPolicy):
        def reply(
            self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
        ) -> Iterator[str | Completion]:
            threads.add(threading.current_thread().name)
            return super().reply(task, steps, seed, should_stop)

    stored: list[Trajectory] = []

    def keep(trajectory: Trajectory) -> None:
        assert threading.current_thread() is calling
        stored.append(trajectory)

    assert run_engine(tasks, Watched(), attempts=3, batch=4, on_trajectory=keep)[0] == alone
    assert 1 < len(threads) <= 4

    def said(trajectories: Sequence[Trajectory]) -> set[tuple[object, ...]]:
        return {(t.task.key, t.attempt, t.seed, t.ended, t.passed, *(s.reply for s in t.steps)) for t in trajectories}

    assert said(stored) == said(expected)


class WaitingPolicy(GoldPolicy):
    """Attempts 0 to 2 end; all others wait until they are stopped."""

    def __init__(self) -> None:
        self.begun = 0
        self.lock = threading.Lock()

    def reply(
        self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
    ) -> Iterator[str | Completion]:
        with self.lock:
            self.begun += not steps
            ends = bool(steps) or self.begun <= 3
        if not ends:
            while not should_stop():
                time.sleep(0.005)
            raise StoppedError("stopped")
        return super().reply(task, steps, seed, should_stop)


def test_attempts_under_way_are_stopped_together_and_what_ended_is_kept() -> None:
    policy = WaitingPolicy()
    stored: list[Trajectory] = []

    def should_stop() -> bool:
        return len(stored) == 3 and policy.begun >= 7

    summary, _ = run_engine(
        plan_tasks("train", 12), policy, batch=4, on_trajectory=stored.append, should_stop=should_stop
    )
    assert summary == (12, 3, 3, True)
    assert policy.begun == 7


def test_when_storing_breaks_the_attempts_under_way_end() -> None:
    def full(_: Trajectory) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_engine([MOVE] * 12, WaitingPolicy(), batch=4, on_trajectory=full)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("attempt")]


def test_attempts_that_broke_down_together_count_as_one() -> None:
    stored: list[Trajectory] = []
    with pytest.raises(ModelError, match="12 times in a row"):
        run_engine(plan_tasks("train", 40), BrokenPolicy(), batch=8, on_trajectory=stored.append)
    assert len(stored) == 12, "what is counted is stored"
