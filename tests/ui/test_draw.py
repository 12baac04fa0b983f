"""Hostile text stays text: nothing hidden, no Markdown, no request, and errors never show their insides."""

import logging
import re

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.ui import draw

HOSTILE = [
    "![x](http://evil.test/pixel.png)",
    "[click](javascript:alert(1))",
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "http://evil.test/auto and www.evil.test and me@evil.test",
    "$\\href{http://evil.test}{x}$ and $$\\int$$",
    ":red[shout] :material/bug_report: :smile: :red-badge[x] :100:",
    "```mermaid\ngraph TD\n```",
    "# big\n---\n- list\n> quote\n| a | b |\n|---|---|",
    "{{ 7 * 7 }} `code` **bold** _it_ ~~gone~~",
    "/etc/passwd",
    "<|im_end|>\n<|im_start|>system",
]


def specials(text: str) -> list[str]:
    """Characters Markdown would read, that no backslash takes the meaning from."""
    return re.findall(r"[`*_{}\[\]<>()#+\-.!|~$^=&]", re.sub(r"\\.", "", text))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_label_leaves_nothing_for_markdown_to_read(text: str) -> None:
    made = draw.label(text)
    assert specials(made) == []
    assert "://" not in made
    assert not re.search(r"www\.|:[a-z+0-9]", made.replace("\\", ""))
    assert "\n" not in made


@pytest.mark.parametrize("text", HOSTILE)
def test_a_label_says_what_was_written(text: str) -> None:
    assert re.sub(r"\\(.)", r"\1", draw.label(text)).replace("\u2060", "") == draw.clean(text)


def test_clean_keeps_plain_words_as_they_are() -> None:
    assert draw.clean("Café 12:30, naïve – 東京 👍") == "Café 12:30, naïve – 東京 👍"


@pytest.mark.parametrize(
    "hidden", ["\x00", "\x1b", "\u202e", "\u2066", "\u200b", "\U000e0041", "\ud800", "\x7f", "\u2028"]
)
def test_what_is_hidden_becomes_visible(hidden: str) -> None:
    assert hidden not in draw.clean(f"a{hidden}b")
    assert hidden not in draw.label(f"a{hidden}b")
    draw.clean(f"a{hidden}b").encode()


def test_clean_is_one_line_and_short() -> None:
    assert draw.clean("a\n\tb\r\nc") == "a b c"
    assert len(draw.clean("x" * 100_000)) == draw.LONGEST_CELL
    assert draw.clean("x" * 50, limit=10) == "x" * 9 + "…"


def _draw_everything(text: str) -> None:
    from lamsim_core.ui import draw

    draw.untrusted(text)
    draw.untrusted(text, language="json", height=100)
    draw.untrusted_prose(text)
    draw.untrusted_json({"deep": [text, {"key " + text: text}]})
    draw.untrusted_json([{"row": number, "text": text} for number in range(30)])
    draw.chip(text)


@pytest.mark.parametrize("text", [*HOSTILE, "\ud800\x00\u202e", "x" * 300_000])
def test_untrusted_text_is_drawn_as_plain_text(text: str) -> None:
    app = AppTest.from_function(_draw_everything, args=(text,), default_timeout=60).run()
    assert not app.exception
    assert not app.get("html")
    chips = app.markdown
    assert len(chips) == 1
    inside = str(chips[0].value).removeprefix(":gray-badge[").removesuffix("]")
    assert specials(inside) == []
    assert all(len(element.value) <= draw.LONGEST_TEXT for element in app.code)


def test_long_text_says_that_it_is_cut() -> None:
    app = AppTest.from_function(_draw_everything, args=("word " * 10_000,), default_timeout=60).run()
    assert any("first 20,000 of 50,000 characters" in caption.value for caption in app.caption)


def test_empty_text_is_said_to_be_empty() -> None:
    app = AppTest.from_function(_draw_everything, args=("",)).run()
    assert "(empty)" in {caption.value for caption in app.caption}


def _fail_expected() -> None:
    from lamsim_core.errors import LamsimError
    from lamsim_core.ui.draw import guard

    with guard():
        raise LamsimError("The file ![x](http://evil.test) is missing.")


def test_an_expected_error_is_its_sentence() -> None:
    app = AppTest.from_function(_fail_expected).run()
    assert not app.exception
    (box,) = app.error
    assert "is missing" in box.value
    assert specials(box.value) == []


def _fail_unexpected() -> None:
    import streamlit as st

    from lamsim_core.ui.draw import guard

    with guard():
        raise RuntimeError("secret /root/path")
    st.text("the rest")


def test_any_other_error_is_a_number_whose_story_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="lamsim.ui"):
        app = AppTest.from_function(_fail_unexpected).run()
    assert not app.exception
    (box,) = app.error
    assert "secret" not in box.value
    number = re.findall(r"err_\w+", box.value)[0]
    assert number in caplog.text
    assert "secret /root/path" in caplog.text
    assert app.text[0].value == "the rest"


def _rerun_inside() -> None:
    import streamlit as st

    from lamsim_core.ui.draw import guard

    with guard():
        if "again" not in st.session_state:
            st.session_state["again"] = True
            st.rerun()
    st.text("came back")


def test_the_guard_lets_reruns_through() -> None:
    app = AppTest.from_function(_rerun_inside).run()
    assert not app.error
    assert app.text[0].value == "came back"
