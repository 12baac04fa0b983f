"""Under the magnifying glass: what can be opened beneath a step. Nothing of it is worked out before somebody asks."""

from collections.abc import Callable
from typing import Literal

import streamlit as st

from lamsim_core.agent.exact import exact_step
from lamsim_core.explore.replay import world_after
from lamsim_core.records import PolicyInfo, Step, Task, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store.similar import SimilarStep, similar_steps
from lamsim_core.ui import terms
from lamsim_core.ui.changed_tables import draw_world
from lamsim_core.ui.draw import chip, guard, label
from lamsim_core.ui.exact_prompt import draw_cost, draw_exact
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.trajectory_list import PAGE
from lamsim_core.ui.wording import amount, spaced

View = Literal["prompt", "tables", "similar"]
VIEWS: dict[View, str] = {
    "prompt": ":material/token: Prompt and tokens",
    "tables": ":material/table_view: Tables of the world",
    "similar": ":material/join_inner: Similar steps",
}
SHOWN = 8
"""Similar steps shown."""


def look_closer(
    studio: Studio, trajectory: Trajectory, beside: Callable[[Step], None], *, ended: bool = True
) -> Callable[[Step], None]:
    """What draws, at the foot of a step, the choice of what to look at, and beneath it what was chosen.

    Args:
        studio: where models and attempts are.
        trajectory: the attempt.
        beside: draws what else stands at the foot.
        ended: whether it has ended. One that is going on is in no index yet, so nothing is looked for that is like it.
    """

    def draw(step: Step) -> None:
        key = f"closer-{trajectory.id}-{step.index}"
        modelled = _usage_step(trajectory.steps, step) is not None
        possible = {"prompt": modelled, "tables": True, "similar": ended}
        views: list[View] = [view for view in VIEWS if possible[view]]
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            chosen: View | None = st.pills(
                "Look closer",
                views,
                format_func=VIEWS.__getitem__,
                key=key,
                label_visibility="collapsed",
                width="content",
            )
            beside(step)
        if chosen is not None:
            with st.container(border=True, gap="small"), guard():
                if chosen == "prompt":
                    draw_prompt(studio.settings, trajectory.task, trajectory.policy, trajectory.steps, step, key)
                elif chosen == "tables":
                    draw_tables(trajectory.task, trajectory.steps, step, key)
                else:
                    draw_similar(similar_steps(studio.index, trajectory.id, step.index, limit=SHOWN))

    return draw


def _usage_step(steps: tuple[Step, ...], step: Step) -> Step | None:
    """The step that holds what the reply behind this one cost, when a model wrote it."""
    first = next(each for each in steps if each.turn == step.turn)
    return first if first.usage is not None else None


def draw_prompt(
    settings: Settings, task: Task, policy: PolicyInfo, steps: tuple[Step, ...], step: Step, key: str
) -> None:
    """The exact prompt, the reply token by token, and what both took. For stored attempts and live ones alike."""
    first = _usage_step(steps, step)
    if first is not None and first.usage is not None:
        draw_cost(step, first.usage)
    with st.spinner("Reading the tokenizer; the first time takes some seconds."):
        exact = exact_step(settings, task, policy, steps, step.index)
    draw_exact(exact, key, replaced=first is not None and first.proposed is not None)


def draw_tables(task: Task, steps: tuple[Step, ...], step: Step, key: str) -> None:
    """The whole tables of the world after a step, what it changed marked. For stored attempts and live ones alike."""
    what = (
        f"{amount(len(step.changes), 'row')} changed by this step, marked"
        if step.changes
        else "this step changed nothing"
    )
    st.caption(f"The world after step {step.index + 1}, made again from the calls; {what}.")
    draw_world(world_after(task, steps, step.index), step.changes, f"{key}-table")


def draw_similar(found: list[SimilarStep]) -> None:
    """Steps of other attempts that are like this one, each a link."""
    if not found:
        st.caption("No other stored attempt has a step like this one.")
        return
    st.caption("In other attempts, the most alike first: the same tool, then mistakes, how it ended, and arguments.")
    for each in found:
        with st.container(gap=None):
            _draw_one(each)


def _draw_one(found: SimilarStep) -> None:
    word, color, icon = terms.outcome(found.passed)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        chip(word, color=color, icon=icon)
        link(
            PAGE,
            label(f"{terms.template_title(found.template)}, step {found.step + 1}", limit=60),
            query={"id": found.trajectory, "step": str(found.step + 1)},
        )
    given = f" · {', '.join(found.arguments)}" if found.arguments else ""
    st.caption(label(f"{terms.policy_name(found.policy)} · {alike(found)}{given}", limit=220))


def alike(found: SimilarStep) -> str:
    """What a similar step has in common, in words."""
    mistakes = ", ".join(map(spaced, found.mistakes))
    parts = []
    if found.same_mistakes:
        parts.append(f"the same mistake: {mistakes}" if mistakes else "no mistake either")
    else:
        parts.append(f"other mistakes: {mistakes}" if mistakes else "without mistakes")
    if not found.same_ending:
        parts.append("ran to its end" if found.ok else f"ended otherwise: {spaced(found.fault or 'a message')}")
    if found.all_arguments:
        parts.append(f"{found.same_arguments} of {amount(found.all_arguments, 'argument')} equal")
    if found.same_task:
        parts.append("the same task")
    return " · ".join(parts)
