"""Trajectories: find, open, decide, download."""

import json
import re

import pytest

from lamsim_core.records import Trajectory
from lamsim_core.settings import Settings, get_settings
from lamsim_core.store import open_store
from lamsim_core.store.queries import decision_of, marks_of
from lamsim_core.tasks import get_template, instantiate
from lamsim_core.ui import terms
from tests.filling import attempt, fill
from tests.pages.driving import open_page, texts
from tests.ui.test_draw import HOSTILE, specials

PAGE = "3_Trajectories.py"


@pytest.fixture
def filled(home: Settings) -> list[Trajectory]:
    return fill(home, 4)


def newest_first(trajectories: list[Trajectory]) -> list[Trajectory]:
    """By time, then by id."""
    return sorted(trajectories, key=lambda trajectory: (trajectory.created, trajectory.id), reverse=True)


def test_an_empty_store_says_what_to_do(home: Settings) -> None:
    app = open_page(PAGE)
    assert "Nothing is stored yet" in texts(app)
    assert not app.dataframe


def test_the_list_shows_the_newest_first(filled: list[Trajectory]) -> None:
    app = open_page(PAGE)
    table = app.dataframe[0].value
    assert len(table) == len(filled) == 12
    wanted = [terms.policy_title(trajectory.policy) for trajectory in newest_first(filled)]
    assert list(table["Policy"]) == wanted
    app.get_by_key("trajectories_order").set_value("Oldest").run()
    assert list(app.dataframe[0].value["Policy"]) == wanted[::-1]


def test_filters_narrow_the_list_and_can_be_cleared(filled: list[Trajectory]) -> None:
    app = open_page(PAGE)
    app.get_by_key("trajectories_outcome").set_value("Passed").run()
    passed = sum(bool(trajectory.passed) for trajectory in filled)
    assert len(app.dataframe[0].value) == passed
    app.multiselect(key="trajectories_policies").set_value(["gold"]).run()
    assert set(app.dataframe[0].value["Policy"]) == {"Reference solution"}
    app.text_input(key="trajectories_text").set_value("no such words").run()
    assert "No trajectory fits these filters." in app.info[0].value
    next(button for button in app.button if button.label == "Clear the filters").click().run()
    assert len(app.dataframe[0].value) == len(filled)


def test_a_long_list_is_paged_by_the_store(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMSIM_PAGE_SIZE", "5")
    get_settings.cache_clear()
    fill(get_settings(), 4)
    app = open_page(PAGE)
    assert len(app.dataframe[0].value) == 5
    assert "1–5 of 12. Select a row to open it." in texts(app)
    app.session_state["trajectories_page"] = 3
    app.run()
    assert len(app.dataframe[0].value) == 2
    assert "11–12 of 12." in texts(app)


@pytest.mark.parametrize(
    "bad", ["trj_nope", "", "../../etc/passwd", "' OR 1=1 --", "x" * 5000, "![x](http://evil.test)"]
)
def test_an_unknown_id_is_a_sentence(filled: list[Trajectory], bad: str) -> None:
    app = open_page(PAGE, id=bad)
    (box,) = app.error
    assert box.value.startswith("There is no trajectory named")
    assert specials(box.value) == []
    app.button(key="back").click().run()
    assert not app.error
    assert app.dataframe


def test_an_opened_trajectory_shows_its_steps_and_its_judgement(filled: list[Trajectory]) -> None:
    trajectory = filled[0]
    app = open_page(PAGE, id=trajectory.id)
    said = texts(app)
    assert trajectory.task.instruction in said
    assert "Every check that decides passed" in said
    assert len([e for e in app.expander if e.label[0].isdigit()]) == len(trajectory.steps)
    facts = app.dataframe[-1].value.set_index("What")["Value"]
    assert facts["Id"] == trajectory.id
    assert facts["Task"] == trajectory.task.id


def test_previous_and_next_stay_within_the_filter(filled: list[Trajectory]) -> None:
    app = open_page(PAGE)
    app.multiselect(key="trajectories_policies").set_value(["gold"]).run()
    gold = [trajectory.id for trajectory in newest_first(filled) if trajectory.policy.name == "gold"]
    app.query_params["id"] = gold[0]
    app.run()
    assert app.button(key="previous").disabled
    for wanted in gold[1:]:
        app.button(key="next").click().run()
        assert app.query_params["id"] in (wanted, [wanted])
    assert app.button(key="next").disabled
    app.button(key="back").click().run()
    assert set(app.dataframe[0].value["Policy"]) == {"Reference solution"}, "the filter is still in force"


def test_a_decision_with_tags_and_note_is_stored(home: Settings, filled: list[Trajectory]) -> None:
    trajectory = filled[0]
    app = open_page(PAGE, id=trajectory.id)
    assert "Nobody has decided yet." in texts(app)
    app.text_area(key=f"note-{trajectory.id}").set_value("Clean <b>run</b>.")
    app.button(key=f"mark-{trajectory.id}-reject").click().run()
    app.button(key=f"mark-{trajectory.id}-accept").click().run()
    index = open_store(home).index
    assert decision_of(index, trajectory.id) == "accept"
    newest, older = marks_of(index, trajectory.id)
    assert (newest.decision, older.decision) == ("accept", "reject")
    assert newest.note == "Clean <b>run</b>."
    assert newest.author == home.author
    assert "Clean <b>run</b>." in {text.value for text in app.text}
    app.button(key=f"mark-{trajectory.id}-undecided").click().run()
    assert decision_of(index, trajectory.id) == "undecided"


def test_the_download_is_the_whole_trajectory(filled: list[Trajectory]) -> None:
    app = open_page(PAGE, id=filled[1].id)
    (download,) = app.get("download_button")
    assert download.proto.label == "Download"
    whole = json.loads(filled[1].model_dump_json(indent=2))
    assert Trajectory.model_validate(whole) == filled[1]


def test_a_hostile_trajectory_is_drawn_as_text(home: Settings) -> None:
    evil = "\n".join(HOSTILE)
    honest = attempt(home, instantiate(get_template("calendar.move"), 1), "random")
    step = honest.steps[0]
    assert step.call is not None
    assert step.observation is not None
    hostile = honest.model_copy(
        update={
            "task": honest.task.model_copy(update={"instruction": evil}),
            "answer": evil,
            "error": evil,
            "policy": honest.policy.model_copy(update={"kind": "model", "name": evil}),
            "steps": (
                step.model_copy(
                    update={
                        "reply": evil,
                        "call": step.call.model_copy(update={"name": evil, "arguments": {evil: evil}, "raw": evil}),
                        "observation": step.observation.model_copy(update={"content": [{evil: evil}]}),
                        "verdicts": tuple(
                            v.model_copy(update={"outcome": "fail", "message": evil, "path": evil})
                            for v in step.verdicts
                        ),
                    }
                ),
            ),
        }
    )
    open_store(home).add(hostile)
    for app in (open_page(PAGE), open_page(PAGE, id=hostile.id), open_page()):
        assert not app.error
        read_as_markdown = [element.value for kind in ("markdown", "caption", "subheader") for element in app.get(kind)]
        read_as_markdown += [element.label for kind in ("expander", "button", "metric") for element in app.get(kind)]
        bare = [re.sub(r"\\.", "", text) for text in read_as_markdown]  # without what a backslash makes plain
        assert not [text for text in bare if "](" in text or "<" in text or "://" in text or "`" in text]


def test_a_filter_that_shortens_the_list_goes_back_to_a_page_that_exists(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMSIM_PAGE_SIZE", "2")
    get_settings.cache_clear()
    fill(get_settings(), 4)
    app = open_page(PAGE)
    app.get_by_key("trajectories_page").set_value(6).run()
    assert "11–12 of 12." in texts(app)
    app.multiselect(key="trajectories_policies").set_value(["gold"]).run()
    assert not app.exception
    assert not app.error
    assert "of 4. Select a row" in texts(app)
    assert len(app.dataframe[0].value) == 2


def test_a_tag_that_is_gone_leaves_the_filter(home: Settings, filled: list[Trajectory]) -> None:
    app = open_page(PAGE, id=filled[0].id)
    app.multiselect(key=f"tags-{filled[0].id}").set_value(["keep"])
    app.button(key=f"mark-{filled[0].id}-accept").click().run()
    app.button(key="back").click().run()
    app.multiselect(key="trajectories_tags").set_value(["keep"]).run()
    assert len(app.dataframe[0].value) == 1
    app.query_params["id"] = filled[0].id
    app.run()
    app.multiselect(key=f"tags-{filled[0].id}").set_value([])
    app.button(key=f"mark-{filled[0].id}-reject").click().run()
    app.button(key="back").click().run()
    assert not app.exception
    assert not app.error
    assert len(app.dataframe[0].value) == len(filled)
