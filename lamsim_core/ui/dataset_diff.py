"""A dataset beside its earlier version, and made again from its card: what came in and what went out, by rule."""

from collections.abc import Mapping

import streamlit as st

from lamsim_core.curate.differences import Differences, differences, rebuild
from lamsim_core.curate.folder import get_dataset
from lamsim_core.records import Dataset
from lamsim_core.ui.draw import clean, guard, label, untrusted_prose
from lamsim_core.ui.page import Studio
from lamsim_core.ui.wording import amount, spaced

MOST_IDS = 200
"""Ids listed for each direction."""


def draw_differences(studio: Studio, dataset: Dataset) -> None:
    """What changed since the earlier version."""
    if dataset.parent is None:
        st.caption("There is no earlier version of this name.")
        return
    with guard():
        parent = get_dataset(studio.settings, dataset.parent)
        found = differences(studio.settings, dataset, parent)
        st.caption(label(f"From {parent.hash[:8]} ({amount(parent.rows, 'row')}) to {dataset.hash[:8]}."))
        if found.rules:
            st.dataframe(
                [
                    {"Rule": name.capitalize(), "Before": clean(_plain(old)), "Now": clean(_plain(new))}
                    for name, (old, new) in found.rules.items()
                ],
                hide_index=True,
                key=f"rules.{dataset.id}",
                alt="Rules that changed",
            )
        _draw_changes(found, dataset.id)


def draw_rebuild(studio: Studio, dataset: Dataset) -> None:
    """Make the rows again from the card when asked to, and say whether they are the same."""
    st.caption(
        "Reads the rules from the card, applies them to what was stored when it was frozen, and compares every row."
    )
    if not st.button("Make it again and compare", key=f"rebuild.{dataset.id}", icon=":material/replay:"):
        return
    with guard():
        with st.spinner("Making the rows again"):
            again = rebuild(studio.store, dataset)
        if again.same:
            st.success(f"The same: {amount(again.rows, 'row')}, every byte.", icon=":material/verified:")
        elif again.differences.none:
            st.warning(
                "The same attempts but other rows: they were judged anew, or rows are made otherwise now.",
                icon=":material/difference:",
            )
        else:
            st.warning("Not the same any more.", icon=":material/difference:")
        _draw_changes(again.differences, f"{dataset.id}.again")


def _draw_changes(found: Differences, key: str) -> None:
    first, second, third = st.columns(3)
    first.metric("In both", f"{found.same:,}", border=True)
    second.metric("Came in", f"{sum(map(len, found.came.values())):,}", border=True)
    third.metric("Went out", f"{sum(map(len, found.went.values())):,}", border=True)
    for title, changes in (("Came in; before", found.came), ("Went out because", found.went)):
        if changes:
            st.dataframe(
                _lines(changes),
                hide_index=True,
                key=f"{title}.{key}",
                column_config={"Reason": st.column_config.TextColumn(title)},
                alt=title,
            )
    if found.none:
        untrusted_prose("The members are the same.")


def _plain(rule: str) -> str:
    """A rule of the card without its code marks: cells of a table are text already."""
    return rule.replace("`", "")


def _lines(changes: Mapping[str, tuple[str, ...]]) -> list[dict[str, str]]:
    lines = [
        {"Reason": clean(spaced(reason).capitalize()), "Attempt": member}
        for reason, members in changes.items()
        for member in members
    ]
    more = len(lines) - MOST_IDS
    return [*lines[:MOST_IDS], *([{"Reason": f"and {more:,} more", "Attempt": ""}] if more > 0 else [])]
