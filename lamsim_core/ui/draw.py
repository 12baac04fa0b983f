"""Every text that a model, a tool, a task, an import or an error brought along is drawn here, and only here.

``untrusted`` and ``untrusted_json`` draw it as plain text. Where a widget wants a string there are two forms: ``clean`` for
places that show text as it is (table cells, options of select boxes), ``label`` for places that read Markdown (labels
of buttons and expanders, captions, metrics). None of them can cause a link, an image, a formula or a request.
"""

import json
import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import streamlit as st

from lamsim_core.canonical import new_id
from lamsim_core.errors import LamsimError

Emphasis = Literal["bold", "italic"]
Color = Literal["red", "orange", "yellow", "blue", "green", "violet", "gray", "primary"]

log = logging.getLogger("lamsim.ui")

LONGEST_TEXT = 20_000
"""Characters of one text that are drawn; the download holds the rest."""
LONGEST_CELL = 400
"""Characters of one table cell or label."""
LONGEST_LINE = 1000
"""Characters of one of several lines."""
LONGEST_JSON = 200_000
"""Characters of JSON drawn as a tree; longer values are drawn as cut text."""
ONE_LINE = 110
"""Characters of JSON that are drawn without line breaks."""
TALLEST = 16
"""Lines of JSON drawn in full; longer values fold."""

_MARK = "\ufffd"
_JOINER = "\u2060"
_SEAM = "\u200b"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_SIGNS = str.maketrans({" ": "·", "\n": "⏎", "\t": "⇥", "\r": "␍"})
_MARKDOWN = frozenset("\\`*_{}[]<>()#+-.!|~$^=&")


def _visible(text: str, keep: str = "") -> str:
    """``text`` with every control, direction, surrogate and unassigned character made visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_MARK if unicodedata.category(c) in _HIDDEN and c not in keep else c for c in text)


def clean(text: object, *, limit: int = LONGEST_CELL) -> str:
    """One line of plain text for a table cell or an option: nothing hidden, at most ``limit`` characters."""
    line = _visible(" ".join(str(text)[: 4 * limit].split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def label(text: object, *, limit: int = LONGEST_CELL) -> str:
    """``clean`` text for a place that reads Markdown: it comes out as it was written."""
    escaped = "".join(f"\\{c}" if c in _MARKDOWN else c for c in clean(text, limit=limit))
    return re.sub(r":(?! )", f":{_JOINER}", escaped).replace("@", f"{_JOINER}@").replace("www", f"www{_JOINER}")


def untrusted(text: str, *, language: str | None = None, height: int | None = None) -> None:
    """Draw a text exactly as it is: monospaced, wrapped, cut after ``LONGEST_TEXT`` characters.

    Args:
        text: the text.
        language: highlight as this language, e.g. ``json``.
        height: pixels, with a scroll bar; None for as high as needed.
    """
    if not text.strip():
        st.caption("(empty)" if not text else "(only blanks)")
        return
    body = _visible(text[:LONGEST_TEXT], keep="\n\t")
    st.code(body, language=language, wrap_lines=True, height="content" if height is None else height)
    _say_cut(len(text))


def untrusted_marked(parts: Iterable[tuple[str, Color | None]], emphasis: Emphasis | None = None) -> None:
    """Draw texts that follow one another in one paragraph, each on a background of its colour or on none.

    Blanks, tabs and line ends are drawn as signs, so that nothing of a text is lost. With ``emphasis`` every text is bold
    or italic too, for whoever cannot tell the colours apart.
    """
    around = {"bold": "**", "italic": "*", None: ""}[emphasis]
    drawn = []
    for text, color in parts:
        plain = label(text[:LONGEST_CELL].translate(_SIGNS))
        plain = f"{around}{plain}{around}" if plain else plain
        drawn.append(plain if color is None else f":{color}-background[{plain}]")
    # Between two parts a line may end, and no address may come about from what is harmless in each of them.
    st.markdown(_SEAM.join(drawn))


def untrusted_lines(lines: Iterable[tuple[str, Color | None]]) -> None:
    """Draw lines of text under one another, each on a background of its colour or on none; each is cut when it is long."""
    drawn = []
    for text, color in lines:
        plain = label(text, limit=LONGEST_LINE) or _SEAM
        drawn.append(plain if color is None else f":{color}-background[{plain}]")
    st.markdown("  \n".join(drawn))


def untrusted_prose(text: str) -> None:
    """Draw a sentence or paragraph in the font of the page, as plain text."""
    if not text.strip():
        st.caption("(empty)" if not text else "(only blanks)")
        return
    st.text(_visible(text[:LONGEST_TEXT], keep="\n\t"))
    _say_cut(len(text))


def untrusted_json(value: Any, *, expanded: bool | int = 2) -> None:
    """Draw a JSON value: as it is when it is short, as a tree that folds when it is long.

    Args:
        value: what JSON can hold.
        expanded: how many levels of a long value are open, or whether all are.
    """
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > ONE_LINE:
        text = json.dumps(value, ensure_ascii=False, indent=2)
    if text.count("\n") < TALLEST and len(text) <= LONGEST_TEXT:
        untrusted(text)
    elif isinstance(value, dict | list) and len(text) <= LONGEST_JSON:
        st.json(_visible(text, keep="\n"), expanded=expanded)
    else:
        untrusted(text, height=320)


def chip(text: object, *, color: Color = "gray", icon: str | None = None, help: str | None = None) -> None:
    """Draw a small coloured label. ``help`` must come from the product."""
    plain = clean(text, limit=80).replace("[", "(").replace("]", ")")
    st.badge(label(plain), color=color, icon=icon, help=help)


def _say_cut(length: int) -> None:
    if length > LONGEST_TEXT:
        st.caption(f"The first {LONGEST_TEXT:,} of {length:,} characters are shown. The download holds all of it.")


def failure(error: LamsimError) -> None:
    """Draw an expected error: its own sentence, nothing else."""
    st.error(label(error, limit=1500), icon=":material/error:")


@contextmanager
def guard() -> Iterator[None]:
    """Turn an error inside the block into a box: a sentence for an expected one, a number to look up for any other.

    The details of an unexpected error go to the log of the app under that number, never to the page.
    """
    try:
        yield
    except LamsimError as error:
        failure(error)
    except Exception:
        number = new_id("err")
        log.exception("unexpected error %s", number)
        st.error(
            f"This part of the page could not be shown. The log of the app says why, under `{number}`.",
            title="Something went wrong",
            icon=":material/bug_report:",
        )
