"""Rows token by token: found, coloured in more than one way, and marked where they get too long. No model is needed."""

import re
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.curate.folder import load_rows
from lamsim_core.records import Dataset
from lamsim_core.settings import Settings
from lamsim_core.train.doctor import Examination, Finding
from lamsim_core.train.sheet import Sheet, ShownRow, Stretch, TokenSide
from lamsim_core.ui import dataset_view, doctor_view, token_view, training
from lamsim_core.ui.token_view import DROPPED, MASKED, TEMPLATE, found_rows
from tests.pages.driving import open_page, texts
from tests.pages.standing import standing_dataset
from tests.ui.test_draw import HOSTILE, specials

WORDS = ["<|im_start|>", "user\nHi", "<|im_end|>", "no", "pe", "yes", "<|im_end|>"]


def shown_row(words: list[str]) -> ShownRow:
    """Three tokens that are read, two that are left out, two that are trained."""
    kinds = [("special", 0, 1), ("text", 1, 2), ("special", 2, 3), ("masked", 3, 5), ("trained", 5, 7)]
    stretches = [Stretch(kind=kind, start=a, end=b, text="".join(words[a:b])) for kind, a, b in kinds]  # type: ignore[arg-type]
    return ShownRow(sides=(TokenSide(title="", ids=tuple(range(7)), stretches=tuple(stretches)),))


def sheet_of(rows: int, words: list[str] = WORDS) -> Sheet:
    """A sheet of rows that are all alike, but the last, which cannot be read."""
    row = shown_row(words).model_dump_json()
    return Sheet(
        texts=dict(enumerate(words)),
        tokens=(*[7] * (rows - 1), 0),
        trained=(*[2] * (rows - 1), 0),
        rows=(*[row] * (rows - 1), ShownRow(problem="The template cannot show it.").model_dump_json()),
    )


@pytest.fixture
def dataset(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset whose rows were read before; the model is said to be here."""
    made = standing_dataset(home)
    monkeypatch.setattr(token_view, "load_sheet", lambda *_: sheet_of(made.rows))
    monkeypatch.setattr(dataset_view, "is_here", lambda *_: True)
    return made


def open_tokens(dataset: Dataset, **state: Any) -> AppTest:
    app = open_page("5_Datasets.py", id=dataset.id)
    app.session_state[f"tabs.{dataset.id}"] = "As tokens"
    for name, value in state.items():
        app.session_state[f"tokens.{dataset.id}.{name}"] = value
    app.run()
    assert not app.exception, app.exception
    return app


def test_a_row_is_drawn_with_its_numbers_and_what_is_learned(dataset: Dataset) -> None:
    app = open_tokens(dataset)
    assert {each.label: each.value for each in app.metric if each.label in NUMBERS} == {
        "Tokens": "7",
        "Trained": "2",
        "Share trained": "28.6 %",
        "In training": "Kept",
    }
    drawn = [each.value for each in app.markdown]
    assert ":green-background[**yes**]\u200b:green-background[**\\<\\|im\\_end\\|\\>**]" in drawn
    assert ":orange-background[*no*]\u200b:orange-background[*pe*]" in drawn
    assert any("bold: trained" in each and "italic" in each for each in drawn), "a legend says it in words too"
    assert any("user\nHi" in each.value for each in app.code)


NUMBERS = {"Tokens", "Trained", "Share trained", "In training"}


def test_where_a_row_gets_too_long_is_marked_at_the_token(home: Settings, dataset: Dataset) -> None:
    def viewer(home: str, dataset_id: str) -> None:
        from pathlib import Path

        from lamsim_core.curate.folder import get_dataset, load_rows
        from lamsim_core.settings import Settings
        from lamsim_core.ui.token_view import draw_tokens

        settings = Settings(home=Path(home))
        draw_tokens(settings, get_dataset(settings, dataset_id), load_rows(settings, dataset_id), "m", 6, "k")

    app = AppTest.from_function(viewer, args=(str(home.home), dataset.id), default_timeout=60).run()
    assert not app.exception
    assert "longer than 6 tokens" in app.error[0].value
    assert {each.label: each.value for each in app.metric}["In training"] == "Dropped: too long"
    assert [each.value for each in app.markdown if "green-background" in each.value and "bold" not in each.value] == [
        ":green-background[**yes**]",
        ":green-background[**\\<\\|im\\_end\\|\\>**]",
    ]


def test_every_token_is_in_the_table(dataset: Dataset) -> None:
    app = open_tokens(dataset, way="Tokens")
    table = next(each.value for each in app.dataframe if "What becomes of it" in each.value)
    assert list(table["What becomes of it"]) == [
        *("read (control)", "read", "read (control)"),
        *["read, left out of training"] * 2,
        *["trained"] * 2,
    ]


def test_rows_are_found_and_stepped_through(home: Settings, dataset: Dataset) -> None:
    app = open_tokens(dataset, look=DROPPED)
    key = f"tokens.{dataset.id}.number"
    assert app.number_input(key=key).value == dataset.rows
    assert "The template cannot show it" in texts(app)
    app.selectbox(key=f"tokens.{dataset.id}.look").set_value("any").run()
    app.button(key=f"{key}.next").click().run()
    assert app.number_input(key=key).value == 1, "after the last comes the first"
    app.button(key=f"{key}.next").click().run()
    app.button(key=f"{key}.next").click().run()
    app.button(key=f"{key}.previous").click().run()
    assert app.number_input(key=key).value == 2
    app.selectbox(key=f"tokens.{dataset.id}.look").set_value(MASKED).run()
    assert "There is no such row" in texts(app)


def test_what_is_looked_for(home: Settings, dataset: Dataset) -> None:
    rows = load_rows(home, dataset.id)
    rows[1]["messages"][-1]["weight"] = 0
    sheet = sheet_of(len(rows))
    assert found_rows(rows, sheet, MASKED, None, 100) == [1]
    assert found_rows(rows, sheet, DROPPED, None, 100) == [len(rows) - 1]
    assert found_rows(rows, sheet, DROPPED, None, 6) == list(range(len(rows)))
    template = rows[0]["template"]
    assert found_rows(rows, sheet, TEMPLATE, template, 100) == [
        number for number, row in enumerate(rows) if row["template"] == template
    ]


def test_hostile_tokens_are_text(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["<|im_start|>", "\n".join(HOSTILE), "<|im_end|>", HOSTILE[0], HOSTILE[2], HOSTILE[5], "**]x[*"]
    monkeypatch.setattr(token_view, "load_sheet", lambda *_: sheet_of(dataset.rows, words))
    app = open_tokens(dataset)
    drawn = [each.value for each in app.markdown if "-background[" in each.value and "bold" not in each.value]
    assert len(drawn) == 2
    for text in drawn:
        inside = re.sub(r":(?:green|orange)-background\[(\*+)(.*?)\1\](?=\u200b|$)", r"\2", text)
        assert specials(inside) == [] and "://" not in inside, inside


def test_the_train_page_opens_the_same_view(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.pages.test_train import COUNTED

    monkeypatch.setattr(training, "look_ahead", lambda *_: COUNTED)
    monkeypatch.setattr(training, "is_here", lambda *_: True)
    app = open_page("6_Train.py")
    app.button(key="train_peek").click().run()
    assert not app.exception
    assert any("**yes**" in each.value for each in app.markdown)


def test_the_catalog_says_what_the_doctor_found(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "The template drops the tools."
    found = Examination(
        template_hash="h",
        findings=(
            Finding(check="renders", promise="A conversation can be written", outcome="holds"),
            Finding(check="tools", promise="Tools are shown", outcome="refuses", says=said),
        ),
    )

    def page() -> None:
        from lamsim_core.models.registry import get_model
        from lamsim_core.settings import get_settings
        from lamsim_core.ui.doctor_view import draw_doctor

        draw_doctor(get_settings(), get_model(get_settings(), "smollm2-135m"))

    monkeypatch.setattr(doctor_view, "examine_apart", lambda *_: found)
    app = AppTest.from_function(page, default_timeout=60)
    app.session_state["doctor.smollm2-135m"] = True
    app.run()
    assert not app.exception
    assert "drops the tools" in app.error[0].value
    assert [row[0] for row in app.dataframe[0].value["Outcome"]] == ["holds", "refuses"]
