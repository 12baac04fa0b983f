"""The sheet: every token of every row, with the very fate training gives it."""

import os
import subprocess
import sys
from typing import Any

import pytest

from lamsim_core.errors import InvalidInputError, LamsimError
from lamsim_core.settings import REPOSITORY, Settings
from lamsim_core.tasks import plan_tasks
from lamsim_core.train.apart import preflight_apart, sheet_apart
from lamsim_core.train.pairs import tokenize_pairs
from lamsim_core.train.preflight import preflight
from lamsim_core.train.rows import IGNORED, RowTokenizer, to_row
from lamsim_core.train.sheet import make_sheet, read_sheet
from tests.curate.attempts import clumsy, failing
from tests.train.making import QUICK, freeze_rows, gold, gold_dataset


def test_every_token_has_the_fate_that_training_gives_it(tokenizer: Any) -> None:
    rows = [to_row(each) for each in (*gold(3), clumsy(plan_tasks("train", 1)[0]))]
    sheet = make_sheet(tokenizer, "sft", rows)
    make = RowTokenizer(tokenizer)
    for number, row in enumerate(rows):
        trained = make(row)
        (side,) = sheet.row(number).sides
        assert list(side.ids) == trained.input_ids and sheet.tokens[number] == len(side.ids)
        assert sheet.trained[number] == side.trained == trained.trained
        assert [each.start for each in side.stretches] == [0, *(each.end for each in side.stretches[:-1])]
        assert side.stretches[-1].end == len(side.ids)
        fates = [each.kind for each in side.stretches for _ in range(each.start, each.end)]
        assert [fate == "trained" for fate in fates] == [label != IGNORED for label in trained.labels]
        assert "".join(each.text for each in side.stretches) == tokenizer.decode(trained.input_ids)
        assert "".join(sheet.texts[token] for token in side.ids).startswith("<|im_start|>system")


def test_what_went_wrong_is_told_apart_from_what_is_only_read(tokenizer: Any) -> None:
    row = to_row(clumsy(plan_tasks("train", 1)[0]))
    (side,) = make_sheet(tokenizer, "sft", [row]).row(0).sides
    masked = [each.text for each in side.stretches if each.kind == "masked"]
    assert len(masked) == 1 and "no_such_tool" in masked[0] and masked[0].endswith("<|im_end|>")
    assert {each.kind for each in side.stretches} == {"trained", "masked", "special", "tools", "text"}


def test_why_a_row_is_dropped(tokenizer: Any) -> None:
    sheet = make_sheet(tokenizer, "sft", [to_row(gold(1)[0]), to_row(failing(plan_tasks("train", 1)[0]))])
    assert sheet.dropped(0, 4096) is None
    assert sheet.dropped(0, sheet.tokens[0]) is None
    assert sheet.dropped(0, sheet.tokens[0] - 1) == "too long"
    assert sheet.dropped(1, 4096) == "nothing to learn"


def test_a_row_that_cannot_be_read_is_said_and_spoils_no_other(tokenizer: Any) -> None:
    good = to_row(gold(1)[0])
    mixed = {**good, "messages": [*good["messages"], {"role": "assistant", "content": "", "tool_calls": [CALL]}]}
    original = tokenizer.chat_template
    tokenizer.chat_template = REFUSING + (REPOSITORY / "data/templates/inst.jinja").read_text(encoding="utf-8")
    try:
        sheet = make_sheet(tokenizer, "sft", [good, mixed])
    finally:
        tokenizer.chat_template = original
    assert sheet.dropped(0, 4096) is None and sheet.row(0).problem == ""
    assert sheet.dropped(1, 4096) == "cannot be read" and "no such call" in sheet.row(1).problem


def test_pairs_and_labels_are_shown_as_their_methods_read_them(tokenizer: Any) -> None:
    whole = to_row(gold(1)[0])
    prompt, (answer, *_) = whole["messages"][:2], whole["messages"][2:]
    other = {"role": "assistant", "content": "I cannot do that."}
    pair = {"prompt": prompt, "chosen": [answer], "rejected": [other], "tools": whole["tools"]}
    sheet = make_sheet(tokenizer, "preference", [pair, {**pair, "rejected": [answer]}])
    (read,) = tokenize_pairs(tokenizer, [pair], 4096).rows
    chosen, rejected = sheet.row(0).sides
    assert (chosen.title, rejected.title) == ("Chosen", "Rejected")
    assert list(chosen.ids) == read.prompt_ids + read.chosen_ids and chosen.trained == len(read.chosen_ids)
    assert list(rejected.ids) == read.prompt_ids + read.rejected_ids and rejected.trained == len(read.rejected_ids)
    assert sheet.dropped(0, 4096) is None and sheet.dropped(1, 4096) == "nothing to learn"
    labelled = {"prompt": prompt, "completion": [other], "label": False, "tools": whole["tools"]}
    (side,) = make_sheet(tokenizer, "labels", [labelled]).row(0).sides
    assert (side.title, side.ids) == ("Wrong", rejected.ids)


CALL = {"type": "function", "function": {"name": "secret", "arguments": {}}}
REFUSING = (
    "{% for m in messages %}{% for c in m.tool_calls or [] %}{% if c.function.name == 'secret' %}"
    "{{ raise_exception('no such call') }}{% endif %}{% endfor %}{% endfor %}"
)


def test_a_child_answers_as_this_process_would_and_the_page_stays_without_torch(tiny: Settings) -> None:
    """One child process each; the importing of the page is watched in a third."""
    rows = [to_row(each) for each in gold(2)]
    dataset = freeze_rows(tiny, rows)
    assert sheet_apart(tiny, dataset.id, "tiny") == read_sheet(tiny, dataset.id, "tiny")
    code = (
        "import sys\nfrom lamsim_core.records import Recipe\nfrom lamsim_core.settings import get_settings\n"
        "from lamsim_core.ui import catalog, dataset_view, training\n"
        f"found = training._look_ahead('', {dataset.id!r}, 'tiny', {QUICK.model_dump_json()!r}, get_settings())\n"
        "print(found.model_dump_json())\n"
        "print(sorted({'torch', 'transformers', 'trl', 'peft'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, **tiny.environment()},
        check=True,
    )
    found, loaded = result.stdout.splitlines()
    assert found == preflight(tiny, dataset.id, "tiny", QUICK).model_dump_json()
    assert loaded == "[]"


def test_errors_of_a_child_come_back_as_sentences(tiny: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="no weights that could be trained"):
        preflight_apart(tiny, gold_dataset(tiny, 1).id, "scripted", QUICK)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(LamsimError, match="without an answer"):
        sheet_apart(tiny, "ds_x", "tiny")
