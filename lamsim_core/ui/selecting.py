"""The Datasets page's first half: the rules of a selection, and the question people may write in SQL."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import streamlit as st

from lamsim_core.canonical import canonical_json
from lamsim_core.curate.held_out_texts import HELD_OUT_SPLITS
from lamsim_core.curate.outside import kept_outside
from lamsim_core.curate.presets import PER_TEMPLATE, Filled, fill_in
from lamsim_core.curate.rules import selection_of, shares_of
from lamsim_core.records import DatasetKind, Keep, Selection, TaskKind, ToolLooks
from lamsim_core.store import Store
from lamsim_core.store.asked import VIEWS
from lamsim_core.store.queries import facets
from lamsim_core.ui import terms
from lamsim_core.ui.draw import clean, label
from lamsim_core.ui.making import rules_of_turns
from lamsim_core.ui.page import Studio
from lamsim_core.ui.trajectory_list import value_title
from lamsim_core.ui.wording import spaced

KEPT = {
    "policies": "Who acted",
    "categories": "Categories",
    "templates": "Kinds of tasks",
    "tags": "Tags",
    "runs": "Runs",
}
"""Choices among what is stored; nothing chosen means all."""
OUTCOMES = {"passed": "Passed", "failed": "Failed", "unscored": "Not scored"}
ORIGINS = {"plain": "From the start", "forked": "Forked"}
KEEPS: dict[Keep, str] = {
    "newest": "The newest",
    "oldest": "The oldest",
    "shortest": "Those with the fewest calls",
    "seeded": "Drawn by a seed",
}
WAYS = {"balanced": "Balanced", "own": "My own rules"}
LOOKS: dict[ToolLooks | Literal["any"], str] = {
    "any": "Any way",
    "plain": "As they are",
    "varied": "Under other names and words",
}


def draw_selection(studio: Studio, kind: DatasetKind = "sft") -> Selection:
    """Every rule that counts for datasets of a kind, as chosen now: a preset that is right for most, or each by itself.

    Raises:
        InvalidInputError: a rule cannot be used as it is written.
    """
    known = facets(studio.index)
    if kind != "sft":
        return _own(studio, known, kind)
    way = st.segmented_control(
        "Which attempts",
        list(WAYS),
        default="balanced",
        required=True,
        format_func=lambda name: WAYS[name],
        key="datasets_way",
        persist_state="session",
    )
    return _balanced(studio, known) if way == "balanced" else _own(studio, known, kind)


def _balanced(studio: Studio, known: dict[str, list[str]]) -> Selection:
    st.caption(
        f"Attempts that passed every check. Near-duplicates stay out, no kind of task has more than {PER_TEMPLATE} rows, and "
        "nothing enters that the held-out tasks ask or offer. Declining, asking, calling at once and going on after a refusal "
        "make up a tenth each."
    )
    chosen = {name: tuple(_choose(name, known.get(name, []))) for name in ("policies", "categories")}
    given = selection_of(**chosen, rows=_most_rows(), decontaminate=HELD_OUT_SPLITS)
    asked = canonical_json(given.model_dump(mode="json"))
    remember = st.cache_data(max_entries=20, show_spinner="Looking through the stored attempts")
    filled: Filled = remember(_fill_in)(str(studio.settings.home), studio.index.version, asked, studio.store)
    if filled.says:
        with st.expander("Kinds without a share", icon=":material/info:", type="compact"):
            for said in filled.says:
                st.caption(label(said))
    return filled.selection


def _fill_in(home: str, version: int, given: str, _store: Store) -> Filled:
    return fill_in("balanced", _store, Selection.model_validate_json(given))


def _own(studio: Studio, known: dict[str, list[str]], kind: DatasetKind) -> Selection:
    whole = kind == "sft"
    passed_only = whole and st.toggle(
        "Only attempts that passed",
        value=True,
        key="datasets_passed",
        persist_state="session",
        help="Training on attempts that failed teaches the failure. Leave this on unless you know why not.",
    )
    decisions = st.pills(
        "Your decisions let in",
        list(terms.DECISIONS),
        selection_mode="multi",
        default=["accept", "undecided"],
        format_func=lambda decision: terms.DECISIONS[decision],
        key="datasets_decisions",
        persist_state="session",
        wrap=True,
        help="Accept and reject attempts on the Review and Trajectories pages. A rejected one stays out by default.",
    )
    chosen = {name: _choose(name, known.get(name, [])) for name in ("policies", "categories", "templates")}
    left, right = st.columns(2)
    rules: dict[str, Any] = {name: tuple(values) for name, values in chosen.items()}
    if whole:
        rules["max_errors"] = left.number_input(
            "Failed actions at most",
            min_value=0,
            value=0,
            step=1,
            key="datasets_errors",
            persist_state="session",
            placeholder="Any number",
            help="Actions that failed a check within the attempt. They are never trained on, but the recovery after them is. "
            "Empty means any number.",
        )
    most_each = {"sft": right, "preference": left}.get(kind, st).number_input(
        "Of each kind at most" if whole else "Of each kind of task at most",
        min_value=1,
        value=None,
        step=1,
        key="datasets_cap",
        persist_state="session",
        placeholder="Any",
        help="So many of each kind of task are taken, so that no kind outweighs the others.",
    )
    rules["rows"] = _most_rows()
    if not whole:
        rules |= rules_of_turns(kind, right)
    with st.expander("More filters", icon=":material/tune:", type="compact"):
        rules |= _filters(known, passed_only or not whole)
    with st.expander("A question in SQL, and ids by hand", icon=":material/database:", type="compact"):
        rules |= _question()
    with st.expander("Duplicates and balance", icon=":material/balance:", type="compact"):
        rules |= _balance(whole)
    if whole:
        with st.expander("For comparisons", icon=":material/science:", type="compact"):
            rules |= _arms(known)
    with st.expander("Nothing that is only for measuring", icon=":material/verified_user:", type="compact"):
        rules |= _decontamination(studio)
    return selection_of(
        passed_only=passed_only,
        decisions=tuple(decisions),
        max_per_template=most_each,
        **rules,
    )


def _filters(known: dict[str, list[str]], passed_only: bool) -> dict[str, Any]:
    kinds = st.multiselect(
        "What the task demands",
        list(get_args(TaskKind)),
        format_func=lambda kind: spaced(kind).capitalize(),
        placeholder="Anything",
        key="datasets_kinds",
        persist_state="session",
    )
    outcomes = [] if passed_only else _pills("Outcomes", OUTCOMES, "datasets_outcomes")
    origins = _pills(
        "Begun", ORIGINS, "datasets_origins", help="Attempts in which a person edited a result never enter."
    )
    left, right = st.columns(2)
    since = left.date_input("Made from", value=None, key="datasets_since", persist_state="session")
    until = right.date_input(
        "Made before", value=None, key="datasets_until", persist_state="session", help="Days begin at midnight UTC."
    )
    least = left.number_input("Steps at least", min_value=0, value=None, key="datasets_min", placeholder="Any")
    most = right.number_input("Steps at most", min_value=0, value=None, key="datasets_max", placeholder="Any")
    lists = {name: tuple(_choose(name, known.get(name, []))) for name in ("tags", "runs")}
    return {
        "kinds": tuple(kinds),
        "outcomes": tuple(outcomes),
        "origins": tuple(origins),
        "since": since.isoformat() if since else "",
        "until": until.isoformat() if until else "",
        "min_steps": least,
        "max_steps": most,
        **lists,
    }


def _question() -> dict[str, Any]:
    sql = st.text_area(
        "Only what this SELECT returns",
        key="datasets_sql",
        persist_state="session",
        height=120,
        placeholder="SELECT id FROM attempts WHERE calls >= 2 AND list_contains(kinds, 'recovery')",
        help="One SELECT that returns ids. It can only read the views below, for at most 5 seconds.",
    )
    with st.popover("What can be asked", icon=":material/help:"):
        for view, (_, columns) in VIEWS.items():
            st.markdown(f"**{view}**")
            st.dataframe(
                [{"Column": name, "Meaning": meaning} for name, (_, meaning) in columns.items()],
                hide_index=True,
                height=240,
                alt=f"Columns of {view}",
            )
    include = st.text_area(
        "Ids let in by hand",
        key="datasets_include",
        persist_state="session",
        height=70,
        placeholder="trj_…",
        help="Whatever the filters say. Not what never enters: held-out tasks, edited results, what you rejected.",
    )
    exclude = st.text_area(
        "Ids kept out by hand", key="datasets_exclude", persist_state="session", height=70, placeholder="trj_…"
    )
    return {"sql": (sql or "").strip(), "include": _ids(include), "exclude": _ids(exclude)}


def _balance(whole: bool) -> dict[str, Any]:
    near = whole and st.toggle(
        "Drop near-duplicates",
        key="datasets_near",
        persist_state="session",
        help="Same task template, same calls (values aside), and requests that share most of their words. One is kept.",
    )
    alike = (
        st.slider("Words shared", 0.5, 1.0, 0.9, 0.05, key="datasets_alike", persist_state="session") if near else None
    )
    keep: Keep = "seeded"
    if whole:
        keep = st.selectbox(
            "Kept first where not all are",
            list(KEEPS),
            format_func=lambda name: KEEPS[name],
            key="datasets_keep",
            persist_state="session",
        )
    seed = st.number_input("Seed", min_value=0, value=0, key="datasets_seed") if keep == "seeded" else 0
    shares = {
        name: _parts(
            st.text_input(
                title,
                key=f"datasets_{name}",
                persist_state="session",
                placeholder=example,
                help="Parts of the dataset, of 1 in all. Those not named share the rest; what is scarcest sets the size.",
            )
            or ""
        )
        for name, title, example in (
            ("category_shares", "Shares of categories", "calendar=0.3, banking=0.2"),
            ("kind_shares", "Shares of what tasks demand", "lookup=0.4, write=0.4"),
        )
    }
    return {"alike": alike, "keep": keep, "seed": int(seed), **shares}


def _most_rows() -> int | None:
    most: int | None = st.number_input(
        "Rows at most",
        min_value=1,
        value=None,
        step=50,
        key="datasets_rows",
        persist_state="session",
        placeholder="No limit",
        help="Cut last: parts stay as stated, and kinds of tasks take turns. With the same number two datasets are of one size.",
    )
    return most


def _arms(known: dict[str, list[str]]) -> dict[str, Any]:
    """What datasets can differ in that are to be compared."""
    looks = st.selectbox(
        "Tools look",
        list(LOOKS),
        format_func=lambda name: LOOKS[name],
        key="datasets_looks",
        persist_state="session",
        help="Half of the tasks show tools under other names and words, so that models read schemas instead of remembering them.",
    )
    left, right = st.columns(2)
    least = left.number_input("Tools at least", min_value=0, value=None, key="datasets_min_tools", placeholder="Any")
    most = right.number_input("Tools at most", min_value=0, value=None, key="datasets_max_tools", placeholder="Any")
    spare = st.number_input(
        "Tools a row shows beside the needed",
        min_value=0,
        value=None,
        key="datasets_spare_tools",
        placeholder="All that were offered",
        help="Up to so many, drawn for each row; also none. Rows get shorter, and training on them faster. Attempts without a "
        "call show all.",
    )
    share = st.number_input(
        "Rows of one world with the same tools",
        min_value=2,
        value=None,
        key="datasets_share_tools",
        placeholder="Each with tools of its own",
        help="Up to so many show the tools that any of them needs, so that training reads these once: longer lists of tools "
        "in about the same time.",
    )
    who = st.selectbox(
        "A stated part from",
        known.get("policies", []),
        index=None,
        format_func=lambda name: value_title("policies", name),
        placeholder="Nobody in particular",
        key="datasets_part_of",
        persist_state="session",
        help="For example half from the reference solution, the rest a model's own successes.",
    )
    part = st.slider("Its part of the rows", 0.05, 1.0, 0.5, 0.05, key="datasets_part") if who else 0.0
    unfiltered = st.toggle(
        "Train on everything the agent said",
        key="datasets_unfiltered",
        persist_state="session",
        help="Failed actions and ends of failed attempts too. It teaches the mistakes: only to show what verifying is worth.",
    )
    return {
        "looks": looks,
        "min_tools": least,
        "max_tools": most,
        "policy_shares": {who: part} if who else {},
        "weigh": "all" if unfiltered else "verified",
        "spare_tools": spare,
        "share_tools": share,
    }


def _decontamination(studio: Studio) -> dict[str, Any]:
    held = st.toggle(
        "Leave out what shares requests or tools with held-out tasks",
        value=True,
        key="datasets_decontaminate",
        persist_state="session",
        help="Held-out tasks themselves can never enter. This also looks for their requests, ten of their words in a row, "
        "and their tools in what would be trained on.",
    )
    lists = kept_outside(studio.settings)
    outside = (
        st.multiselect(
            "Lists of your own",
            lists,
            format_func=lambda ref: clean(f"{ref.name} · {ref.hash[:8]}"),
            placeholder="None",
            key="datasets_outside",
            help="Lists added with: dataset create --outside FILE.",
        )
        if lists
        else []
    )
    return {"decontaminate": HELD_OUT_SPLITS if held else (), "outside": tuple(outside)}


def _choose(name: str, known: Sequence[str]) -> list[str]:
    chosen: list[str] = st.multiselect(
        KEPT[name],
        known,
        format_func=lambda value: value_title(name, value),
        placeholder="All",
        key=f"datasets_{name}",
        persist_state="session",
    )
    return [value for value in chosen if value in known]


def _pills(title: str, names: dict[str, str], key: str, help: str | None = None) -> list[str]:
    chosen: list[str] = st.pills(
        title,
        list(names),
        selection_mode="multi",
        format_func=lambda name: names[name],
        key=key,
        persist_state="session",
        help=help,
    )
    return chosen


def _ids(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((text or "").replace(",", " ").split()))


def _parts(text: str) -> dict[str, float]:
    return shares_of(part for part in (each.strip() for each in text.split(",")) if part)
