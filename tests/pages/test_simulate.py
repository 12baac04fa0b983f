"""Simulate: choose, run to the end, act by hand, come back by link."""

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.agent.policy import make_policy
from lamsim_core.explore import live
from lamsim_core.explore.compare import side_by_side
from lamsim_core.explore.episode import Ended, run_attempt
from lamsim_core.explore.live import LiveRun, get_live, start_live
from lamsim_core.models import registry
from lamsim_core.models.scripted import ScriptedBackend
from lamsim_core.records import GoldCall, Sampling, Step, Task
from lamsim_core.settings import Settings, get_settings
from lamsim_core.store import open_store
from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.queries import count_trajectories, decision_of, find_trajectories
from lamsim_core.tasks import get_template, instantiate
from lamsim_core.ui.beside import where_they_part
from lamsim_core.ui.forms import model_choices
from tests.filling import attempt
from tests.models.test_registry import make_adapter
from tests.pages.driving import open_page, texts

PAGE = "1_Simulate.py"
GOLD = {"task": "calendar.move", "seed": "0", "policy": "gold"}


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
    app = press(open_page(PAGE, **GOLD), "Run")
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
    app = press(open_page(PAGE, **GOLD), "Run")
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
    assert app.selectbox(key="simulate_policy").value == open_page(PAGE).selectbox(key="simulate_policy").value


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


def test_the_adapter_of_the_product_is_offered_first_and_the_base_to_train(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "shipped_folder", lambda settings: tmp_path / "models")
    assert open_page(PAGE).selectbox(key="simulate_policy").value == "gold", "nothing is shipped"
    adapter = make_adapter("ours", base="smollm2-135m")
    (tmp_path / "models" / "ours").mkdir(parents=True)
    (tmp_path / "models" / "ours" / "adapter.json").write_text(adapter.model_dump_json(), encoding="utf-8")
    assert open_page(PAGE).selectbox(key="simulate_policy").value == "ours"
    assert open_page("2_Explore.py").selectbox(key="explore.model").value == "ours"
    assert next(iter(model_choices(home, adapters=False))) == "smollm2-135m"
    assert open_page(PAGE, **GOLD).selectbox(key="simulate_policy").value == "gold", "a link says otherwise"


def ids_of(app: AppTest) -> list[str]:
    return [value[0] if isinstance(value := app.query_params[name], list) else value for name in ("run", "beside")]


def test_two_try_the_same_side_by_side(home: Settings) -> None:
    app = open_page(PAGE, **GOLD)
    assert "gold" not in app.selectbox(key="simulate_beside").options
    app.selectbox(key="simulate_beside").set_value("noop").run()
    assert not [toggle for toggle in app.toggle if toggle.key == "simulate_pause_every"]
    press(app, "Run")
    both = [run for run_id in ids_of(app) if (run := get_live(run_id)) is not None]
    assert len(both) == 2 and all(run.wait(10) for run in both)
    one, other = (run.trajectory for run in both)
    assert one is not None and other is not None
    assert (one.task.key, one.seed, one.attempt) == (other.task.key, other.seed, other.attempt)
    app.run()
    assert_both_are_shown(app)
    store = open_store(home)
    store.index.sync()
    press(app, "Clear")
    assert not {"run", "beside"} & set(app.query_params)
    with live._lock:
        for run in both:
            del live._runs[run.id]
    again = open_page(PAGE, run=both[0].id, beside=both[1].id)
    assert_both_are_shown(again)
    assert [again.selectbox(key=f"simulate_{who}").value for who in ("policy", "beside")] == ["gold", "noop"]


def assert_both_are_shown(app: AppTest) -> None:
    said = texts(app)
    for words in ("They part at step 1: the action", "Passed]", "Failed]"):
        assert words in said
    assert said.count("What decides") == 2
    assert "Compare them step by step in Trajectories" in {link.label for link in app.get("page_link")}


def test_one_that_goes_on_beside_one_that_ended_is_waited_for(home: Settings) -> None:
    task = instantiate(get_template("calendar.move"), 0)
    done, going = (
        start_live(home, task, policy, Sampling(), attempt=0, on_trajectory=open_store(home).add, models=2)
        for policy in ("gold", "human")
    )
    assert done.wait(10)
    going.settle(5)
    app = open_page(PAGE, run=done.id, beside=going.id)
    assert "They part" not in texts(app), "it may still do the same"
    press(app, "Stop both")
    assert going.wait(10)
    app.run()
    assert "Not scored" in texts(app) or "Stopped" in texts(app)


def test_where_two_part_while_they_go_on() -> None:
    task = instantiate(get_template("calendar.move"), 0)
    steps, others = (attempt_steps(task, policy) for policy in ("gold", "noop"))
    assert where_they_part(side_by_side(steps, others), (True, True)) == 0
    for going_on, place in (((True, True), None), ((False, True), None), ((True, False), 1)):
        assert where_they_part(side_by_side(steps, steps[:1]), going_on) == place
    assert where_they_part(side_by_side(steps, steps), (False, False)) is None


def attempt_steps(task: Task, policy: str) -> tuple[Step, ...]:
    *_, last = run_attempt(task, make_policy(get_settings(), policy, Sampling()), run="run_x", attempt=0)
    assert isinstance(last, Ended)
    return last.trajectory.steps


def test_models_of_runs_beside_each_other_stay_in_memory_together(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_one(settings: Settings, name: str, quantisation: str | None) -> ScriptedBackend:
        opened.append(name)
        return ScriptedBackend(name=name)

    monkeypatch.setattr(live, "open_backend", open_one)
    monkeypatch.setattr(live, "_kept", {})
    for name, models in (("a", 2), ("b", 2), ("a", 2), ("b", 1), ("b", 1), ("a", 1)):
        live._policy(home, name, Sampling(), None, models)
    assert opened == ["a", "b", "a"] and [name for name, _ in live._kept] == ["a"]
