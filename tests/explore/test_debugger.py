"""A run that is held: before an action, after it, changed by hand, taken over, handed back, stopped; and what is recorded."""

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Thread

import pytest

from lamsim_core.agent.parse import parse_reply
from lamsim_core.agent.policy import GoldPolicy, ModelPolicy, NoopPolicy, Policy, ReplayPolicy
from lamsim_core.agent.prompt import call_text, conversation
from lamsim_core.errors import InvalidInputError
from lamsim_core.explore.debugger import Debugger, Hold, Pausing
from lamsim_core.explore.edits import LONGEST_EDIT, raw_reply, same_action, typed_reply
from lamsim_core.explore.episode import Acted, Ended, Event, run_attempt
from lamsim_core.explore.fork import RestOfReference, fork_at
from lamsim_core.explore.live import LiveRun, start_fork, start_live
from lamsim_core.explore.replay import replay
from lamsim_core.feedback import judge_again
from lamsim_core.models.backend import Completion, Message
from lamsim_core.models.scripted import ScriptedBackend
from lamsim_core.records import GoldCall, Sampling, Step, Task, Trajectory
from lamsim_core.settings import Settings
from tests.instances import plain_instance

MOVE = plain_instance("calendar.move", "create_event")
FIND, UPDATE = (call_text(call) for call in MOVE.gold)
NONSENSE = call_text(GoldCall(name="nope", arguments={}))
EVERY, FAILED = Pausing(every=True), Pausing(failed=True)


class Held:
    """An attempt in a thread of its own, with a debugger."""

    def __init__(self, policy: Policy, pausing: Pausing | None = None, max_steps: int = 8) -> None:
        self.stopped = False
        self.debugger = Debugger(lambda: self.stopped, pausing)
        self.events: list[Event] = []
        self._policy = policy
        self._max_steps = max_steps
        self._thread = Thread(target=self._follow, daemon=True)

    def start(self) -> "Held":
        self._thread.start()
        return self

    def _follow(self) -> None:
        for event in run_attempt(
            MOVE,
            self.debugger.around(self._policy),
            run="r",
            max_steps=self._max_steps,
            should_stop=lambda: self.stopped,
            tell=self.debugger.tell,
        ):
            self.events.append(event)

    def hold(self, point: str, step: int) -> Hold:
        """Wait until it is held there."""
        until = time.monotonic() + 10
        while (hold := self.debugger.hold) is None or (hold.point, hold.step) != (point, step):
            assert time.monotonic() < until and self._thread.is_alive(), hold
            time.sleep(0.002)
        return hold

    def end(self) -> Trajectory:
        """Wait for its end."""
        self._thread.join(10)
        last = self.events[-1]
        assert isinstance(last, Ended)
        return last.trajectory

    @property
    def steps(self) -> int:
        return len({event.step.index for event in self.events if isinstance(event, Acted)})


def hands(trajectory: Trajectory) -> list[bool]:
    return [step.by_hand for step in trajectory.steps]


def test_without_orders_nothing_is_held_and_nothing_differs() -> None:
    held = Held(GoldPolicy()).start().end()
    *_, last = run_attempt(MOVE, GoldPolicy(), run="r")
    assert isinstance(last, Ended)
    volatile = {"id", "created", "seconds"}
    plain, debugged = (
        [step.model_dump(exclude=volatile) for step in trajectory.steps] for trajectory in (last.trajectory, held)
    )
    assert plain == debugged and held.passed is True and not held.helped and not held.edited


def test_pause_holds_before_the_next_action_and_after_the_reply() -> None:
    run = Held(GoldPolicy())
    run.debugger.pause()
    assert run.debugger.pause_asked
    hold = run.start().hold("before", 0)
    assert (hold.reply, hold.why, run.steps) == (FIND, "asked", 0) and not run.debugger.pause_asked
    time.sleep(0.25)
    assert run.steps == 0 and run.debugger.hold is hold and run.debugger.seconds > 0.2
    run.debugger.run_on(hold.number)
    assert run.end().passed is True and run.debugger.hold is None


def test_step_does_one_thing_and_holds_again() -> None:
    run = Held(GoldPolicy(), EVERY).start()
    seen = []
    for point, step in (("before", 0), ("after", 0), ("before", 1), ("after", 1), ("before", 2)):
        hold = run.hold(point, step)
        seen.append((run.steps, hold.reply))
        run.debugger.step(hold.number)
        run.debugger.step(hold.number)  # a second click reaches a hold that is over
    assert seen == [(0, FIND), (1, None), (1, UPDATE), (2, None), (2, MOVE.closing)]
    assert run.end().passed is True


def test_every_action_is_held_before_and_the_option_can_change_meanwhile() -> None:
    run = Held(GoldPolicy(), EVERY).start()
    hold = run.hold("before", 0)
    assert hold.why == "every"
    run.debugger.run_on(hold.number)
    hold = run.hold("before", 1)
    run.debugger.pausing = Pausing()
    run.debugger.run_on(hold.number)
    assert run.end().passed is True


def test_a_failed_verdict_holds_after_the_action() -> None:
    run = Held(ReplayPolicy([FIND, NONSENSE, UPDATE, MOVE.closing]), FAILED).start()
    hold = run.hold("after", 1)
    assert hold.why == "failed" and run.steps == 2
    run.debugger.run_on(hold.number)
    assert run.end().passed is True


def test_an_edited_call_is_done_instead_and_both_are_recorded() -> None:
    usage_of = ModelPolicy(ScriptedBackend([NONSENSE, UPDATE, MOVE.closing]), Sampling())
    run = Held(usage_of, EVERY).start()
    hold = run.hold("before", 0)
    run.debugger.act(hold.number, FIND)
    hold = run.hold("after", 0)  # as after a step
    run.debugger.pausing = Pausing()
    run.debugger.run_on(hold.number)
    made = run.end()
    first = made.steps[0]
    assert (first.reply, first.proposed, first.by_hand) == (FIND, NONSENSE, True)
    assert first.usage is not None and first.usage.completion_tokens == len(NONSENSE), "the model's words were paid for"
    assert hands(made) == [True, False, False] and made.helped and not made.edited
    assert made.passed is True and made.policy.kind == "scripted"
    assert [m.content for m in conversation(MOVE, made.steps) if m.role == "assistant"] == [FIND, UPDATE, MOVE.closing]
    assert replay(made).identical and judge_again(made).passed is True


def test_the_same_action_laid_out_otherwise_stays_the_agents_own() -> None:
    spaced = FIND.replace('", "', '",   "')
    assert spaced != FIND and same_action(spaced, FIND)
    run = Held(GoldPolicy(), EVERY).start()
    run.debugger.act(run.hold("before", 0).number, spaced)
    run.hold("after", 0)
    run.stopped = True
    assert hands(run.end()) == [False]
    for other in (NONSENSE, f"{FIND}{FIND}", "Done.", FIND.replace('"title"', '"titel"')):
        assert not same_action(other, FIND)
    assert not same_action('<tool_call>{"name": "x", "arguments": {"n": 1}}</tool_call>',
                           '<tool_call>{"name": "x", "arguments": {"n": true}}</tool_call>')  # fmt: skip


def test_a_message_instead_ends_the_attempt() -> None:
    run = Held(GoldPolicy(), EVERY).start()
    run.debugger.act(run.hold("before", 0).number, typed_reply("I leave it."))
    made = run.end()
    assert (made.answer, made.passed, hands(made), made.ended) == ("I leave it.", False, [True], "answered")


def test_an_edited_result_is_told_recorded_and_never_scored() -> None:
    run = Held(GoldPolicy(), EVERY).start()
    hold = run.hold("before", 0)
    with pytest.raises(InvalidInputError, match="no result"):
        run.debugger.retell(hold.number, [])
    run.debugger.step(hold.number)
    hold = run.hold("after", 0)
    with pytest.raises(InvalidInputError, match="JSON"):
        run.debugger.retell(hold.number, float("nan"))
    run.debugger.retell(hold.number, ["other"])
    run.debugger.retell(hold.number, ["made up"])
    assert run.debugger.hold is hold and run.debugger.told is not None
    run.debugger.pausing = Pausing()
    run.debugger.run_on(hold.number)
    made = run.end()
    first = made.steps[0]
    assert first.shown is not None and first.shown.content == ["made up"] and first.observation != first.shown
    assert conversation(MOVE, made.steps)[3].content == '["made up"]'
    assert made.edited and not made.helped and (made.passed, made.reward) == (None, None)
    assert judge_again(made).passed is None and replay(made).identical
    assert [event.step.index for event in run.events if isinstance(event, Acted)] == [0, 0, 1, 2]


def test_the_true_result_takes_an_edit_back() -> None:
    run = Held(GoldPolicy(), EVERY).start()
    run.debugger.step(run.hold("before", 0).number)
    hold = run.hold("after", 0)
    event = next(event for event in run.events if isinstance(event, Acted))
    assert event.step.observation is not None
    run.debugger.retell(hold.number, "x")
    run.debugger.retell(hold.number, event.step.observation.content)
    run.debugger.pausing = Pausing()
    run.debugger.run_on(hold.number)
    made = run.end()
    assert not made.edited and made.passed is True


def test_taking_over_acting_and_handing_back() -> None:
    """The model reads what a person did in its place, and goes on from there."""
    read: list[list[str]] = []

    def speak(messages: Sequence[Message]) -> str:
        read.append([message.content for message in messages if message.role == "assistant"])
        return [NONSENSE, MOVE.closing][len(read) - 1]

    run = Held(ModelPolicy(ScriptedBackend(speak), Sampling()), EVERY).start()
    hold = run.hold("before", 0)
    run.debugger.take_over(hold.number)
    assert run.debugger.taken and run.debugger.hold is hold
    run.debugger.act(hold.number, FIND)
    hold = run.hold("after", 0)
    assert hold.can_act and run.debugger.taken
    run.debugger.act(hold.number, UPDATE)
    hold = run.hold("after", 1)
    run.debugger.pausing = Pausing()
    run.debugger.run_on(hold.number)
    made = run.end()
    assert not run.debugger.taken and made.passed is True
    assert hands(made) == [True, True, False]
    assert [step.proposed for step in made.steps] == [NONSENSE, None, None]
    assert [step.usage is None for step in made.steps] == [False, True, False], "nobody was asked for the second"
    assert read == [[], [FIND, UPDATE]]


def test_several_calls_of_one_reply_are_held_one_by_one() -> None:
    run = Held(ReplayPolicy([FIND + FIND + FIND, "Done."]), EVERY).start()
    run.debugger.run_on(run.hold("before", 0).number)
    hold = run.hold("after", 0)
    assert (hold.calls_left, hold.can_act, hold.why) == (2, False, "every")
    with pytest.raises(InvalidInputError, match="come first"):
        run.debugger.act(hold.number, UPDATE)
    run.debugger.pausing = Pausing()
    run.debugger.step(hold.number)
    hold = run.hold("after", 1)
    assert hold.calls_left == 1
    run.stopped = True
    made = run.end()
    assert len(made.steps) == 2 and made.ended == "stopped", "the third call was never made"


def test_an_edited_reply_of_several_calls_is_one_turn_by_hand() -> None:
    run = Held(ReplayPolicy([FIND, "Done."]), EVERY).start()
    run.debugger.act(run.hold("before", 0).number, raw_reply(f"Both. {FIND}{NONSENSE}"))
    run.debugger.step(run.hold("after", 0).number)
    hold = run.hold("after", 1)
    run.debugger.run_on(hold.number)
    run.debugger.run_on(run.hold("before", 2).number)
    made = run.end()
    assert hands(made) == [True, True, False] and [step.turn for step in made.steps] == [0, 0, 1]
    assert [step.proposed for step in made.steps] == [FIND, None, None]


def test_orders_that_come_too_late_do_nothing_or_say_so() -> None:
    run = Held(GoldPolicy(), EVERY).start()
    old = run.hold("before", 0)
    run.debugger.step(old.number)
    new = run.hold("after", 0)
    for order in (run.debugger.step, run.debugger.run_on, run.debugger.take_over):
        order(old.number)
    assert run.debugger.hold is new and not run.debugger.taken
    with pytest.raises(InvalidInputError, match="too late"):
        run.debugger.act(old.number, FIND)
    with pytest.raises(InvalidInputError, match="too late"):
        run.debugger.retell(old.number, [])
    for bad in ("", "  ", "x" * (LONGEST_EDIT + 1)):
        with pytest.raises(InvalidInputError):
            run.debugger.act(new.number, bad)
    assert run.debugger.hold is new
    run.stopped = True
    run.end()


@pytest.mark.parametrize("point", ["before", "after"])
def test_stop_ends_a_held_run_at_once(point: str) -> None:
    run = Held(GoldPolicy(), EVERY).start()
    hold = run.hold("before", 0)
    if point == "after":
        run.debugger.step(hold.number)
        run.hold("after", 0)
    run.stopped = True
    begun = time.monotonic()
    made = run.end()
    assert time.monotonic() - begun < 1 and made.ended == "stopped" and made.passed is None
    assert len(made.steps) == (point == "after") and run.debugger.hold is None


def test_a_model_is_free_for_others_while_its_run_is_held() -> None:
    """A stream that is left standing would keep a local model's lock for hours."""
    over = []

    class Locking(NoopPolicy):
        def reply(
            self, task: Task, steps: Sequence[Step], seed: int, should_stop: Callable[[], bool]
        ) -> Iterator[str | Completion]:
            yield from super().reply(task, steps, seed, should_stop)
            over.append(True)

    run = Held(Locking(), EVERY).start()
    run.hold("before", 0)
    assert over == [True]
    run.stopped = True
    run.end()


def test_by_hand_is_carried_into_forks_and_typed_actions_are_by_hand() -> None:
    run = Held(GoldPolicy(), EVERY).start()
    run.debugger.act(run.hold("before", 0).number, NONSENSE)
    run.hold("after", 0)
    run.stopped = True
    origin = run.end()
    *_, last = fork_at(origin, 1).run(RestOfReference(), run="f", max_steps=8)
    assert isinstance(last, Ended)
    taken = last.trajectory.steps[0]
    assert (taken.by_hand, taken.proposed, taken.reply) == (True, FIND, NONSENSE) and last.trajectory.helped
    *_, last = fork_at(origin, 0, action="Enough.").run(RestOfReference(), run="f", max_steps=8)
    assert isinstance(last, Ended) and hands(last.trajectory) == [True] and last.trajectory.helped


def live(home: Settings, stored: list[Trajectory], pausing: Pausing, policy: str = "gold") -> LiveRun:
    return start_live(home, MOVE, policy, Sampling(), attempt=0, on_trajectory=stored.append, pausing=pausing)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_live_run_is_held_forked_while_it_runs_and_goes_on(home: Settings) -> None:
    stored: list[Trajectory] = []
    run = live(home, stored, EVERY)
    until(lambda: run.state == "paused")
    hold = run.debugger.hold
    assert hold is not None and run.resting and run.so_far() is not None
    run.debugger.step(hold.number)
    until(lambda: len(run.steps) == 1 and run.state == "paused")
    origin = run.so_far()
    assert origin is not None and (origin.id, origin.steps) == (run.trajectory_id, run.steps)
    branch = start_fork(home, fork_at(origin, 1), "gold", Sampling(), on_trajectory=stored.append)
    assert branch.wait(10) and branch.trajectory is not None and branch.trajectory.passed is True
    assert branch.trajectory.parent is not None and branch.trajectory.parent.trajectory == run.trajectory_id
    time.sleep(0.3)
    hold = run.debugger.hold
    assert hold is not None
    run.debugger.take_over(hold.number)
    assert run.state == "your_turn"
    run.act(GoldCall(name=MOVE.gold[1].name, arguments=MOVE.gold[1].arguments))
    until(lambda: len(run.steps) == 2 and run.state == "your_turn")
    assert run.debugger.hold is not None
    run.debugger.pausing = Pausing()
    run.debugger.run_on(run.debugger.hold.number)
    assert run.wait(10) and run.trajectory is not None and run.so_far() is run.trajectory
    assert run.trajectory.id == run.trajectory_id and run.trajectory.passed is True
    assert hands(run.trajectory) == [False, True, False]
    assert run.trajectory.seconds < 0.3 and run.seconds < run.debugger.seconds, "time held is no time it took"
    assert {trajectory.id for trajectory in stored} == {run.trajectory_id, branch.trajectory.id}


def test_the_reference_cannot_go_on_where_a_person_led_it_astray(home: Settings) -> None:
    run = live(home, [], EVERY)
    until(lambda: run.state == "paused")
    run.act(GoldCall(name="create_event", arguments={"title": "x", "start": "2030-01-01 10:00", "minutes": 30}))
    until(lambda: len(run.steps) == 1 and run.state == "paused")
    assert run.debugger.hold is not None
    run.debugger.run_on(run.debugger.hold.number)
    assert run.wait(10) and run.state == "failed" and "cannot go on" in (run.error or "")


def test_a_live_run_is_stopped_while_it_is_held(home: Settings) -> None:
    stored: list[Trajectory] = []
    run = live(home, stored, EVERY)
    until(lambda: run.state == "paused")
    run.stop()
    assert run.wait(1) and run.state == "stopped" and stored[0].ended == "stopped"


def test_reading_a_step_of_before_there_was_a_debugger() -> None:
    *_, last = run_attempt(MOVE, GoldPolicy(), run="r")
    assert isinstance(last, Ended)
    old = last.trajectory.steps[0].model_dump(mode="json", exclude={"by_hand", "proposed"})
    read = Step.model_validate(old)
    assert read == last.trajectory.steps[0] and len(parse_reply(read.reply or "").calls) == 1
