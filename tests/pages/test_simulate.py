"""Simulate: choose, run to the end, act by hand, come back by link."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.explore.live import LiveRun, get_live, start_live
from lamsim_core.records import GoldCall, Sampling, Task
from lamsim_core.settings import Settings
from lamsim_core.store import open_store
from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.queries import count_trajectories, decision_of, find_trajectories
from lamsim_core.tasks import get_template, instantiate
from tests.filling import attempt
from tests.pages.driving import open_page, texts

PAGE = "1_Simulate.py"


def press(app: AppTest, label: str) -> AppTest:
    (button,) = [button for button in app.button if button.label == label]
    button.click().run()
    assert not app.exception
    return app


def run_of(app: AppTest) -> LiveRun:
    (run_id,) = app.query_params["run"] if isinstance(app.query_params["run"], list) else [app.query_params["run"]]
    run = get_live(run_id)
    assert run is not None
    return run


def test_the_request_and_the_tools_are_shown_before_the_run(home: Settings) -> None:
    app = open_page(PAGE)
    task = instantiate(get_template("calendar.move"), 0)
    said = texts(app)
    assert f"{len(task.tools)} tools offered" in said
    for tool in task.tools:
        assert tool.description in said
    assert task.instruction.split()[0] in said


def test_the_reference_solution_runs_to_its_end_and_is_stored(home: Settings) -> None:
    app = press(open_page(PAGE), "Run")
    run = run_of(app)
    assert run.wait(10)
    app.run()
    said = texts(app)
    assert ":green-badge[:material/check_circle: Passed]" in said
    assert "Every check that decides passed (3 of 3)." in said
    assert "1 row changed" in said
    store = open_store(home)
    store.index.sync()
    (row,) = find_trajectories(store.index, TrajectoryFilter(runs=(run.id,)))
    press(app, "Accept")
    assert decision_of(store.index, row.id) == "accept"
    assert "Stored and accepted." in texts(app)


def test_changing_the_task_leaves_the_finished_run(home: Settings) -> None:
    app = press(open_page(PAGE), "Run")
    assert run_of(app).wait(10)
    app.number_input(key="simulate_seed").set_value(7).run()
    assert "run" not in app.query_params
    assert "What decides" not in texts(app)


def test_a_link_chooses_task_instance_and_policy(home: Settings) -> None:
    app = open_page(PAGE, task="calendar.cancel", seed="5", policy="noop")
    assert app.selectbox(key="simulate_task_calendar").value == "calendar.cancel"
    assert app.number_input(key="simulate_seed").value == 5
    assert app.selectbox(key="simulate_policy").value == "noop"
    assert "task" not in app.query_params


def test_calls_of_a_model_can_be_constrained(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sampling] = []

    def start(settings: Settings, task: Task, policy: str, sampling: Sampling, **how: Any) -> LiveRun:
        asked.append(sampling)
        return start_live(settings, task, "noop", sampling, **how)

    monkeypatch.setattr("lamsim_core.ui.live.start_live", start)
    app = open_page(PAGE, task="calendar.cancel", seed="5", policy="smollm2-135m")
    app.toggle(key="simulate_constrained").set_value(True).run()
    press(app, "Run")
    assert run_of(app).wait(10) and asked[0].constrained


@pytest.mark.parametrize("seed", ["-1", "x", "9" * 40, "1.5", "²"])
def test_a_link_with_nonsense_is_harmless(home: Settings, seed: str) -> None:
    app = open_page(PAGE, task="calendar.move", seed=seed, policy="../../etc/passwd")
    assert not app.error
    assert app.number_input(key="simulate_seed").value == 0
    assert app.selectbox(key="simulate_policy").value == "gold"


def test_an_unknown_run_is_said_in_a_sentence(home: Settings) -> None:
    app = open_page(PAGE, run="live_gone")
    assert "ended with the app it ran in" in app.info[0].value
    assert not app.error


def test_a_run_is_found_again_after_the_app_was_restarted(home: Settings) -> None:
    task = instantiate(get_template("calendar.cancel"), 3)
    open_store(home).add(attempt(home, task, "random", run="live_before"))
    app = open_page(PAGE, run="live_before")
    assert "What decides" in texts(app)
    assert app.selectbox(key="simulate_task_calendar").value == "calendar.cancel"
    assert app.number_input(key="simulate_seed").value == 3
    assert app.selectbox(key="simulate_policy").value == "random"


def test_acting_by_hand_to_the_end(home: Settings) -> None:
    app = press(open_page(PAGE, task="calendar.move", seed="1", policy="human"), "Run")
    run = run_of(app)
    assert run.state == "your_turn"
    turn = f"{run.id}-0"
    gold = run.task.gold[0]
    app.selectbox(key=f"tool-{turn}").set_value(gold.name).run()
    for name, value in gold.arguments.items():
        app.text_input(key=f"{turn}-{gold.name}-{name}").set_value(str(value))
    press(app, "Call")
    assert [step.call.arguments for step in run.steps if step.call] == [gold.arguments]
    again = open_page(PAGE, run=run.id)
    assert "Your turn" in texts(again), "a reload finds the run waiting"
    again.get("button_group")
    again.get_by_key(f"way-{run.id}").set_value("Close with a message").run()
    again.text_area(key=f"message-{run.id}-1").set_value("I cannot do this.")
    press(again, "Close the attempt")
    assert run.wait(10)
    again.run()
    assert ":red-badge[:material/cancel: Failed]" in texts(again)
    store = open_store(home)
    store.index.sync()
    assert count_trajectories(store.index, TrajectoryFilter(runs=(run.id,))) == 1


def test_stop_ends_a_run(home: Settings) -> None:
    app = press(open_page(PAGE, task="calendar.move", seed="1", policy="human"), "Run")
    run = run_of(app)
    assert not [box for box in app.selectbox if box.key == "simulate_policy"], "nothing to choose while it runs"
    press(app, "Stop")
    assert run.wait(10)
    app.run()
    assert "Not scored" in texts(app)
    assert app.selectbox(key="simulate_policy").value == "human", "what was chosen is still chosen"


def test_a_run_that_cannot_be_stored_says_so(home: Settings) -> None:
    from lamsim_core.errors import StoreWriteError

    def refuse(_: object) -> None:
        raise StoreWriteError("The disk is full.")

    task = instantiate(get_template("calendar.move"), 1)
    run = start_live(home, task, "human", Sampling(), attempt=0, on_trajectory=refuse)
    for call in task.gold:
        run.act(GoldCall(name=call.name, arguments=call.arguments))
    run.act("Done.")
    assert run.wait(10)
    app = open_page(PAGE, run=run.id)
    assert "The disk is full" in app.error[0].value
