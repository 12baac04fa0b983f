"""The Catalog page's tools, models and checks: what there is, searchable, nothing to change."""

from collections.abc import Sequence
from typing import Any, Literal

import streamlit as st

from lamsim_core.environment import ToolSpec
from lamsim_core.errors import NotFoundError
from lamsim_core.feedback import action_checks, final_checks
from lamsim_core.models.registry import ModelEntry, list_models, reached
from lamsim_core.tasks import Template, load_templates
from lamsim_core.tools import Category, categories, every_category
from lamsim_core.tools.held_out import held_out_tool, split_rules
from lamsim_core.ui.adapters import draw_adapter, draw_earlier_merges, draw_merges, merges_of
from lamsim_core.ui.doctor_view import draw_doctor
from lamsim_core.ui.draw import chip, clean, failure, guard, label, untrusted_json, untrusted_prose
from lamsim_core.ui.jobs import Jobs
from lamsim_core.ui.page import Studio
from lamsim_core.ui.tables import BADGE_BLUE, BADGE_GREEN, BADGE_GREY, BADGE_ORANGE, badge_column, button_column
from lamsim_core.ui.terms import category_option, template_title
from lamsim_core.ui.tool_trial import draw_trial
from lamsim_core.ui.training import is_here
from lamsim_core.ui.wording import spaced

ALL = "All categories"
TABLE_HEIGHT = 560
"""Pixels of a long table."""
FAMILIES = {
    "office": "Office",
    "commerce": "Commerce",
    "money": "Money",
    "travel": "Travel",
    "leisure": "Leisure",
    "home": "Home",
    "reference": "Reference",
}
KINDS = {"local": "Model", "adapter": "Adapter", "scripted": "Scripted", "endpoint": "Endpoint"}


def search(what: str, key: str) -> str:
    """A search field; the text in lower case."""
    text = st.text_input(
        f"Search {what}",
        type="search",
        placeholder=f"Search {what}",
        key=key,
        label_visibility="collapsed",
        live="300ms",
    )
    return (text or "").strip().lower()


def search_and_category(what: str, key: str) -> tuple[str, str | None]:
    """A search field beside a choice of category: the text in lower case, and the category or None for all."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        text = search(what, key)
    known = every_category()
    with right:
        chosen = st.selectbox(
            "Category",
            [ALL, *known],
            format_func=lambda name: category_option(name) if name in known else ALL,
            key=f"{key}_category",
            label_visibility="collapsed",
        )
    return text, chosen if chosen in known else None


def fits(text: str, *parts: str) -> bool:
    """Whether every word of a search is in one of the parts."""
    everything = " ".join(parts).lower()
    return all(word in everything for word in text.split())


def opened(name: Literal["tool", "task"], known: Sequence[str]) -> str | None:
    """What the address asks for, when there is such a thing."""
    wanted: str | None = st.query_params.get(name)
    if wanted is not None and wanted not in known:
        failure(NotFoundError(name, wanted, known))
        return None
    return wanted


def show_tool(name: str) -> None:
    """Make a tool the one the page shows."""
    st.session_state["view"] = "Tools"
    st.query_params["tool"] = name


def show_task(template: str) -> None:
    """Make a kind of task the one the page shows."""
    st.session_state["view"] = "Tasks"
    st.query_params["task"] = template


def edit_template(template: Template) -> None:
    """Put a template into the task studio and show it there."""
    st.session_state["view"] = "Task studio"
    st.session_state["studio_start"] = template.id


def show_category(name: str) -> None:
    """Show the tools of one category."""
    st.session_state["view"] = "Tools"
    st.session_state["catalog_tools_category"] = name
    st.query_params.pop("tool", None)


def draw_categories() -> None:
    """Every category: what it is, how much there is of it, and whether it is kept for measuring."""
    known = list(every_category().values())
    templates = load_templates().values()
    hidden, shipped = split_rules().held_out_categories, categories()
    rows = [
        {
            "Show": ":material/visibility:",
            "Category": clean(category.title),
            "What it is": clean(category.description),
            "Family": FAMILIES.get(category.family, clean(category.family)),
            "Tools": len(category.tools),
            "Kinds of tasks": sum(category.name in template.categories for template in templates),
            "For": ["measuring" if category.name in hidden else "training" if category.name in shipped else "imported"],
        }
        for category in known
    ]
    st.caption(
        f"{len(known):,} categories, {sum(len(c.tools) for c in known):,} tools, {len(templates):,} kinds of tasks. "
        "Each category has a world of its own, made anew from every seed."
    )
    st.dataframe(
        rows,
        key="catalog_categories_table",
        hide_index=True,
        height="content",
        column_config={
            "Category": st.column_config.TextColumn("Category", width=140),
            "Tools": st.column_config.NumberColumn("Tools", width=60),
            "Kinds of tasks": st.column_config.NumberColumn("Kinds of tasks", width=100),
            "Show": button_column("catalog_category", lambda row: show_category(known[row].name)),
            "What it is": st.column_config.TextColumn("What it is", width="large"),
            "Family": st.column_config.TextColumn(
                "Family", help="Tools are never lent as distractors within a family: they could do the same thing."
            ),
            "For": badge_column(
                "For",
                {"training": BADGE_GREEN, "measuring": BADGE_GREY, "imported": BADGE_BLUE},
                help="Categories for measuring are never seen in training. Imported ones are for tasks of your own.",
                width=110,
            ),
        },
        alt="All categories",
    )


def draw_tools() -> None:
    """Every tool with its schema."""
    tools = [(category, tool) for category in every_category().values() for tool in category.tools.values()]
    wanted = opened("tool", [_full_name(category, tool) for category, tool in tools])
    for owner, tool in tools:
        if _full_name(owner, tool) == wanted:
            _draw_tool(owner, tool)
    text, only = search_and_category("tools", "catalog_tools")
    shown = [
        (c, t)
        for c, t in tools
        if only in (None, c.name) and fits(text, t.name, c.title, t.schema.description, spaced(t.name))
    ]
    st.caption(f"{len(shown):,} of {len(tools):,} tools")
    rows = [
        {
            "Show": ":material/visibility:",
            "Tool": clean(tool.name),
            "Category": clean(category.title),
            "What it does": clean(tool.schema.description),
            "Kind": ["changes" if tool.mutates else "reads", *_origin(category, tool)],
            "Arguments": clean(", ".join(_arguments(tool))),
        }
        for category, tool in shown
    ]
    st.dataframe(
        rows,
        key="catalog_tools_table",
        hide_index=True,
        height=TABLE_HEIGHT,
        column_config={
            "Show": button_column("catalog_tool", lambda row: show_tool(_full_name(*shown[row]))),
            "What it does": st.column_config.TextColumn("What it does", width="large"),
            "Kind": badge_column(
                "Kind",
                {"reads": BADGE_BLUE, "changes": BADGE_ORANGE, "held out": BADGE_GREY, "imported": BADGE_GREEN},
                help="Whether a call may change the world. Held out: never offered in training.",
                width=150,
            ),
        },
        alt="All tools",
    )


def _full_name(category: Category, tool: ToolSpec) -> str:
    return f"{category.name}.{tool.name}"


def _arguments(tool: ToolSpec) -> list[str]:
    properties = tool.schema.parameters.get("properties")
    return list(properties) if isinstance(properties, dict) else []


def _origin(category: Category, tool: ToolSpec) -> list[str]:
    if category.name not in categories():
        return ["imported"]
    return ["held out"] if held_out_tool(category.name, tool.name) else []


def _draw_tool(category: Category, tool: ToolSpec) -> None:
    users = [t.id for t in load_templates().values() if category.name in t.categories and tool.name in t.needed_tools]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(label(tool.name), anchor=False, width="content")
            chip(category.title, color="primary")
            chip("changes the world" if tool.mutates else "reads only", color="orange" if tool.mutates else "blue")
            if category.name not in categories():
                chip("imported", color="green", icon=":material/input:")
            if held_out_tool(category.name, tool.name):
                chip("held out", icon=":material/lock:", help="Never offered in training tasks.")
        untrusted_prose(tool.schema.description)
        trial, schema, tasks = st.tabs(
            ["Try it", "Schema", "Tasks that use it"],
            key=f"catalog_tool_tabs.{_full_name(category, tool)}",
            on_change="rerun",
        )
        if trial.open:
            with trial, guard():
                draw_trial(category, tool.name, f"catalog_trial.{_full_name(category, tool)}")
        if schema.open:
            with schema:
                untrusted_json(tool.schema.openai(), expanded=True)
        if tasks.open:
            with tasks:
                _draw_users(users)


def _draw_users(users: Sequence[str]) -> None:
    for template in users:
        st.button(
            label(template_title(template)),
            key=f"catalog_user.{template}",
            icon=":material/task_alt:",
            type="tertiary",
            on_click=show_task,
            args=(template,),
        )
    if not users:
        st.caption("None; it is offered as a distractor.")


def draw_models(studio: Studio) -> None:
    """Every model: what it is, whether it can be used, and why not."""
    merges = merges_of(studio)
    draw_merges(studio, merges)
    for entry in sorted(list_models(studio.settings), key=lambda entry: (not entry.available, not entry.default)):
        _draw_model(studio, _asked(entry), merges)
    draw_earlier_merges(merges)
    st.caption(
        "Models come from data/models.yaml, servers of your own from endpoints.yaml, adapters from training. A model is "
        "chosen by its name, never by a path or an address, and only safetensors weights are read."
    )


@st.cache_data(  # type: ignore[untyped-decorator]
    ttl=30, show_spinner="Asking the servers.", hash_funcs={ModelEntry: ModelEntry.content_hash}
)
def _asked(entry: ModelEntry) -> ModelEntry:
    """The entry after its server, if it has one, was asked; for half a minute the answer holds."""
    return reached(entry)


def _draw_model(studio: Studio, entry: ModelEntry, merges: Jobs) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(label(entry.title), anchor=False, width="content")
            chip(KINDS[entry.kind], color="primary" if entry.kind == "adapter" else "gray")
            if entry.available:
                chip("available", color="green", icon=":material/check_circle:")
            else:
                chip("not available", color="orange", icon=":material/cloud_off:")
            if entry.default:
                chip("default", icon=":material/star:")
            if entry.shipped:
                chip("part of the product", icon=":material/inventory_2:")
        st.text(entry.note)
        st.caption(
            f"{label(entry.parameters)} parameters · {label(entry.licence)} · {label(entry.source)} · {label(entry.name)}"
        )
        if entry.why_not is not None:
            st.caption(f":orange[:material/info:] {label(entry.why_not, limit=800)}")
        elif entry.needs_memory and is_here(studio.settings, entry.base or entry.name):
            draw_doctor(studio.settings, entry)
        if entry.adapter is not None:
            with guard():
                draw_adapter(studio, entry, merges)


def draw_checks() -> None:
    """Every check, in the order they run."""
    st.markdown("**Of every action**")
    _check_table([*action_checks().values()], "catalog_action_checks")
    st.markdown("**Of the whole attempt**")
    _check_table([*final_checks().values()], "catalog_final_checks")
    st.caption(
        "Gates decide: an action that fails one is an error, an attempt passes when every final gate of its task passes. "
        "Diagnoses only inform. Every verdict carries the version of its check."
    )


def _check_table(checks: Sequence[Any], key: str) -> None:
    rows = [
        {
            "Check": clean(check.id),
            "Version": check.version,
            "Role": ["gate" if check.gate else "diagnosis"],
            "What it checks": clean(check.about),
        }
        for check in checks
    ]
    st.dataframe(
        rows,
        key=key,
        hide_index=True,
        height="content",
        column_config={
            "Check": st.column_config.TextColumn("Check", width=160),
            "Version": st.column_config.NumberColumn("Version", width=60),
            "Role": badge_column("Role", {"gate": BADGE_GREEN, "diagnosis": BADGE_GREY}),
            "What it checks": st.column_config.TextColumn("What it checks", width="large"),
        },
        alt="Checks",
    )
