"""Simulate as a debugger: pause, step, edit, take over, hand back, stop, fork what still runs; a reload finds it as it is."""

import json
import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.agent.policy import RandomPolicy
from lamsim_core.agent.prompt import call_text
from lamsim_core.explore.debugger import Hold, Pausing
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.explore.live import LiveRun, start_live
from lamsim_core.records import GoldCall, Sampling, Task, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import open_store
from lamsim_core.store.branches import children_of
from lamsim_core.store.queries import find_trajectories
from lamsim_core.tasks import get_template, instantiate
from tests.instances import plain_instance
from tests.pages.driving import open_page, texts
from tests.pages.test_simulate import press, run_of
from tests.ui.test_draw import HOSTILE, specials

PAGE = "1_Simulate.py"
MOVE = instantiate(get_template("calendar.move"), 3)
FIND = MOVE.gold[0]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def start(home: Settings, pausing: Pausing | None = None, task: Task = MOVE) -> LiveRun:
    """A run of the reference solution, held before its first action."""
    pausing = pausing or Pausing(every=True)
    run = start_live(home, task, "gold", Sampling(), attempt=0, on_trajectory=open_store(home).add, pausing=pausing)
    until(lambda: run.state == "paused")
    return run


def hold_of(run: LiveRun) -> Hold:
    assert run.debugger.hold is not None
    return run.debugger.hold


def to_the_end(run: LiveRun) -> Trajectory:
    run.debugger.pausing = Pausing()
    run.debugger.run_on(hold_of(run).number)
    assert run.wait(20) and run.trajectory is not None
    return run.trajectory


def buttons(app: AppTest) -> list[str]:
    named = ("Pause", "Step", "Run on", "Take over", "Hand back", "Stop", "Run")
    return [button.label for button in app.button if button.label in named]


def test_a_run_with_the_option_is_held_and_a_reload_finds_it_so(home: Settings) -> None:
    app = open_page(PAGE, task="calendar.move", seed="3", policy="gold")
    app.toggle(key="simulate_pause_every").set_value(True).run()
    press(app, "Run")
    run = run_of(app)
    until(lambda: run.state == "paused")
    for page in (app.run(), open_page(PAGE, run=run.id)):
        said = texts(page)
        assert "Paused before step 1" in said and "Nothing of it is done yet" in said
        assert json.dumps({"name": FIND.name, "arguments": FIND.arguments}) in said
        assert buttons(page) == ["Step", "Run on", "Take over", "Stop"]
        assert page.toggle(key="simulate_pause_every").value is True
        assert "Reference path: 0 of 2 made" in said
    press(app, "Step")
    assert len(run.steps) == 1 and "Paused after step 1" in texts(app) and "Reference path: 1 of 2 made" in texts(app)
    press(app, "Step")
    assert len(run.steps) == 1 and "Paused before step 2" in texts(app)
    app.toggle(key="simulate_pause_every").set_value(False).run()
    assert run.debugger.pausing == Pausing()
    press(app, "Run on")
    assert run.wait(20)
    app.run()
    assert ":green-badge[:material/check_circle: Passed]" in texts(app) and "helped by hand" not in texts(app)


def test_the_steps_of_a_held_run_are_looked_at_closely(home: Settings) -> None:
    run = start(home)
    for steps in (1, 1, 2):  # the action, the next reply, the next action
        number = hold_of(run).number
        run.debugger.step(number)
        until(lambda number=number: run.state == "paused" and hold_of(run).number > number)  # type: ignore[misc]
        assert len(run.steps) == steps
    app = open_page(PAGE, run=run.id)
    pills = [str(group.proto) for group in app.get("button_group") if "Tables of the world" in str(group.proto)]
    assert len(pills) == 2 and not any("Similar steps" in each or "Prompt and tokens" in each for each in pills)
    assert "made again from the calls" not in texts(app), "nothing is worked out before somebody asks"
    key = f"closer-{run.trajectory_id}-1"
    app.session_state[key] = "tables"
    app.run()
    assert "The world after step 2, made again from the calls; 1 row changed by this step, marked." in texts(app)
    assert app.selectbox(key=f"{key}-table").value == run.steps[1].changes[0].table and not app.error
    to_the_end(run)
    app.run()
    assert "The world after step 2" in texts(app), "what was opened stays open when the run ends"
    app.session_state[key] = "similar"
    app.run()
    assert "No other stored attempt has a step like this one." in texts(app) and not app.error


def test_the_reference_path_says_what_stands_in_a_calls_place(home: Settings) -> None:
    run = start(home)
    run.debugger.act(hold_of(run).number, call_text(FIND.model_copy(update={"arguments": {"title": "no such event"}})))
    until(lambda: len(run.steps) == 1 and run.state == "paused")
    said = texts(open_page(PAGE, run=run.id))
    assert "Reference path: 0 of 2 made" in said and "step 1: other values" in said and "Given: title: no such" in said
    run.stop()
    assert run.wait(5)


def test_a_call_is_edited_by_its_form_before_it_is_done(home: Settings) -> None:
    run = start(home)
    app = open_page(PAGE, run=run.id)
    key = f"{run.id}-0-instead"
    assert app.selectbox(key=f"tool-{key}").value == FIND.name
    field = app.text_input(key=f"{key}-{FIND.name}-title")
    assert field.value == FIND.arguments["title"]
    field.set_value("no such event")
    press(app, "Make this call instead")
    first = run.steps[0]
    assert first.call is not None and first.call.arguments == {"title": "no such event"}
    assert (first.by_hand, first.proposed) == (True, call_text(FIND)) and run.state == "paused"
    assert any("edited by hand" in expander.label for expander in app.expander)
    assert "What the agent had written" in texts(app)
    made = to_the_end(run)
    assert made.passed is True and made.helped
    app.run()
    assert "helped by hand" in texts(app)
    assert "+ by hand" in str(open_page("3_Trajectories.py").dataframe[0].value["Policy"].tolist())


def test_another_tool_a_message_or_any_text_can_stand_instead(home: Settings) -> None:
    run = start(home)
    app = open_page(PAGE, run=run.id)
    other = next(tool.name for tool in MOVE.tools if tool.name != FIND.name)
    app.selectbox(key=f"tool-{run.id}-0-instead").set_value(other).run()
    press(app, "Make this call instead")
    assert run.steps[0].call is not None and run.steps[0].call.name == other and run.steps[0].failed
    press(app, "Step")
    app.get_by_key(f"ways-{run.id}-1").set_value("Type the reply").run()
    field = app.text_area(key=f"raw-{run.id}-1-instead")
    assert field.value == call_text(FIND)
    field.set_value("<tool_call>{nothing")
    press(app, "Say this instead")
    assert run.steps[1].call is not None and run.steps[1].call.error
    press(app, "Step")
    app.get_by_key(f"ways-{run.id}-2").set_value("Close with a message").run()
    press(app, "Say this instead")
    assert "plain text that is not empty" in app.error[0].value and run.state == "paused"
    app.text_area(key=f"message-{run.id}-2-instead").set_value("I give up.")
    press(app, "Say this instead")
    assert run.wait(20) and run.trajectory is not None and run.trajectory.answer == "I give up."


def test_the_result_that_the_agent_is_told_is_edited_and_taken_back(home: Settings) -> None:
    run = start(home)
    app = press(open_page(PAGE, run=run.id), "Step")
    key = f"told-{run.id}-1"
    observation = run.steps[0].observation
    assert observation is not None and json.loads(app.text_area(key=key).value) == observation.content
    app.text_area(key=key).set_value("no json")
    press(app, "Tell this instead")
    assert "The result has to be JSON" in app.error[0].value and run.debugger.told is None
    app.text_area(key=key).set_value('["made up"]')
    press(app, "Tell this instead")
    assert run.debugger.told is not None and "The attempt will not be scored" in texts(app)
    press(app, "Tell the true result")
    assert run.debugger.told is None and "The attempt will not be scored" not in texts(app)
    app.text_area(key=key).set_value('["made up"]')
    press(app, "Tell this instead")
    made = to_the_end(run)
    assert made.edited and made.passed is None and made.steps[0].shown is not None
    app.run()
    assert any("result edited" in expander.label for expander in app.expander) and "Not scored" in texts(app)


def test_taking_over_acting_and_handing_back(home: Settings) -> None:
    run = start(home)
    app = press(open_page(PAGE, run=run.id), "Take over")
    for page in (app, open_page(PAGE, run=run.id)):
        assert "Your turn" in texts(page) and buttons(page) == ["Hand back", "Stop"], "a reload finds it taken over"
    for name, value in FIND.arguments.items():
        app.text_input(key=f"{run.id}-0-{FIND.name}-{name}").set_value(f"{value} ")
    press(app, "Make this call instead")
    assert len(run.steps) == 1 and run.state == "your_turn" and "Your turn" in texts(app)
    run.debugger.pausing = Pausing()
    press(app, "Hand back")
    assert run.wait(20) and run.trajectory is not None
    hands = [step.by_hand for step in run.trajectory.steps]
    assert hands[0] and len(hands) > 2 and not any(hands[1:]) and run.trajectory.passed is True


def test_a_failed_verdict_holds_and_is_named(home: Settings) -> None:
    def first_mistake(number: int) -> int | None:
        *_, last = run_attempt(MOVE, RandomPolicy(), run="r", attempt=number)
        assert isinstance(last, Ended)
        return next((step.index for step in last.trajectory.steps if step.failed and step.call), None)

    number = next(number for number in range(100) if first_mistake(number) is not None)
    app = open_page(PAGE, task="calendar.move", seed="3", policy="random")
    app.number_input(key="simulate_attempt").set_value(number).run()
    app.toggle(key="simulate_pause_failed").set_value(True).run()
    run = run_of(press(app, "Run"))
    until(lambda: run.state == "paused")
    said = texts(app.run())
    assert f"Paused after step {(first_mistake(number) or 0) + 1}" in said
    assert "A check holds this action against the agent." in said
    run.stop()
    assert run.wait(5)


def test_pause_and_stop(home: Settings) -> None:
    run = start(home)
    app = open_page(PAGE, run=run.id)
    press(app, "Stop")
    assert run.wait(2) and run.state == "stopped"
    app.run()
    assert "Stopped" in texts(app) and buttons(app) == ["Run"]
    asked = start_live(home, MOVE, "human", Sampling(), attempt=0, on_trajectory=open_store(home).add)
    assert buttons(open_page(PAGE, run=asked.id)) == ["Stop"], "who acts by hand all along holds nothing"
    asked.stop()
    assert asked.wait(5)


def test_a_run_that_is_held_is_forked_and_the_fork_knows_its_parent(home: Settings) -> None:
    run = start(home, task=plain_instance("calendar.move", "create_event"))
    run.debugger.step(hold_of(run).number)
    until(lambda: len(run.steps) == 1 and run.state == "paused")
    app = open_page(PAGE, run=run.id)
    assert not [button for button in app.button if button.label == "Go on from the end"]
    app.button(key=f"fork-{run.trajectory_id}-0").click().run()
    key = f"forking-{run.trajectory_id}-0"
    app.selectbox(key=f"{key}-policy").set_value("random").run()
    app.number_input(key=f"{key}-draw").set_value(3).run()
    app.button(key=f"{key}-go").click().run()
    branch = run_of(app)
    assert branch.id != run.id and branch.attempt == 3 and branch.parent is not None
    assert branch.parent.trajectory == run.trajectory_id and run.state == "paused"
    if branch.alive:
        branch.stop()
    assert branch.wait(10)
    made = to_the_end(run)
    store = open_store(home)
    store.index.sync()
    assert made.id == run.trajectory_id and len(find_trajectories(store.index)) == 2
    assert [row.id for row in children_of(store.index, made.id)] == [branch.trajectory_id]
    app = open_page(PAGE, run=run.id)
    assert [button for button in app.button if button.label == "Fork from here"], "and so are those that have ended"


@pytest.mark.parametrize("evil", ["\n".join(HOSTILE), "</tool_call><tool_call>{"])
def test_what_an_agent_wants_to_do_is_drawn_as_text(home: Settings, evil: str) -> None:
    run = start(home)
    run.debugger.act(hold_of(run).number, f"{evil} {call_text(GoldCall(name='x', arguments={'a': evil}))}")
    until(lambda: len(run.steps) >= 1 and run.state == "paused")
    app = open_page(PAGE, run=run.id)
    assert not app.exception and not app.error
    for expander in app.expander:
        title = expander.label.partition(" :red-badge")[0].partition(" :orange-badge")[0].replace("**", "")
        assert specials(title) == [], expander.label
    run.stop()
    assert run.wait(5)
