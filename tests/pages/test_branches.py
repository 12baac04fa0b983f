"""Replay, fork and compare, from the page of a stored attempt."""

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.agent.policy import ReplayPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.explore.fork import Fork, RestOfReference, fork_at
from lamsim_core.explore.live import LiveRun, get_live, start_fork
from lamsim_core.records import Sampling, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import open_store
from lamsim_core.store.branches import children_of
from lamsim_core.store.queries import get_trajectory
from tests.filling import attempt
from tests.instances import plain_instance
from tests.pages.driving import open_page, texts
from tests.ui.test_draw import HOSTILE, specials

PAGE = "3_Trajectories.py"
MOVE = plain_instance("calendar.move", "create_event")


@pytest.fixture
def failed(home: Settings) -> Trajectory:
    """Looks the event up, calls a tool that does not exist, and gives up."""
    nope = '<tool_call>{"name": "nope", "arguments": {}}</tool_call>'
    *_, last = run_attempt(MOVE, ReplayPolicy([call_text(MOVE.gold[0]), nope, "I cannot do it."]), run="r")
    assert isinstance(last, Ended)
    open_store(home).add(last.trajectory)
    return last.trajectory


def fork(home: Settings, origin: Trajectory, step: int, **edits: object) -> Trajectory:
    *_, last = fork_at(origin, step, **edits).run(RestOfReference(), run=f"f{step}", max_steps=8)  # type: ignore[arg-type]
    assert isinstance(last, Ended)
    open_store(home).add(last.trajectory)
    return last.trajectory


def forked(app: AppTest) -> LiveRun:
    """The run that the Simulate page was sent to show."""
    value = app.query_params["run"]
    run = get_live(value[0] if isinstance(value, list) else value)
    assert run is not None
    return run


def test_replay_says_that_every_hash_matches(failed: Trajectory) -> None:
    app = open_page(PAGE, id=failed.id)
    assert not app.success
    app.button(key=f"replay-{failed.id}").click().run()
    assert app.success[0].value == "Replayed. Every hash matches, in 3 steps."
    assert not app.error and not app.exception


def test_replay_names_the_first_difference_and_draws_it_as_text(home: Settings, failed: Trajectory) -> None:
    evil = "\n".join(HOSTILE)
    first = failed.steps[0]
    assert first.observation is not None
    lying = first.model_copy(update={"observation": first.observation.model_copy(update={"content": [{evil: evil}]})})
    broken = failed.model_copy(update={"id": "trj_lying", "run": "l", "steps": (lying, *failed.steps[1:])})
    gone = failed.task.model_copy(update={"category": "](http://evil.test)", "worlds": ()})
    store = open_store(home)
    store.add(broken)
    store.add(failed.model_copy(update={"id": "trj_gone", "run": "g", "task": gone}))
    app = open_page(PAGE, id="trj_lying")
    app.button(key="replay-trj_lying").click().run()
    assert "At step 1 the result is not what is recorded" in app.warning[0].value
    assert "Recorded" in texts(app) and "Found now" in texts(app)
    app = open_page(PAGE, id="trj_gone")
    app.button(key="replay-trj_gone").click().run()
    assert "cannot be built any more" in app.warning[0].value and specials(app.warning[0].value) == []


def test_a_fork_is_held_to_the_form_of_calls_where_the_model_can_be(
    home: Settings, failed: Trajectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Sampling, int]] = []

    def start(settings: Settings, fork: Fork, policy: str, sampling: Sampling, **how: Any) -> LiveRun:
        asked.append((policy, sampling, fork.attempt))
        return start_fork(settings, fork, "noop", sampling, **how)

    monkeypatch.setattr("lamsim_core.ui.forking.start_fork", start)
    app = open_page(PAGE, id=failed.id, fork="1")
    key = f"forking-{failed.id}-1"
    assert not [toggle for toggle in app.toggle if toggle.key == f"{key}-constrained"], "a person types valid calls"
    app.selectbox(key=f"{key}-policy").set_value("smollm2-135m").run()
    assert app.toggle(key=f"{key}-constrained").value is False, "as the attempt was"
    app.toggle(key=f"{key}-constrained").set_value(True).run()
    app.slider(key=f"{key}-temperature").set_value(0.7).run()
    app.number_input(key=f"{key}-draw").set_value(4).run()
    app.button(key=f"{key}-go").click().run()
    assert forked(app).wait(10)
    ((policy, sampling, draw),) = asked
    assert (policy, sampling.constrained, sampling.temperature, draw) == ("smollm2-135m", True, 0.7, 4)


def test_a_fork_by_hand_goes_on_in_simulate(home: Settings, failed: Trajectory) -> None:
    app = open_page(PAGE, id=failed.id)
    app.button(key=f"fork-{failed.id}-1").click().run()
    key = f"forking-{failed.id}-1"
    assert "1 step taken over" in texts(app)
    assert app.selectbox(key=f"{key}-policy").value == "human"
    app.button(key=f"{key}-go").click().run()
    run = forked(app)
    said = texts(app)
    assert "Your turn" in said and "1 step taken over from" in said
    assert [step.call and step.call.name for step in run.steps] == [MOVE.gold[0].name]
    assert any("taken over" in expander.label for expander in app.expander)
    run.act("I leave it at that.")
    assert run.wait(20)
    store = open_store(home)
    store.index.sync()
    (row,) = children_of(store.index, failed.id)
    assert (row.parent_step, row.policy, row.run) == (1, "human", run.id)
    again = open_page("1_Simulate.py", run=run.id)
    assert "1 step taken over from" in texts(again) and not again.exception


def test_the_reference_goes_on_after_a_typed_call(home: Settings, failed: Trajectory) -> None:
    app = open_page(PAGE, id=failed.id, fork="0")
    key = f"forking-{failed.id}-0"
    app.selectbox(key=f"{key}-policy").set_value("gold").run()
    app.get_by_key(f"{key}-way").set_value("A call").run()
    gold = MOVE.gold[0]
    assert app.selectbox(key=f"{key}-tool").value == gold.name, "the recorded call is there to be edited"
    field = app.text_input(key=f"{key}-{gold.name}-title")
    assert field.value == gold.arguments["title"]
    field.set_value("no such event").run()
    app.button(key=f"{key}-go").click().run()
    run = forked(app)
    assert run.wait(20) and run.trajectory is not None
    made = run.trajectory
    assert made.passed is True and made.steps[0].call is not None
    assert made.steps[0].call.arguments == {"title": "no such event"}
    assert made.parent is not None and "no such event" in (made.parent.action or "")
    shown = open_page(PAGE, id=made.id)
    assert any("typed by hand" in expander.label for expander in shown.expander)


def test_an_edited_result_is_shown_beside_the_real_one_and_not_scored(home: Settings, failed: Trajectory) -> None:
    app = open_page(PAGE, id=failed.id, fork="1")
    key = f"forking-{failed.id}-1"
    app.selectbox(key=f"{key}-policy").set_value("gold").run()
    app.toggle(key=f"{key}-edit").set_value(True).run()
    field = app.text_area(key=f"{key}-result")
    assert failed.steps[0].observation is not None and json.loads(field.value) == failed.steps[0].observation.content
    field.set_value("not json").run()
    app.button(key=f"{key}-go").click().run()
    assert "The result has to be JSON" in app.error[0].value
    app.text_area(key=f"{key}-result").set_value('{"made": "up"}').run()
    app.button(key=f"{key}-go").click().run()
    run = forked(app)
    assert run.wait(20) and run.trajectory is not None and run.trajectory.passed is None and run.trajectory.edited
    store = open_store(home)
    store.index.sync()
    assert get_trajectory(store.index, run.trajectory.id).reward is None
    said = texts(open_page(PAGE, id=run.trajectory.id))
    assert "The agent was told a result that a person had edited" in said
    assert "What the agent was told instead" in said


@pytest.mark.parametrize("bad", ["-1", "99", "x", "", "3"])
def test_a_link_that_forks_nowhere_is_harmless(failed: Trajectory, bad: str) -> None:
    app = open_page(PAGE, id=failed.id, fork=bad)
    assert not app.error and not [b for b in app.button if b.label == "Fork"]


def test_cancel_and_going_elsewhere_close_the_panel(failed: Trajectory) -> None:
    app = open_page(PAGE, id=failed.id, fork="1")
    app.button(key=f"forking-{failed.id}-1-cancel").click().run()
    assert "fork" not in app.query_params
    app.query_params["fork"] = "1"
    app.run()
    app.button(key="back").click().run()
    assert "fork" not in app.query_params


def test_branches_lead_to_each_other_and_to_a_comparison(home: Settings, failed: Trajectory) -> None:
    assert "Branches" not in texts(open_page(PAGE, id=failed.id))
    child = fork(home, failed, 1)
    app = open_page(PAGE, id=failed.id)
    assert "Branches" in texts(app)
    app.button(key=f"branch-{child.id}").click().run()
    assert app.query_params["id"] in (child.id, [child.id])
    app.button(key=f"branch-compare-{failed.id}").click().run()
    assert app.query_params["with"] in (failed.id, [failed.id])
    assert "They part at step 2" in texts(app)


def test_two_attempts_side_by_side(home: Settings, failed: Trajectory) -> None:
    child = fork(home, failed, 1)
    app = open_page(PAGE, **{"id": failed.id, "with": child.id})
    said = texts(app)
    assert "They part at step 2: the action and the result" in said
    assert next(e.label for e in app.expander if "the same in both" in e.label).startswith("1 · ")
    assert (
        "Closed with a message · 3 turns · 2 calls" in said and ":green-badge[:material/check_circle: Passed]" in said
    )
    app.button(key="compare-swap").click().run()
    assert app.query_params["id"] in (child.id, [child.id])
    same = open_page(PAGE, **{"id": failed.id, "with": failed.id})
    assert same.success[0].value == "The same in all 3 steps."
    other = attempt(home, plain_instance("calendar.cancel", "create_event"), "gold")
    open_store(home).add(other)
    apart = open_page(PAGE, **{"id": failed.id, "with": other.id})
    assert "different tasks" in apart.info[0].value
    for bad in ("", "trj_nope", "![x](http://evil.test)"):
        unknown = open_page(PAGE, **{"id": failed.id, "with": bad})
        assert unknown.error[0].value.startswith("There is no trajectory named")
        assert specials(unknown.error[0].value) == []


def test_another_attempt_at_the_task_is_picked_to_compare(home: Settings, failed: Trajectory) -> None:
    app = open_page(PAGE, id=failed.id)
    assert "No other attempt at this task is stored." in texts(app)
    other = attempt(home, MOVE, "noop")
    open_store(home).add(other)
    app = open_page(PAGE, id=failed.id)
    app.selectbox(key=f"compare-choice-{failed.id}").set_value(other.id).run()
    assert app.query_params["with"] in (other.id, [other.id])
    assert "They part at step 1" in texts(app)


def test_the_list_says_that_two_rows_are_compared(failed: Trajectory) -> None:
    app = open_page(PAGE)
    assert "1 trajectory. Select a row to open it." in texts(app)
    app.toggle(key="trajectories_compare").set_value(True).run()
    assert "1 trajectory. Select two rows to compare them." in texts(app)
