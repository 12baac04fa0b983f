"""The Catalog page's tasks: templates, one of them in full, an instance of it for any seed, and its verification."""

import streamlit as st

from lamsim_core.records import Split, Task, TaskKind
from lamsim_core.tasks import Template, TemplateReport, instantiate, load_templates, split_of, verify_template
from lamsim_core.tasks.difficulty import difficulty
from lamsim_core.tasks.splits import seed_range
from lamsim_core.tasks.variation import PLAIN
from lamsim_core.tasks.verify import Probe
from lamsim_core.tools.held_out import split_rules
from lamsim_core.ui import terms
from lamsim_core.ui.catalog import TABLE_HEIGHT, edit_template, fits, opened, search_and_category, show_task
from lamsim_core.ui.draw import chip, clean, guard, label, untrusted, untrusted_json, untrusted_prose
from lamsim_core.ui.gold_run import draw_gold_run
from lamsim_core.ui.page import link
from lamsim_core.ui.tables import (
    BADGE_BLUE,
    BADGE_GREEN,
    BADGE_GREY,
    BADGE_ORANGE,
    BADGE_RED,
    badge_column,
    button_column,
)
from lamsim_core.ui.trajectory import draw_changes, draw_gold
from lamsim_core.ui.wording import SPLIT_NAMES, amount, spaced

PROBE_TITLES: dict[Probe, str] = {
    "gold": "Reference solution passes",
    "noop": "Doing nothing fails",
    "collateral": "One edit more fails",
    "dropped": "One call less fails",
    "wrong_value": "Another value fails",
    "other_answer": "Another answer fails",
    "leak": "Answer not given away",
}
SPLIT_BADGES: dict[Split, tuple[str, str]] = {
    "train": ("training", BADGE_GREEN),
    "unseen_instances": ("training", BADGE_GREEN),
    "unseen_tools": ("unseen tools", BADGE_ORANGE),
    "unseen_categories": ("unseen categories", BADGE_GREY),
}
METRIC_WIDTH = 190
"""Pixels."""
VERIFIED_SEEDS = (0, 1, 2, 3, 4)
OUTCOMES = {"answer": "an answer", "change": "a change", "decline": "to decline", "ask": "a question"}
"""What a good attempt ends with."""
KIND_COLOURS: dict[TaskKind, str] = {
    "lookup": BADGE_BLUE,
    "write": BADGE_ORANGE,
    "conditional": BADGE_GREEN,
    "aggregate": BADGE_BLUE,
    "multi_step": BADGE_ORANGE,
    "parallel": BADGE_GREEN,
    "recovery": BADGE_RED,
    "cross": BADGE_GREEN,
    "no_tool": BADGE_GREY,
    "ask": BADGE_GREY,
}


def draw_tasks() -> None:
    """Every kind of task."""
    templates = load_templates()
    wanted = opened("task", list(templates))
    if wanted is not None:
        draw_template(templates[wanted])
    text, category = search_and_category("tasks", "catalog_tasks")
    shown = [
        t
        for t in templates.values()
        if category in (None, *t.categories)
        and fits(text, t.id, terms.template_title(t.id), *t.say, *t.needed_tools, *map(spaced, t.kinds))
    ]
    st.caption(f"{len(shown):,} of {len(templates):,} kinds of tasks. Every seed gives an instance of each.")
    rows = [
        {
            "Show": ":material/visibility:",
            "Task": terms.template_title(template.id),
            "Category": terms.category_title(template.category),
            "Asked for": clean(template.say[0]),
            "Demands": [spaced(kind) for kind in template.kinds],
            "Calls": len(template.solve),
            "Wordings": len(template.say),
            "For": [SPLIT_BADGES[split_of(template, 0)][0]],
        }
        for template in shown
    ]
    st.dataframe(
        rows,
        key="catalog_tasks_table",
        hide_index=True,
        height=TABLE_HEIGHT,
        column_config={
            "Show": button_column("catalog_task", lambda row: show_task(shown[row].id)),
            "Asked for": st.column_config.TextColumn("Asked for", width=300),
            "Demands": badge_column(
                "Demands",
                {spaced(kind): colour for kind, colour in KIND_COLOURS.items()},
                help="What an instance demands of an agent.",
                width=190,
            ),
            "Calls": st.column_config.NumberColumn("Calls", width=60, help="Calls of the reference solution."),
            "Wordings": st.column_config.NumberColumn("Wordings", width=80),
            "Task": st.column_config.TextColumn("Task", width=150),
            "For": badge_column(
                "For",
                dict(SPLIT_BADGES.values()),
                help="Training, or kept for measuring on unseen tools or unseen categories.",
                width=130,
            ),
        },
        alt="All kinds of tasks",
    )


def expected_kinds(template: Template) -> list[str]:
    """What a good attempt ends with: an answer, a change, both, declining, or a question."""
    expect = template.expect
    given = (expect.answer, expect.state, expect.decline, expect.ask)
    return [name for name, wanted in zip(OUTCOMES, given, strict=True) if wanted]


def split_text(template: Template) -> str:
    """The splits a template gives instances to."""
    rules = split_rules()
    splits = dict.fromkeys(split_of(template, seed) for seed in (0, rules.train_seeds))
    return " and ".join(SPLIT_NAMES[split].lower() for split in splits).capitalize()


def draw_template(template: Template) -> None:
    """One kind of task: how it is asked for, how it is solved, an instance, and whether it keeps the contracts."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(label(terms.template_title(template.id)), anchor=False, width="content")
            for name in template.categories:
                chip(terms.category_title(name), color="primary")
            for kind in expected_kinds(template):
                chip(OUTCOMES[kind], icon=":material/flag:")
            chip(split_text(template), icon=":material/inventory_2:")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f"{label(template.id)} · {label(template.source)}, line {template.line:d}", width="content")
            st.button(
                "Open in the task studio",
                key=f"catalog_edit.{template.id}",
                icon=":material/edit:",
                type="tertiary",
                on_click=edit_template,
                args=(template,),
            )
        instance, solution, definition, contracts = st.tabs(
            ["An instance", "Solved step by step", "How it is written", "Verification"],
            key=f"catalog_tabs.{template.id}",
            on_change="rerun",
        )
        if instance.open:
            with instance, guard():
                _draw_instance(template)
        if solution.open:
            with solution, guard():
                draw_gold_run(_pick_instance(template, "solved"), f"catalog_gold.{template.id}")
        if definition.open:
            with definition:
                _draw_definition(template)
        if contracts.open:
            with contracts, guard():
                _draw_verification(template)


def _draw_instance(template: Template) -> None:
    draw_task(_pick_instance(template, "seed"))


def _pick_instance(template: Template, key: str) -> Task:
    """A seed to choose, and what it gives."""
    held_out = seed_range("unseen_instances")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = st.number_input(
            "Seed",
            0,
            held_out[-1],
            0,
            key=f"catalog_{key}.{template.id}",
            width=180,
            help=f"Seeds from {held_out[0]:,} on are held out from training. Another seed is another world.",
        )
        task = instantiate(template, int(seed or 0))
        chip(SPLIT_NAMES[task.split], color="blue" if task.split == "train" else "violet")
        hard = difficulty(task)
        chip(
            hard.level,
            icon=":material/signal_cellular_alt:",
            help=f"Computed: {amount(hard.calls, 'call')}, {amount(hard.looked_up, 'value')} to look up, "
            f"{amount(hard.others, 'tool')} not needed; score {hard.score:g}.",
        )
        if task.style != PLAIN:
            chip(f"tools in {task.style} style", icon=":material/shuffle:", help="The same tools under other names.")
        link(
            "pages/1_Simulate.py",
            "Try it on Simulate",
            icon=":material/play_circle:",
            query={"task": template.id, "seed": str(task.seed)},
        )
    return task


def draw_task(task: Task) -> None:
    """A concrete request, the tools offered, the reference solution and what is expected."""
    with st.container(border=True, gap="xsmall"):
        st.caption("The user asks")
        untrusted_prose(task.instruction)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Tools offered**")
        with st.container(horizontal=True, gap="xsmall"):
            needed = {call.name for call in task.gold}
            for tool in task.tools:
                used = tool.name in needed
                chip(
                    tool.name,
                    color="primary" if used else "gray",
                    help="Used by the solution." if used else "Distractor.",
                )
        st.markdown("**Expected**")
        if task.answer is not None and task.answer.kind == "decline":
            st.text("The agent says that no offered tool can do it.")
        elif task.answer is not None:
            st.caption("The closing message states")
            untrusted_json(task.answer.value)
        if task.goal:
            st.caption("These rows change, and no others")
            draw_changes(task.goal)
        else:
            st.caption("No row may change.")
    with right:
        st.markdown("**Reference solution**")
        draw_gold(task.gold, task.closing)


def _draw_definition(template: Template) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Ways to ask for it**")
        untrusted("\n".join(template.say))
        st.markdown("**Slots, drawn from the world by the seed**")
        untrusted_json(
            {name: pick.model_dump(exclude_defaults=True) for name, pick in template.pick.items()}, expanded=True
        )
    with right:
        st.markdown("**Calls of the reference solution**")
        untrusted_json(
            [step.model_dump(by_alias=True, exclude_defaults=True) for step in template.solve], expanded=True
        )
        st.markdown("**Expected**")
        untrusted_json(template.expect.model_dump(by_alias=True, exclude_defaults=True), expanded=True)
        if template.require:
            st.markdown("**Must hold, or another instance is drawn**")
            untrusted("\n".join(template.require))


def _draw_verification(template: Template) -> None:
    st.text(
        "A fair task passes with the reference solution and fails when nothing is done, when anything else is changed too, "
        "when a call is left out or made with another value, and when another answer is given. Its request does not give "
        "the answer away."
    )
    if st.button("Verify on 5 seeds", key=f"catalog_verify.{template.id}", icon=":material/verified:"):
        with st.spinner("Trying it out"):
            draw_report(verify_template(template, VERIFIED_SEEDS))


def draw_report(report: TemplateReport) -> None:
    """What was tried on a template, and what broke."""
    counts = [(PROBE_TITLES[probe], count.held, count.tried) for probe, count in report.probes.items() if count.tried]
    counts.append(("Different instances", report.distinct, report.seeds))
    with st.container(horizontal=True, gap="small"):
        for title, good, tried in counts:
            st.metric(title, f"{good:,} of {tried:,}", border=True, width=METRIC_WIDTH)
    if report.problems:
        for problem in report.problems:
            st.error(label(problem, limit=1000), icon=":material/error:")
    else:
        st.success("It keeps every contract.", icon=":material/verified:")
