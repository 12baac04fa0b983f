"""The user's own tasks: kept only when they hold, found again, and never a path."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from lamsim_core.errors import LamsimError, NotFoundError, TaskTemplateError
from lamsim_core.settings import Settings, get_settings
from lamsim_core.tasks import get_template, instantiate, load_templates
from lamsim_core.tasks.library import (
    LONGEST_TEMPLATE,
    delete_own,
    fingerprint,
    line_of,
    own_templates,
    parse_own,
    save_own,
    template_text,
)

MINE = """- id: banking.my_balance
  say: ["How much is in {{ account.name }}?", "{{ account.name }}: how much?"]
  pick: {account: {from: accounts}}
  solve: [{call: list_accounts, as: found}]
  expect:
    answer: {number: "{{ (found | selectattr('name', 'equalto', account.name) | first).balance }}"}
"""


def test_an_own_task_is_used_like_a_shipped_one_and_can_be_deleted(home: Settings) -> None:
    save_own(home, MINE)
    assert "banking.my_balance" in load_templates(home)
    assert instantiate(get_template("banking.my_balance"), 3).answer is not None
    assert template_text(home, get_template("banking.my_balance")) == MINE
    delete_own(home, "banking.my_balance")
    assert "banking.my_balance" not in load_templates(home)
    with pytest.raises(NotFoundError):
        delete_own(home, "banking.my_balance")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected one template"),
        ("- id: nowhere.x", "no category"),
        (MINE + MINE.replace("my_balance", "other"), "expected one template, got 2"),
        (MINE.replace("banking.my_balance", "banking.balance"), "choose another"),
        (MINE.replace(".balance }}", ".name }}"), "should be a number"),
        ("- id: banking.x\n  say: [" + "x" * LONGEST_TEMPLATE, "characters"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(home: Settings, text: str, told: str) -> None:
    with pytest.raises(TaskTemplateError, match=told):
        save_own(home, text)
    assert not home.tasks.exists()


def test_a_damaged_file_is_told_and_harms_no_other(home: Settings) -> None:
    save_own(home, MINE)
    (home.tasks / "banking.bad.yaml").write_bytes(b"\xff\xfe- id")
    (home.tasks / "banking.renamed.yaml").write_text(MINE)
    (home.tasks / "Not An Id.yaml").write_text(MINE)
    found = {own.id: own for own in own_templates(home)}
    assert set(found) == {"banking.my_balance", "banking.bad", "banking.renamed"}
    assert found["banking.bad"].problem and "another id" in str(found["banking.renamed"].problem)
    assert found["banking.my_balance"].template is not None
    assert "banking.my_balance" in load_templates(home)


@examples(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.sampled_from(["../x.y", "a/b.c", "a.b\n", "/etc/passwd", "a.b/../../c"]))
def test_no_name_leaves_the_folder(name: str) -> None:
    settings = get_settings()
    before = set(Path(settings.tasks).glob("*")) if settings.tasks.is_dir() else set()
    with pytest.raises(LamsimError):
        delete_own(settings, name)
    assert (set(Path(settings.tasks).glob("*")) if settings.tasks.is_dir() else set()) == before


def test_the_text_of_a_shipped_template_reads_as_that_template(home: Settings) -> None:
    for template in load_templates(home).values():
        copy = template_text(home, template).replace(f"- id: {template.id}", f"- id: {template.id}_copy", 1)
        read = parse_own(home, copy)
        assert read.model_dump(exclude={"id"}) == template.model_dump(exclude={"id"})


def test_an_error_points_at_its_line(home: Settings) -> None:
    text = MINE.replace("list_accounts", "list_acounts")
    with pytest.raises(TaskTemplateError) as caught:
        parse_own(home, text)
    assert line_of(text, caught.value) == 4
    assert line_of(MINE, TaskTemplateError("call 1 of its reference solution fails")) == 4
    assert line_of(MINE, TaskTemplateError("something else", line=2)) == 2


def test_what_decides_is_in_the_fingerprint(tmp_path: Path, home: Settings) -> None:
    data = tmp_path / "data"
    (data / "banking").mkdir(parents=True)
    (data / "banking" / "tasks.yaml").write_text("a")
    first = fingerprint(data)
    (data / "banking" / "tasks.yaml").write_text("b")
    assert fingerprint(data) != first
