"""What models get wrong: mistakes by kind and place, over time, and the commonest confusions, down to the attempts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, get_args

import streamlit as st

from lamsim_core.models.registry import adapter_folders
from lamsim_core.records import PolicyKind, Split
from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.mistakes import MODELS, Axis, MistakeTable, Scope, confusions, mistake_table, mistaken
from lamsim_core.store.progress import PolicyProgress, progress
from lamsim_core.store.queries import count_trajectories, facets
from lamsim_core.ui.attempts import show_attempts
from lamsim_core.ui.confusion_tables import draw_confusions
from lamsim_core.ui.draw import clean
from lamsim_core.ui.heat import HeatGroup, HeatRow, draw_heat_map, heat_map
from lamsim_core.ui.page import Studio, go_button
from lamsim_core.ui.policy_progress import draw_progress
from lamsim_core.ui.terms import MISTAKES, category_option, category_title, policy_name
from lamsim_core.ui.wording import SPLIT_NAMES, amount, spaced

MOST_ROWS = 24
"""Rows of the heat map; those with the most mistakes are shown."""
NO_TOOL = "(no tool)"
SCOPES: dict[Scope, str] = {"actions": "Single actions", "attempts": "Whole attempts"}
AXES: dict[Axis, str] = {"policy": "Policy", "category": "Category", "tool": "Tool"}
TOLD: dict[Scope, str] = {
    "actions": "Actions with a mistake of each kind, per 100 actions. Beside each name: how many actions there were.",
    "attempts": "Attempts with a mistake of each kind, per 100 attempts. Beside each name: how many attempts there were.",
}
BY_TOOL: dict[Scope, str] = {
    "actions": f"{NO_TOOL}: messages to the user, and calls that could not be read.",
    "attempts": "An attempt stands at every tool it called.",
}


class LookedAt(NamedTuple):
    """Whose attempts, and which of them."""

    flt: TrajectoryFilter
    kinds: tuple[PolicyKind, ...]
    """Models only, unless policies were named."""


def draw_insight(studio: Studio) -> None:
    """The whole section: filters, mistakes by kind, results over time, confusions."""
    known = facets(studio.index)
    looked = _draw_filters(known) if known["policies"] else LookedAt(TrajectoryFilter(), MODELS)
    bases = {adapter.id: adapter.base for _, adapter in adapter_folders(studio.settings)}
    found = progress(studio.index, looked.flt, looked.kinds, bases)
    if not found:
        _draw_nothing(studio, looked)
        return
    _draw_mistakes(studio, looked, found)
    draw_progress(found)
    draw_confusions(confusions(studio.index, looked.flt, looked.kinds))


def _draw_filters(known: Mapping[str, Sequence[str]]) -> LookedAt:
    who, where, split = st.columns([2, 2, 1.4])
    policies: list[str] = who.multiselect(
        "Policies",
        known["policies"],
        format_func=lambda name: clean(policy_name(name)),
        key="insight_policies",
        persist_state="session",
        placeholder="Every model",
        help="With none chosen, every model and adapter that has tried a task; policies without a model are left out.",
    )
    categories: list[str] = where.multiselect(
        "Categories",
        known["categories"],
        format_func=category_option,
        key="insight_categories",
        persist_state="session",
        placeholder="Every category",
    )
    splits: list[Split] = [each for each in get_args(Split) if each in known["splits"]]
    one: Split | None = split.selectbox(
        "Tasks from",
        splits,
        index=None,
        format_func=lambda name: SPLIT_NAMES[name],
        key="insight_split",
        persist_state="session",
        placeholder="Every split",
    )
    flt = TrajectoryFilter(policies=tuple(policies), categories=tuple(categories), splits=() if one is None else (one,))
    return LookedAt(flt, () if policies else MODELS)


def _draw_nothing(studio: Studio, looked: LookedAt) -> None:
    if looked.flt != TrajectoryFilter():
        st.info("No attempt fits this choice.", icon=":material/search_off:")
        return
    with st.container(border=True):
        st.subheader("No model has tried a task yet", anchor=False)
        others = count_trajectories(studio.index)
        st.text(
            "As soon as one has, this page shows what it gets wrong, where, and how that changes with training."
            + (
                f" {amount(others, 'stored attempt')} by policies without a model can be chosen above."
                if others
                else ""
            )
        )
        with st.container(horizontal=True):
            go_button(
                "pages/1_Simulate.py", "Try one task", icon=":material/play_circle:", key="insight_one", primary=True
            )
            go_button("pages/2_Explore.py", "Try many", icon=":material/travel_explore:", key="insight_many")


def _draw_mistakes(studio: Studio, looked: LookedAt, found: Sequence[PolicyProgress]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Where it goes wrong", anchor=False, width="content")
        with st.container(horizontal=True, width="content"):
            scope: Scope = st.segmented_control(
                "Mistakes of",
                list(SCOPES),
                default="actions",
                required=True,
                format_func=lambda each: SCOPES[each],
                key="insight_scope",
                persist_state="session",
                label_visibility="collapsed",
            )
            axis: Axis = st.segmented_control(
                "By",
                list(AXES),
                default="policy",
                required=True,
                format_func=lambda each: AXES[each],
                key="insight_axis",
                persist_state="session",
                label_visibility="collapsed",
            )
    table = mistake_table(studio.index, scope, axis, looked.flt, looked.kinds)
    if not table.kinds:
        st.caption(f"No mistake was found in {amount(sum(table.totals.values()), scope.removesuffix('s'))}.")
        return
    values = rows_of(table, [each.policy for each in found])
    more = f" {BY_TOOL[scope]}" if axis == "tool" else ""
    if len(values) < len(table.totals):
        more += f" The {len(values)} with the most mistakes of {len(table.totals):,} are shown."
    st.caption(f"{TOLD[scope]} Select a number to see the attempts behind it.{more}")
    figure = heat_map(_groups(table), [_row(table, value) for value in values])
    cell = draw_heat_map(
        figure,
        key=f"insight.heat.{scope}.{axis}",
        alt=f"Mistakes of {SCOPES[scope].lower()} by kind and {AXES[axis].lower()}, per 100",
        columns=len(table.kinds),
    )
    with st.popover("What the words mean", icon=":material/help:", type="tertiary"):
        st.table(
            {spaced(kind.error_class).capitalize(): MISTAKES[kind.error_class] for kind in table.kinds},
            border="horizontal",
        )
    if cell is not None:
        value, kind = values[cell[0]], table.kinds[cell[1]]
        behind = mistaken(studio.index, scope, axis, value, kind, looked.flt, looked.kinds)
        if behind:
            show_attempts(f"{spaced(kind.error_class)}, {value_name(axis, value)}", behind)


def rows_of(table: MistakeTable, policies: Sequence[str]) -> list[str]:
    """Values of the axis in the order shown: policies as given, categories by name, tools by their mistakes.

    At most ``MOST_ROWS``, those with the most mistakes.
    """
    wrong = {value: sum(table.count(value, place) for place in range(len(table.kinds))) for value in table.totals}
    worst = sorted(table.totals, key=lambda value: (-wrong[value], -table.totals[value], value))[:MOST_ROWS]
    if table.axis == "policy":
        return [value for value in dict.fromkeys(policies) if value in worst]
    return sorted(worst, key=lambda value: value_name(table.axis, value)) if table.axis == "category" else worst


def value_name(axis: Axis, value: str) -> str:
    """A value of an axis for a person."""
    if axis == "policy":
        return policy_name(value)
    if axis == "category":
        return category_title(value)
    return value or NO_TOOL


def _groups(table: MistakeTable) -> list[HeatGroup]:
    titles = {True: "Held against the agent", False: "Diagnosis, held against nobody"}
    groups = [
        HeatGroup(title, [spaced(kind.error_class) for kind in table.kinds if kind.counts is counts])
        for counts, title in titles.items()
    ]
    return [group for group in groups if group.columns]


def _row(table: MistakeTable, value: str) -> HeatRow:
    total = table.totals[value]
    told = [
        f"{spaced(kind.error_class)}: {table.count(value, place):,} of {amount(total, table.scope.removesuffix('s'))}"
        for place, kind in enumerate(table.kinds)
    ]
    rates = [table.per_hundred(value, place) for place in range(len(table.kinds))]
    return HeatRow(value_name(table.axis, value), total, rates, told)
