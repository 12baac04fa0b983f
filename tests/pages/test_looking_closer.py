"""Trajectories under the magnifying glass: charts that filter, chips, and what opens beneath a step."""

import pytest

from lamsim_core.records import Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store import open_store
from lamsim_core.ui.trajectory_list import narrow
from tests.filling import attempt, fill
from tests.instances import plain_instance
from tests.pages.driving import open_page, texts

PAGE = "3_Trajectories.py"


@pytest.fixture
def filled(home: Settings) -> list[Trajectory]:
    made = [
        attempt(home, plain_instance("calendar.move", "create_event", first=first), "gold", run=f"run_{first}")
        for first in (0, 100)
    ]
    for trajectory in made:
        open_store(home).add(trajectory)
    return [*fill(home, 2), *made]


def with_changes(filled: list[Trajectory]) -> Trajectory:
    return next(each for each in filled if any(step.changes for step in each.steps))


def test_charts_are_drawn_when_they_are_opened_and_chips_take_filters_away(filled: list[Trajectory]) -> None:
    app = open_page(PAGE)
    assert not app.get("plotly_chart")
    app.session_state["trajectories_charts"] = True
    app.run()
    assert not app.exception and not app.error
    assert len(app.get("plotly_chart")) == 4
    category = filled[0].task.category
    length = len(filled[0].steps)
    app.session_state["trajectories_categories"] = [category]
    app.session_state["trajectories_outcome"] = "Passed"
    app.session_state["trajectories_lengths"] = [length]
    app.run()
    wanted = [
        each for each in filled
        if each.passed and each.task.category == category and len(each.steps) == length
    ]  # fmt: skip
    assert len(app.dataframe[0].value) == len(wanted) > 0
    app.button(key=f"trajectories_chip_lengths_{length}").click().run()
    app.button(key="trajectories_chip_outcome_Passed").click().run()
    assert len(app.dataframe[0].value) == sum(each.task.category == category for each in filled)
    app.button(key=f"trajectories_chip_categories_{category}").click().run()
    assert len(app.dataframe[0].value) == len(filled)


def test_many_values_are_one_chip_and_clearing_lets_everything_through(filled: list[Trajectory]) -> None:
    app = open_page(PAGE)
    app.session_state["trajectories_lengths"] = [1, 2, 3, 4, 5, 6, 7, 8]
    app.session_state["trajectories_policies"] = ["gold"]
    app.run()
    assert "8 numbers of steps" in [button.label for button in app.button]
    assert set(app.dataframe[0].value["Policy"]) == {"Reference solution"}
    app.button(key="trajectories_clear").click().run()
    assert len(app.dataframe[0].value) == len(filled)
    assert not [button for button in app.button if (button.key or "").startswith("trajectories_chip")]


def test_narrowing_sets_the_filter_and_goes_to_the_first_page(monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, object] = {"trajectories_page": 4}
    monkeypatch.setattr("lamsim_core.ui.trajectory_list.st.session_state", state)
    narrow({"categories": ("calendar",), "outcome": ["Failed"]})
    assert state == {"trajectories_categories": ["calendar"], "trajectories_outcome": "Failed"}


def test_the_reference_stands_beside_the_steps(filled: list[Trajectory]) -> None:
    trajectory = with_changes(filled)
    app = open_page(PAGE, id=trajectory.id)
    tables = len(app.dataframe)
    app.session_state[f"path-{trajectory.id}"] = True
    app.run()
    assert len(app.dataframe) == tables + 1
    assert next(iter(app.dataframe[0].value["Match"])) == ["Same call"]


def test_the_tables_of_the_world_open_beneath_a_step(filled: list[Trajectory]) -> None:
    trajectory = with_changes(filled)
    step = next(step for step in trajectory.steps if step.changes)
    app = open_page(PAGE, id=trajectory.id)
    key = f"closer-{trajectory.id}-{step.index}"
    app.session_state[key] = "tables"
    app.run()
    assert not app.exception and not app.error
    assert f"The world after step {step.index + 1}, made again from the calls" in texts(app)
    box = app.selectbox(key=f"{key}-table")
    assert box.value == step.changes[0].table
    assert len(box.options) >= 1
    shown = next(table.value for table in app.dataframe if "Change" in table.value and "" in set(table.value["Change"]))
    assert {"new": step.changes[0].before is None, "changed": True}[shown["Change"].iloc[0]]


def test_a_world_that_is_gone_is_a_sentence(home: Settings, filled: list[Trajectory]) -> None:
    first, *rest = with_changes(filled).steps
    broken = with_changes(filled).model_copy(
        update={
            "id": "trj_broken",
            "run": "other",
            "steps": (first.model_copy(update={"state_after": "0" * 32}), *rest),
        }
    )
    open_store(home).add(broken)
    app = open_page(PAGE, id=broken.id)
    app.session_state[f"closer-{broken.id}-0"] = "tables"
    app.run()
    assert [box.value.startswith("Built again, the world is not what is recorded") for box in app.error] == [True]


def test_similar_steps_are_links_and_a_link_opens_at_its_step(filled: list[Trajectory]) -> None:
    trajectory = with_changes(filled)
    last = len(trajectory.steps) - 1
    app = open_page(PAGE, id=trajectory.id)
    app.session_state[f"closer-{trajectory.id}-{last}"] = "similar"
    app.run()
    assert not app.error
    assert "In other attempts, the most alike first" in texts(app)
    assert "no mistake either" in texts(app)
    app = open_page(PAGE, id=trajectory.id, step=str(last + 1))
    steps = [each for each in app.expander if each.label[0].isdigit()]
    assert [each.proto.expanded for each in steps] == [False] * last + [True]
    assert "this one" in steps[last].label


def test_a_step_that_no_model_wrote_has_no_prompt_to_look_at(filled: list[Trajectory]) -> None:
    app = open_page(PAGE, id=filled[0].id)
    pills = app.get("button_group")
    assert pills
    assert all("Prompt" not in str(group.proto) for group in pills)
