"""One preference pair, or one labelled message: what was said before, the messages with their difference marked, and why."""

import json
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

import streamlit as st

from lamsim_core.records import PairKind
from lamsim_core.ui import terms
from lamsim_core.ui.draw import Color, chip, label, untrusted_json, untrusted_lines, untrusted_prose
from lamsim_core.ui.page import link
from lamsim_core.ui.training_row import draw_message
from lamsim_core.ui.wording import amount, spaced

PAIR_TITLES: dict[PairKind, str] = {
    "sibling": "Failed action",
    "repair": "Own correction",
    "path": "Led nowhere",
    "stop": "When to stop",
}
PAIR_HELP: dict[PairKind, str] = {
    "sibling": "At the same place one reply failed a check, and another was valid and led to a pass.",
    "repair": "The agent was told what was wrong and corrected itself; the correction stands against the first error.",
    "path": "A valid action that led nowhere, in an attempt that failed, against one on the way of an attempt that passed.",
    "stop": "Closing too early, going on when all was done, or the wrong closing words, against what was right there.",
}
ABOUT = {"action": "the action", "end": "the attempt, if it ends here", "attempt": "the attempt it is from"}
"""What a verdict of a row is about, for people."""
MOST_LINES = 60
"""Lines of one message that are drawn."""


def group_title(group: str) -> str:
    """A kind of pair or a label, for people."""
    titles = {str(kind): title for kind, title in PAIR_TITLES.items()}
    return titles.get(group, spaced(group).capitalize())


def draw_pair(row: Mapping[str, Any]) -> None:
    """Why the one is better, both side by side, and what was said before."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        kind = row["kind"]
        chip(group_title(kind), color="violet", icon=":material/compare_arrows:", help=PAIR_HELP.get(kind))
        chip(terms.template_title(row["template"]), icon=":material/task_alt:")
    untrusted_prose(row["reason"])
    sides = [lines_of(row[side][0]) for side in ("chosen", "rejected")]
    places = marked(*sides)
    columns = st.columns(2)
    for side, lines, changed, column in zip(("chosen", "rejected"), sides, places, columns, strict=True):
        with column, st.container(border=True, gap="xsmall", height="stretch"):
            good = side == "chosen"
            chip(
                side.capitalize(),
                color="green" if good else "red",
                icon=":material/thumb_up:" if good else ":material/thumb_down:",
            )
            _draw_lines(lines, changed, "green" if good else "red")
            _draw_source(row[f"{side}_source"])
    _draw_verdicts("What is wrong with the rejected one", row["verdicts"])
    _draw_before(row)


def draw_label(row: Mapping[str, Any]) -> None:
    """A message, whether it was right, why, and what was said before."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        if row["label"]:
            chip("Right", color="green", icon=":material/thumb_up:")
        else:
            chip("Wrong", color="red", icon=":material/thumb_down:")
        chip(terms.template_title(row["template"]), icon=":material/task_alt:")
    untrusted_prose(row["reason"])
    with st.container(border=True, gap="xsmall"):
        _draw_lines(lines_of(row["completion"][0]), frozenset(), "gray")
        _draw_source(row["source"])
    if row["verdicts"]:
        _draw_verdicts("What is wrong with it", row["verdicts"])
    _draw_before(row)


def lines_of(message: Mapping[str, Any]) -> list[str]:
    """A message line by line: its words, then every call as its tool with one argument a line."""
    lines = [line for line in str(message.get("content") or "").splitlines() if line.strip()]
    for call in message.get("tool_calls") or ():
        function = call["function"]
        lines.append(f"Calls {function['name']}")
        lines += [
            f"{name} = {json.dumps(value, ensure_ascii=False, sort_keys=True)}"
            for name, value in sorted(function["arguments"].items())
        ]
    return lines or ["(says nothing)"]


def marked(one: Sequence[str], other: Sequence[str]) -> tuple[frozenset[int], frozenset[int]]:
    """The lines of each that the other does not have in this order."""
    same = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    left = {block.a + place for block in same for place in range(block.size)}
    right = {block.b + place for block in same for place in range(block.size)}
    return frozenset(range(len(one))) - left, frozenset(range(len(other))) - right


def _draw_lines(lines: Sequence[str], changed: frozenset[int], color: Color) -> None:
    shown = lines[:MOST_LINES]
    untrusted_lines((line, color if place in changed else None) for place, line in enumerate(shown))
    if len(lines) > len(shown):
        st.caption(f"and {amount(len(lines) - len(shown), 'more line')}")


def _draw_source(source: Mapping[str, Any]) -> None:
    tried = source.get("untaken") is not None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(label(f"By {terms.policy_name(str(source['policy']))}{', tried and not taken' if tried else ''}"))
        step = int(source["step"]) + 1
        link(
            "pages/3_Trajectories.py",
            f"Step {step} of its attempt",
            icon=":material/route:",
            query={"id": str(source["trajectory"]), "step": str(step)},
        )


def _draw_verdicts(title: str, verdicts: Sequence[Mapping[str, Any]]) -> None:
    st.markdown(f"**{title}**")
    for verdict in verdicts:
        with st.container(border=True, gap="xsmall"):
            untrusted_prose(str(verdict["message"]) or "No message.")
            at = f" · at {verdict['path']}" if verdict.get("path") else ""
            st.caption(label(f"Check {verdict['check']}, about {ABOUT.get(verdict['of'], verdict['of'])}{at}"))


def _draw_before(row: Mapping[str, Any]) -> None:
    with st.expander(f"{amount(len(row['prompt']), 'message')} before", icon=":material/forum:", type="compact"):
        for message in row["prompt"]:
            draw_message(message, learned=False)
    with st.expander(f"{len(row['tools'])} tools offered", icon=":material/build:", type="compact"):
        untrusted_json(row["tools"], expanded=1)
