"""What the timeline says about rows, results and expectations."""

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.records import RowChange
from lamsim_core.settings import Settings
from lamsim_core.tasks import get_template, instantiate
from lamsim_core.ui import terms
from lamsim_core.ui.rows import field_rows, marked_tables, result_rows
from tests.filling import attempt


def test_changed_cells_show_before_and_after_and_stand_in_front() -> None:
    change = RowChange(
        table="events",
        id="e1",
        before={"id": "e1", "title": "Sync", "start": "9:00"},
        after={"id": "e1", "title": "Sync", "start": "10:00"},
    )
    (table,) = marked_tables([change])
    assert table.name == "events"
    assert table.rows == [{"Change": "changed", "id": "e1", "start": "9:00 → 10:00", "title": "Sync"}]
    assert list(table.rows[0]) == ["Change", "id", "start", "title"]
    assert table.marks == [{"Change": "changed", "start": "changed"}]


def test_new_and_deleted_rows_are_marked_whole_table_by_table() -> None:
    new = RowChange(table="t", id="a", before=None, after={"id": "a", "n": 1})
    gone = RowChange(table="u", id="b", before={"id": "b", "n": None}, after=None)
    first, second = marked_tables([new, gone])
    assert (first.name, first.rows, first.marks) == (
        "t",
        [{"Change": "new", "id": "a", "n": "1"}],
        [{"Change": "new", "id": "new", "n": "new"}],
    )
    assert (second.name, second.rows[0]["Change"], second.rows[0]["n"]) == ("u", "gone", "null")


def test_a_whole_table_has_the_changed_rows_first_and_once() -> None:
    change = RowChange(table="t", id="b", before={"id": "b", "n": 1}, after={"id": "b", "n": 2})
    (table,) = marked_tables([change], {"t": [{"id": "a", "n": 0}, {"id": "b", "n": 2}]})
    assert [(row["Change"], row["id"], row["n"]) for row in table.rows] == [("changed", "b", "1 → 2"), ("", "a", "0")]
    assert table.marks[1] == {}


def test_cells_are_cleaned() -> None:
    change = RowChange(table="t", id="a", before=None, after={"no\u202ete": "x\x00" * 1000})
    (table,) = marked_tables([change])
    assert not {"\u202e", "\x00"} & set("".join([*table.rows[0], *table.rows[0].values()]))
    assert max(map(len, table.rows[0].values())) <= 400


def test_expected_and_got_leave_out_equal_fields() -> None:
    assert field_rows({"id": "a", "n": 1}, {"id": "a", "n": 2}) == [{"Field": "n", "Expected": "1", "Got": "2"}]
    assert field_rows({"id": "a"}, None) == [{"Field": "id", "Expected": "a", "Got": "(nothing)"}]


@pytest.mark.parametrize("content", [[], {}, "text", None, [1, 2], [{}], [{"a": 1}, 2]])
def test_only_a_list_of_rows_is_a_table(content: object) -> None:
    assert result_rows(content) == []  # type: ignore[arg-type]


def test_a_list_of_rows_is_a_table() -> None:
    assert result_rows([{"id": "a", "guests": ["x"]}]) == [{"id": "a", "guests": '["x"]'}]


@pytest.mark.parametrize(("policy", "word"), [("gold", "Passed"), ("noop", "Failed")])
def test_the_outcome_and_its_reason_are_said(home: Settings, policy: str, word: str) -> None:
    trajectory = attempt(home, instantiate(get_template("calendar.move"), 1), policy)
    assert terms.outcome(trajectory.passed)[0] == word
    if policy == "gold":
        assert terms.why(trajectory) == "Every check that decides passed (3 of 3)."
    else:
        assert terms.why(trajectory).startswith("The agent closed the attempt without a message.")


def test_an_unscored_attempt_is_never_called_a_failure(home: Settings) -> None:
    trajectory = attempt(home, instantiate(get_template("calendar.move"), 1), "gold")
    stopped = trajectory.model_copy(
        update={"passed": None, "reward": None, "ended": "failed", "error": "Out of memory."}
    )
    assert terms.outcome(stopped.passed)[0] == "Not scored"
    assert terms.why(stopped) == "Out of memory."


def _timeline(text: str) -> None:
    from lamsim_core.records import Trajectory
    from lamsim_core.ui.trajectory import draw_conversation, draw_trajectory

    trajectory = Trajectory.model_validate_json(text)
    draw_trajectory(trajectory)
    draw_conversation(trajectory)


@pytest.mark.parametrize("policy", ["gold", "random", "noop"])
def test_every_policy_can_be_drawn(home: Settings, policy: str) -> None:
    trajectory = attempt(home, instantiate(get_template("calendar.move"), 1), policy)
    app = AppTest.from_function(_timeline, args=(trajectory.model_dump_json(),), default_timeout=60).run()
    assert not app.exception
    steps = [e.label for e in app.expander if e.label[0].isdigit()]
    assert len(steps) == len(trajectory.steps)
    said = "\n".join(markdown.value for markdown in app.markdown)
    assert "What decides" in said
    assert ("Passed" if trajectory.passed else "Failed") in said


def test_a_failed_gate_and_a_failed_diagnostic_are_told_apart(home: Settings) -> None:
    trajectory = attempt(home, instantiate(get_template("calendar.move"), 1), "gold")
    twice = trajectory.steps[0].model_copy(
        update={
            "verdicts": tuple(
                v.model_copy(update={"outcome": "fail", "message": "Bad."})
                if v.check in ("execution", "repetition")
                else v
                for v in trajectory.steps[0].verdicts
            )
        }
    )
    changed = trajectory.model_copy(update={"steps": (twice,)})
    app = AppTest.from_function(_timeline, args=(changed.model_dump_json(),), default_timeout=60).run()
    chips = [markdown.value for markdown in app.markdown]
    assert any(chip.startswith(":red-badge") and "execution" in chip for chip in chips)
    assert any(chip.startswith(":yellow-badge") and "note" in chip and "repetition" in chip for chip in chips)
    captions = "\n".join(caption.value for caption in app.caption)
    assert "Held against the agent" in captions
    assert "For information; costs nothing" in captions
