"""Nothing that is only for measuring is in a dataset: by split it cannot be, by words and tools it is found and said."""

import json
from pathlib import Path

import pytest

from lamsim_core.curate.decontaminate import IN_A_ROW, Found, Trace, Watch, tool_marks, trace_of
from lamsim_core.curate.held_out_texts import HELD_OUT_SPLITS, held_out_texts
from lamsim_core.curate.outside import keep_outside, kept_outside, load_outside, outside, read_outside
from lamsim_core.curate.select import choose, select
from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.records import OutsideRef, Selection, ToolSchema
from lamsim_core.settings import Settings
from lamsim_core.store import Store
from lamsim_core.tasks import plan_tasks
from tests.curate.attempts import attempt, tasks

LONG = "Please tell me how much of the rent money is still there on the account for the flat"
EVERYTHING = Selection(passed_only=False, decisions=("accept", "undecided", "reject"), max_errors=None)


def schema(name: str = "get_weather", *parameters: str, says: str = "") -> ToolSchema:
    properties = {each: {"type": "string"} for each in parameters}
    return ToolSchema(name=name, description=says, parameters={"type": "object", "properties": properties})


def test_a_request_is_found_however_it_is_written() -> None:
    watch = Watch(outside("bench", ["Book a table, for TWO!"]))
    assert watch.find(Trace("book  a table for two", frozenset())) == Found("request", "bench", "book a table for two")
    assert watch.find(Trace("book a table for three", frozenset())) is None


def test_words_in_a_row_are_found_unless_wordings_are_shared_on_purpose() -> None:
    said = LONG.split()
    borrowed = Trace("Hello. " + " ".join(said[2 : 2 + IN_A_ROW]) + " or not?", frozenset())
    short = Trace(" ".join(said[2 : 1 + IN_A_ROW]) + " or not?", frozenset())
    found = Watch(outside("bench", [LONG])).find(borrowed)
    assert found is not None and found.by == "words" and found.what == " ".join(said[2 : 2 + IN_A_ROW]).lower()
    assert Watch(outside("bench", [LONG])).find(short) is None
    assert Watch(outside("bench", [LONG]), in_a_row=False).find(borrowed) is None


def test_a_tool_is_found_by_name_and_parameters_or_by_its_description() -> None:
    watch = Watch(outside("bench", schemas=[schema("get_weather", "city", "day", says="Tells the weather of a day.")]))
    for same in (
        schema("GetWeather", "day", "City"),
        schema("weather.getWeather", "city", "day"),
        schema("other", "x", says="tells the WEATHER of a day"),
    ):
        found = watch.find(trace_of("Hi", [schema("noise"), same]))
        assert found is not None and (found.by, found.where) == ("tool", "bench")
    for other in (
        schema("get_weather", "city"),
        schema("set_weather", "city", "day"),
        schema("x", says="The weather."),
    ):
        assert watch.find(trace_of("Hi", [other])) is None


def test_held_out_tools_are_known_in_full_and_no_training_tool_looks_like_one() -> None:
    trained = plan_tasks("train", 60, seed=4)
    for split in HELD_OUT_SPLITS:
        held = held_out_texts(split)
        assert held.name == split and len(held.texts) > 80
        assert bool(held.schemas) == (split != "unseen_instances")
        watch = Watch(held, in_a_row=split != "unseen_instances")
        hits = [watch.find(trace_of(task.instruction, task.tools)) for task in trained]
        assert not [hit for hit in hits if hit and hit.by == "tool"]
        for task in plan_tasks(split, 12, seed=9) if split != "unseen_instances" else []:
            assert task.style != "plain" or watch.find(trace_of(task.instruction, task.tools)), task.id


def test_every_held_out_task_stays_out_and_its_key_is_in_no_dataset(store: Store) -> None:
    """The proof that no leak of a task is possible: attempts at all splits, everything let in, by hand too."""
    held = [attempt(task) for split in HELD_OUT_SPLITS for task in plan_tasks(split, 3)]
    good = [attempt(task) for task in tasks(2)]
    for trajectory in (*held, *good):
        store.add(trajectory)
    by_hand = EVERYTHING.model_copy(update={"include": tuple(each.id for each in held)})
    by_question = EVERYTHING.model_copy(update={"sql": "SELECT id FROM attempts WHERE split <> 'train' OR passed"})
    keys = {each.task.key for each in held}
    for selection in (EVERYTHING, by_hand, by_question):
        chosen = select(store.index, selection)
        assert set(chosen.members) == {each.id for each in good}
        assert not keys & {row.task_key for row in chosen.rows}
        assert chosen.left_out["held-out split"] == len(held)


def test_what_a_stored_held_out_attempt_was_asked_is_not_trained_on(store: Store) -> None:
    held = attempt(tasks(1, split="unseen_instances")[0])
    train = tasks(2)
    same = attempt(train[0].model_copy(update={"instruction": held.task.instruction.upper()}))
    other = attempt(train[1])
    for trajectory in (held, same, other):
        store.add(trajectory)
    assert set(select(store.index, Selection()).members) == {same.id, other.id}
    chosen = select(store.index, Selection(decontaminate=HELD_OUT_SPLITS))
    assert chosen.members == (other.id,)
    (out,) = [each for each in chosen.out if each.trajectory == same.id]
    assert out.reason == "request also in unseen_instances" and out.because.startswith(
        held.task.instruction.split()[0].lower()
    )


def test_a_list_from_a_file_is_kept_and_compared_with(store: Store, tmp_path: Path) -> None:
    one, two, three = tasks(3)
    for task in (one, two, three):
        store.add(attempt(task))
    file = tmp_path / "bench.jsonl"
    tool = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}
    lines = [one.instruction, "", json.dumps({"text": two.instruction}), json.dumps({"tool": tool})]
    file.write_text("\n".join(lines))
    found = read_outside(file)
    assert (found.name, len(found.texts), len(found.schemas)) == ("bench", 2, 1)
    ref = keep_outside(store.settings, found)
    assert keep_outside(store.settings, found) == ref and kept_outside(store.settings) == [ref]
    chosen = choose(store, Selection(outside=(ref,)))
    assert [row.task_key for row in chosen.rows] == [three.key]
    assert chosen.left_out == {"request also in bench": 2}
    with pytest.raises(InvalidInputError, match="not those the selection names"):
        select(store.index, Selection(outside=(ref,)))


def test_a_list_that_is_not_here_or_was_changed_is_refused(home: Settings) -> None:
    ref = keep_outside(home, outside("bench", ["What is it?"]))
    path = home.datasets / ".outside" / f"{ref.hash}.json"
    path.write_text(path.read_text().replace("What", "Who"))
    with pytest.raises(InvalidInputError, match="not the one that was kept"):
        list(load_outside(home, Selection(outside=(ref,))))
    path.write_text("{")
    with pytest.raises(InvalidInputError, match="damaged"):
        list(load_outside(home, Selection(outside=(ref,))))
    for bad in ("0" * 32, "../../etc"):
        with pytest.raises(NotFoundError):
            list(load_outside(home, Selection(outside=(OutsideRef(name="x", hash=bad),))))


@pytest.mark.parametrize("content", ["", "\n\n", '{"no": 1}', "{", '{"tool": 3}', '{"tool": {"name": 1}}'])
def test_a_file_that_is_no_list_is_refused_with_the_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(content)
    with pytest.raises(InvalidInputError, match=r"neither a text nor a tool|x\.jsonl:1"):
        read_outside(file)
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_outside(tmp_path / "none.jsonl")


def test_marks_of_a_tool_without_parameters() -> None:
    assert tool_marks(ToolSchema(name="Clock.now", description="", parameters={})) == ("now()",)
