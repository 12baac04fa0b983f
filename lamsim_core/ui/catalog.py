"""The Catalog page's tools, models and checks: what there is, searchable, nothing to change."""

from collections.abc import Sequence
from typing import Any, Literal

import streamlit as st

from lamsim_core.environment import ToolSpec
from lamsim_core.errors import NotFoundError
from lamsim_core.feedback import action_checks, final_checks
from lamsim_core.models.registry import ModelEntry, list_models
from lamsim_core.tasks import load_templates
from lamsim_core.tools import Category, categories
from lamsim_core.tools.held_out import held_out_tool
from lamsim_core.ui.draw import chip, clean, failure, label, untrusted_json
from lamsim_core.ui.page import Studio
from lamsim_core.ui.tables import BADGE_BLUE, BADGE_GREEN, BADGE_GREY, BADGE_ORANGE, badge_column, button_column
from lamsim_core.ui.terms import template_title
from lamsim_core.ui.wording import spaced

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


def draw_tools() -> None:
    """Every tool with its schema."""
    text = search("tools", "catalog_tools")
    tools = [(category, tool) for category in categories().values() for tool in category.tools.values()]
    wanted = opened("tool", [_full_name(category, tool) for category, tool in tools])
    shown = [(c, t) for c, t in tools if fits(text, t.name, c.title, t.schema.description, spaced(t.name))]
    for category, tool in tools:
        if _full_name(category, tool) == wanted:
            _draw_tool(category, tool)
    st.caption(f"{len(shown):,} of {len(tools):,} tools")
    rows = [
        {
            "Show": ":material/visibility:",
            "Tool": tool.name,
            "Category": category.title,
            "What it does": clean(tool.schema.description),
            "Kind": ["changes" if tool.mutates else "reads", *_held_out(category, tool)],
            "Arguments": ", ".join(_arguments(tool)),
        }
        for category, tool in shown
    ]
    st.dataframe(
        rows,
        key="catalog_tools_table",
        hide_index=True,
        column_config={
            "Show": button_column("catalog_tool", lambda row: show_tool(_full_name(*shown[row]))),
            "What it does": st.column_config.TextColumn("What it does", width="large"),
            "Kind": badge_column(
                "Kind",
                {"reads": BADGE_BLUE, "changes": BADGE_ORANGE, "held out": BADGE_GREY},
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


def _held_out(category: Category, tool: ToolSpec) -> list[str]:
    return ["held out"] if held_out_tool(category.name, tool.name) else []


def _draw_tool(category: Category, tool: ToolSpec) -> None:
    users = [t.id for t in load_templates().values() if t.category == category.name and tool.name in t.needed_tools]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(label(tool.name), anchor=False, width="content")
            chip(category.title, color="primary")
            chip("changes the world" if tool.mutates else "reads only", color="orange" if tool.mutates else "blue")
            if held_out_tool(category.name, tool.name):
                chip("held out", icon=":material/lock:", help="Never offered in training tasks.")
        st.text(tool.schema.description)
        left, right = st.columns(2)
        with left:
            st.markdown("**Schema of its arguments**")
            untrusted_json(tool.schema.parameters, expanded=True)
        with right:
            st.markdown("**Tasks whose reference solution uses it**")
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
    for entry in list_models(studio.settings):
        _draw_model(entry)
    st.caption(
        "Models come from data/models.yaml, adapters from training. A model is chosen by its name, never by a path, "
        "and only safetensors weights are read."
    )


def _draw_model(entry: ModelEntry) -> None:
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
        st.text(entry.note)
        st.caption(
            f"{label(entry.parameters)} parameters · {label(entry.licence)} · {label(entry.source)} · {label(entry.name)}"
        )
        if entry.why_not is not None:
            st.caption(f":orange[:material/info:] {label(entry.why_not, limit=800)}")


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
