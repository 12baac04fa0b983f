"""The task studio: a template written in the browser, tried as it is written, kept as the user's own, exported."""

import re
from collections import Counter

import streamlit as st

from lamsim_core.errors import InvalidInputError, TaskTemplateError
from lamsim_core.records import Task
from lamsim_core.settings import Settings
from lamsim_core.tasks import Template, instantiate, load_templates, verify_template
from lamsim_core.tasks.difficulty import LEVELS, difficulty
from lamsim_core.tasks.library import delete_own, line_of, own_templates, parse_own, save_own, template_text
from lamsim_core.ui.catalog import show_task
from lamsim_core.ui.catalog_tasks import VERIFIED_SEEDS, draw_report, draw_task
from lamsim_core.ui.draw import clean, guard, label, untrusted
from lamsim_core.ui.page import Studio
from lamsim_core.ui.terms import category_title, template_title
from lamsim_core.ui.wording import amount

EDITOR_HEIGHT = 560
"""Pixels."""
NEW = "A new task"
FIRST = """\
- id: calendar.my_first_task
  say:
    - "Where does {{ event.title }} take place?"
    - "Place of {{ event.title }}?"
    - "I can't remember where {{ event.title }} is. Could you look it up?"
    - "{{ event.title }}: where do I have to go?"
  pick:
    event: {from: events}
  solve:
    - {call: find_events, with: {title: "{{ event.title }}"}, as: found}
  expect:
    answer: {text: "{{ found[0].place }}", rivals: "{{ rows('events') | map(attribute='place') | list }}"}
  close: ["It is at {{ answer }}."]
"""


def draw_studio(studio: Studio) -> None:
    """The editor, what came of the last edit, and the user's own tasks."""
    settings = studio.settings
    _draw_start(settings)
    left, right = st.columns([11, 9], gap="large")
    with left:
        text = st.text_area(
            "The task, in YAML",
            key="studio_text",
            height=EDITOR_HEIGHT,
            help="See docs/tasks.md for the form. It is tried whenever you leave the field or press Ctrl and Enter.",
        )
    with right:
        template = _try(settings, text or "")
    with left:
        _draw_actions(settings, text or "", template)
    if template is not None:
        st.subheader("An instance", anchor=False)
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="studio_seed", width=180)
        with guard():
            draw_task(instantiate(template, int(seed or 0)))
    _draw_own(settings)


def _draw_start(settings: Settings) -> None:
    """Choose what to start from. What the catalog asked for is put into the editor."""
    known = load_templates(settings)
    wanted = st.session_state.pop("studio_start", None)
    if wanted in known:
        st.session_state["studio_text"] = _as_copy(settings, known[wanted])
    st.session_state.setdefault("studio_text", FIRST)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        start = st.selectbox(
            "Start from",
            [NEW, *known],
            format_func=lambda name: f"{template_title(name)} ({name.partition('.')[0]})" if name in known else NEW,
            key="studio_from",
            width=420,
        )
        st.button(
            "Put it into the editor",
            key="studio_load",
            icon=":material/content_copy:",
            on_click=_load,
            args=(settings, start),
            help="What stands in the editor is replaced.",
        )


def _load(settings: Settings, start: str) -> None:
    known = load_templates(settings)
    st.session_state["studio_text"] = _as_copy(settings, known[start]) if start in known else FIRST


def _as_copy(settings: Settings, template: Template) -> str:
    """The text of a template; a shipped one under another id, so that it can be saved."""
    text = template_text(settings, template)
    if any(own.id == template.id for own in own_templates(settings)):
        return text
    return text.replace(f"- id: {template.id}", f"- id: {template.id}_mine", 1)


def _try(settings: Settings, text: str) -> Template | None:
    """Read and try what was written. Returns the template when it can be read."""
    try:
        template = parse_own(settings, text)
        report = verify_template(template, VERIFIED_SEEDS)
    except InvalidInputError as error:
        _draw_error(text, error)
        return None
    if report.problems:
        first = TaskTemplateError(report.problems[0], line=template.line)
        _draw_error(text, first)
    draw_report(report.model_copy(update={"problems": report.problems[1:4]}) if report.problems else report)
    tasks = [task for seed in VERIFIED_SEEDS if (task := _instance(template, seed)) is not None]
    if tasks:
        levels = Counter(difficulty(task).level for task in tasks)
        told = ", ".join(f"{levels[level]} {level}" for level in LEVELS if levels[level])
        st.caption(f"Difficulty of {amount(len(tasks), 'instance')}: {told}. Kinds: {', '.join(template.kinds)}.")
    return template


def _instance(template: Template, seed: int) -> Task | None:
    try:
        return instantiate(template, seed)
    except InvalidInputError:
        return None


def _draw_error(text: str, error: InvalidInputError) -> None:
    """What is wrong, and the line it is about."""
    line = line_of(text, error)
    message = re.sub(r"^your task(?::\d+)?: (?:task '[^']*': )?", "", str(error))
    st.error(label(f"{message[:1].upper()}{message[1:]}", limit=1500), icon=":material/error:")
    lines = text.splitlines()
    if line is not None and 0 < line <= len(lines):
        st.caption(f"Line {line}")
        first = max(0, line - 2)
        untrusted(
            "\n".join(
                f"{'>' if n == line else ' '} {n:3d}  {lines[n - 1]}"
                for n in range(first + 1, min(line + 1, len(lines)) + 1)
            )
        )


def _draw_actions(settings: Settings, text: str, template: Template | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Save as my own", key="studio_save", type="primary", icon=":material/save:"):
            with guard():
                saved = save_own(settings, text)
                st.toast(f"{template_title(saved.id)} is saved.", icon=":material/check_circle:")
        st.download_button(
            "Export as YAML",
            text,
            file_name=f"{template.id if template else 'task'}.yaml",
            mime="application/yaml",
            key="studio_export",
            icon=":material/download:",
            on_click="ignore",
        )
    st.caption("A saved task is used like a shipped one. It is saved only when it keeps every contract.")


def _draw_own(settings: Settings) -> None:
    """The user's own tasks: open, delete."""
    st.subheader("My own tasks", anchor=False)
    own = own_templates(settings)
    if not own:
        st.caption("None yet. What you save here shows up in the catalog, on Simulate and on Explore.")
    for each in own:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.text(clean(f"{template_title(each.id)} · {category_title(each.id.partition('.')[0])}"))
            if each.problem is not None:
                st.caption(f":red[:material/error:] {label(each.problem, limit=300)}")
            else:
                st.button(
                    "Show", key=f"own_show.{each.id}", icon=":material/visibility:", on_click=show_task, args=(each.id,)
                )
            st.button("Edit", key=f"own_edit.{each.id}", icon=":material/edit:", on_click=_edit, args=(each.text,))
            with st.popover("Delete", icon=":material/delete:"):
                st.text("The file is removed. Stored attempts at the task stay.")
                if st.button("Delete it", key=f"own_delete.{each.id}", type="primary"):
                    with guard():
                        delete_own(settings, each.id)
                        st.rerun()


def _edit(text: str) -> None:
    st.session_state["studio_text"] = text
