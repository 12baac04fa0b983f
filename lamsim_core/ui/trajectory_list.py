"""The list of trajectories: what to filter by, one page of rows, and opening one of them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.queries import TrajectoryRow, count_trajectories, facets, find_trajectories
from lamsim_core.ui import terms
from lamsim_core.ui.draw import chip, clean, guard, label
from lamsim_core.ui.page import Studio
from lamsim_core.ui.tables import BADGE_GREEN, BADGE_GREY, BADGE_RED, badge_column
from lamsim_core.ui.wording import SPLIT_NAMES, amount, moment, spaced

PAGE = "pages/3_Trajectories.py"
FILTER = "trajectories.filter"
"""Session key of the filter in force, so that an opened trajectory knows what comes before and after it."""
ORDER = "trajectories.newest_first"
ONLY = "trajectories.only"
"""Session key of the attempts behind a number, when that is all that is looked at."""
COMPARE = "trajectories_compare"
"""Session key of whether two rows are chosen to be compared, rather than one to be opened."""
NOUN = ("trajectory", "trajectories")
OUTCOMES = {"Passed": {"passed": True}, "Failed": {"passed": False}, "Not scored": {"unscored": True}}
OUTCOME_COLOURS = {"Passed": BADGE_GREEN, "Failed": BADGE_RED, "Not scored": BADGE_GREY}
DECISION_COLOURS = {"Accepted": BADGE_GREEN, "Rejected": BADGE_RED}
MORE = {
    "categories": "Category",
    "templates": "Task",
    "policies": "Policy",
    "decisions": "Decision",
    "error_classes": "Mistake made",
    "tags": "Tag",
    "splits": "Split",
    "ended": "How it ended",
    "runs": "Run",
}
"""Filters behind the button, in the order shown."""
LENGTHS = "trajectories_lengths"
"""Session key of the numbers of steps that are let through; chosen in a chart."""
CHIPS = {"runs": "Run ", "tags": "Tag ", "error_classes": "Mistake: ", "policies": "By ", "templates": "Task: "}
"""Words before a value of the filter where the value alone does not say what it is."""
MANY = {"runs": "runs", "lengths": "numbers of steps", "categories": "categories", "templates": "tasks", "tags": "tags"}
"""What more than a few values of a filter are called."""
MOST_CHIPS = 3
"""Values of one filter that are shown one by one above the list."""


class Only(NamedTuple):
    """The attempts behind a number."""

    what: str
    """What they have in common."""
    trajectories: tuple[str, ...]
    """Their ids."""


def current_filter() -> TrajectoryFilter:
    """The filter in force in this browser tab."""
    found = st.session_state.get(FILTER)
    return found if isinstance(found, TrajectoryFilter) else TrajectoryFilter()


def newest_first() -> bool:
    """The order in force in this browser tab."""
    return bool(st.session_state.get(ORDER, True))


def draw_filter(studio: Studio) -> TrajectoryFilter:
    """Draw the filter's inputs; what they say is put in force."""
    known = facets(studio.index)
    with st.container(horizontal=True, vertical_alignment="center"):
        text = st.text_input(
            "Search",
            type="search",
            placeholder="Words of the request, the answer, the task or the id",
            key="trajectories_text",
            persist_state="session",
            label_visibility="collapsed",
        )
        outcome = st.segmented_control(
            "Outcome",
            list(OUTCOMES),
            key="trajectories_outcome",
            persist_state="session",
            label_visibility="collapsed",
        )
        chosen = {name: _kept(name, known.get(name, [])) for name in MORE}
        active = sum(map(bool, chosen.values()))
        title = f"More filters ({active})" if active else "More filters"
        with st.popover(title, icon=":material/filter_list:", key="trajectories_more"):
            for name, heading in MORE.items():
                chosen[name] = _choose(name, heading, known.get(name, []))
        st.session_state[ORDER] = (
            st.segmented_control(
                "Order",
                ["Newest", "Oldest"],
                default="Newest",
                required=True,
                key="trajectories_order",
                persist_state="session",
                label_visibility="collapsed",
            )
            != "Oldest"
        )
    chosen["lengths"] = st.session_state.get(LENGTHS, [])
    _draw_chosen(chosen, outcome)
    given: dict[str, Any] = {**chosen, "ids": _draw_only(), "text": text or "", **OUTCOMES.get(outcome or "", {})}
    st.session_state[FILTER] = TrajectoryFilter.model_validate(given)
    return current_filter()


def narrow(values: Mapping[str, Sequence[Any]]) -> None:
    """Let only trajectories with these values through, besides what the filter says already. For callbacks of charts.

    Args:
        values: by field of ``TrajectoryFilter``; ``outcome`` by its word.
    """
    for name, chosen in values.items():
        key = f"trajectories_{name}"
        st.session_state[key] = chosen[0] if name == "outcome" else list(chosen)
    st.session_state.pop("trajectories_page", None)


def _draw_chosen(chosen: Mapping[str, Sequence[Any]], outcome: str | None) -> None:
    """What the filter lets through, value by value; a click takes one away."""
    parts: list[tuple[str, str, Sequence[Any]]] = [("outcome", outcome, [outcome])] if outcome else []
    for name, values in chosen.items():
        if len(values) > MOST_CHIPS:
            parts.append((name, f"{len(values):,} {MANY.get(name, 'values')}", values))
        else:
            parts += [(name, f"{CHIPS.get(name, '')}{value_title(name, value)}", [value]) for value in values]
    if not parts:
        return
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.caption("Only", width="content")
        for name, title, values in parts:
            st.button(
                label(title, limit=50),
                key=f"trajectories_chip_{name}_{values[0]}",
                icon=":material/close:",
                help="Take this filter away",
                on_click=_take_away,
                args=(name, values),
            )
        if len(parts) > 1:
            st.button("Clear", key="trajectories_clear", type="tertiary", on_click=clear_filter)


def _take_away(name: str, values: Sequence[Any]) -> None:
    key = f"trajectories_{name}"
    if name == "outcome":
        st.session_state[key] = None
    else:
        st.session_state[key] = [each for each in st.session_state.get(key, []) if each not in values]
    st.session_state.pop("trajectories_page", None)


def _draw_only() -> tuple[str, ...]:
    """Say which attempts are behind the number that led here, and let go of them; their ids, none for all."""
    only = st.session_state.get(ONLY)
    if not isinstance(only, Only):
        return ()
    with st.container(horizontal=True, vertical_alignment="center"):
        chip(f"Only: {only.what}", color="primary", icon=":material/filter_center_focus:")
        st.button("Show all", key="trajectories_show_all", type="tertiary", icon=":material/close:", on_click=_let_go)
    return only.trajectories


def _let_go() -> None:
    st.session_state.pop(ONLY, None)


def _kept(name: str, known: Sequence[str]) -> list[str]:
    return [value for value in st.session_state.get(f"trajectories_{name}", []) if value in known]


def _choose(name: str, heading: str, known: Sequence[str]) -> list[str]:
    chosen: list[str] = st.multiselect(
        heading,
        known,
        format_func=lambda value: value_title(name, value),
        key=f"trajectories_{name}",
        persist_state="session",
        placeholder="Any",
    )
    return chosen


def value_title(name: str, value: str) -> str:
    """A value of a filter for a person."""
    titles: dict[str, Mapping[Any, str]] = {
        "splits": SPLIT_NAMES,
        "decisions": terms.DECISIONS,
        "ended": terms.ENDINGS,
    }
    if name == "lengths":
        return amount(int(value), "step")
    if name == "error_classes":
        return spaced(value)
    if name == "policies":
        return clean(terms.policy_name(value))
    if name == "categories":
        return clean(value.capitalize())
    if name == "templates":
        return clean(f"{terms.template_title(value)} ({value.partition('.')[0]})")
    return clean(titles.get(name, {}).get(value, value))


def draw_list(studio: Studio, flt: TrajectoryFilter) -> None:
    """One page of the trajectories that fit; selecting a row opens it."""
    total = count_trajectories(studio.index, flt)
    if not total:
        st.info("No trajectory fits these filters.", icon=":material/search_off:")
        st.button("Clear the filters", icon=":material/filter_list_off:", on_click=clear_filter)
        return
    size = studio.settings.page_size
    pages = -(-total // size)
    page = min(int(st.session_state.get("trajectories_page", 1)), pages)
    rows = find_trajectories(studio.index, flt, limit=size, offset=(page - 1) * size, newest_first=newest_first())
    first = (page - 1) * size + 1
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        comparing = bool(st.session_state.get(COMPARE))
        what = "Select two rows to compare them." if comparing else "Select a row to open it."
        shown = f"{first:,}–{first + len(rows) - 1:,} of {total:,}" if pages > 1 else amount(total, *NOUN)
        st.caption(f"{shown}. {what}", width="content")
        st.toggle("Compare two", key=COMPARE, persist_state="session")
    trajectory_table(rows, key=f"trajectories-{studio.index.version}-{page}-{comparing}", compare=comparing)
    if pages > 1:
        st.pagination(pages, key="trajectories_page", persist_state="session")


def clear_filter() -> None:
    """Let everything through again."""
    # Set, not taken out: a browser that is told nothing keeps what it shows, and sends it again.
    st.session_state.update(trajectories_text="", trajectories_outcome=None)
    for name in ("lengths", *MORE):
        st.session_state[f"trajectories_{name}"] = []
    st.session_state.pop(FILTER, None)
    st.session_state.pop(ONLY, None)


def trajectory_table(rows: Sequence[TrajectoryRow], *, key: str, compare: bool = False) -> None:
    """Trajectories as a table; selecting a row goes to the Trajectories page and opens it.

    Args:
        rows: the trajectories.
        key: of the table.
        compare: two rows are selected, and opened side by side.
    """
    chosen = st.dataframe(
        [table_row(row) for row in rows],
        hide_index=True,
        key=key,
        on_select="rerun",
        selection_mode="multi-row" if compare else "single-row",
        height="content",
        alt=f"Trajectories; select {'two rows to compare them' if compare else 'a row to open it'}",
        column_config={
            "Outcome": badge_column("Outcome", OUTCOME_COLOURS),
            "Decision": badge_column("Decision", DECISION_COLOURS),
            "Task": st.column_config.TextColumn(width=115),
            "Request": st.column_config.TextColumn(width=285),
            "Policy": st.column_config.TextColumn(width=120),
            "Steps": st.column_config.NumberColumn(width=50),
            "Wrong": st.column_config.NumberColumn(width=55, help="Actions that failed a check"),
            "Mistakes": st.column_config.TextColumn(width=130),
            "Made": st.column_config.TextColumn(width=95),
        },
    )
    selected = [rows[position].id for position in chosen.selection.rows if position < len(rows)]
    if len(selected) == 1 + compare:
        open_trajectory(*selected)


def open_trajectory(trajectory: str, beside: str | None = None) -> None:
    """Go to the Trajectories page with this one open, and another one beside it to compare."""
    with guard():
        st.switch_page(PAGE, query_params={"id": trajectory, **({"with": beside} if beside else {})})


def table_row(row: TrajectoryRow) -> dict[str, Any]:
    """A trajectory as a row of the table, every text cleaned."""
    decided = [] if row.decision == "undecided" else [terms.DECISIONS[row.decision]]
    return {
        "Outcome": [terms.outcome(row.passed)[0]],
        "Task": clean(terms.template_title(row.template)),
        "Request": clean(row.instruction),
        "Policy": clean(terms.policy_name(row.policy) + (" + by hand" if row.helped else "")),
        "Steps": row.n_steps,
        "Wrong": row.n_failed,
        "Mistakes": clean(", ".join(spaced(name) for name in row.error_classes)),
        "Decision": decided,
        "Made": moment(row.created),
    }
