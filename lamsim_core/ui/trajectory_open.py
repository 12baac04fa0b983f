"""One opened trajectory: where it came from, its steps, its judgement, and a person's decision about it."""

import streamlit as st

from lamsim_core.errors import NotFoundError
from lamsim_core.records import Trajectory
from lamsim_core.store.queries import facets, get_trajectory, neighbours, stored_trajectory
from lamsim_core.store.rejudged import rejudgements_of
from lamsim_core.ui import terms
from lamsim_core.ui.branches import compare_picker, draw_branches, draw_origin
from lamsim_core.ui.by_hand import helped_chip
from lamsim_core.ui.draw import chip, clean, failure, guard, untrusted_prose
from lamsim_core.ui.forking import fork_button, fork_panel
from lamsim_core.ui.look_closer import look_closer
from lamsim_core.ui.marks import decision_buttons, earlier_marks, tags_and_note
from lamsim_core.ui.modes import search_chip
from lamsim_core.ui.page import Studio, link
from lamsim_core.ui.reference_path import draw_reference_path
from lamsim_core.ui.replaying import draw_replay, replay_button
from lamsim_core.ui.trajectory import draw_conversation, draw_judgement, draw_steps
from lamsim_core.ui.trajectory_list import current_filter, newest_first
from lamsim_core.ui.wording import SPLIT_NAMES, moment

VERSIONS = {"lamsim": "LAM Simulator", "python": "Python", "checks": "Checks"}
"""What a trajectory was made with."""


def draw_open(studio: Studio, trajectory_id: str) -> None:
    """The trajectory a link or a selected row asks for, or a sentence when there is none."""
    try:
        trajectory = get_trajectory(studio.index, trajectory_id)
        before, after = neighbours(studio.index, current_filter(), trajectory_id, newest_first=newest_first())
    except NotFoundError as error:
        _back()
        failure(error)
        st.caption("It may have been stored in another folder, or the link may be cut short.")
        return
    _toolbar(studio, trajectory, before, after)
    draw_replay(trajectory)
    left, right = st.columns([11, 5], gap="large")
    with left:
        _header(trajectory)
        with guard():
            draw_origin(trajectory.parent)
            draw_reference_path(trajectory.task, trajectory.steps, f"path-{trajectory.id}")
            draw_steps(
                trajectory.steps,
                parent=trajectory.parent,
                above=fork_panel(studio, trajectory),
                below=look_closer(studio, trajectory, fork_button(trajectory)),
                sought=_sought(trajectory),
            )
            draw_judgement(trajectory)
        raw = st.expander(
            "The conversation as the model reads and writes it",
            icon=":material/forum:",
            key=f"raw-{trajectory.id}",
            on_change="rerun",
        )
        if raw.open:
            with raw:
                draw_conversation(trajectory)
    with right:
        with st.container(border=True):
            st.subheader("Your decision", anchor=False)
            tags_and_note(studio, trajectory.id, facets(studio.index)["tags"])
            decision_buttons(studio, trajectory.id, shortcuts=True)
            earlier_marks(studio, trajectory.id)
        with guard():
            draw_branches(studio, trajectory)
        _judged(studio, trajectory)
        _facts(trajectory)


def _toolbar(studio: Studio, trajectory: Trajectory, before: str | None, after: str | None) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        with st.container(horizontal=True, width="content"):
            _back()
            st.button(
                "Previous",
                key="previous",
                icon=":material/chevron_left:",
                shortcut="Left",
                disabled=before is None,
                on_click=_show,
                args=(before,),
            )
            st.button(
                "Next",
                key="next",
                icon=":material/chevron_right:",
                shortcut="Right",
                disabled=after is None,
                on_click=_show,
                args=(after,),
            )
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            replay_button(trajectory)
            compare_picker(studio, trajectory)
            link(
                "pages/1_Simulate.py",
                "Try this task",
                icon=":material/play_circle:",
                query={"task": trajectory.task.template, "seed": str(trajectory.task.seed)},
            )
            st.download_button(
                "Download",
                data=lambda: trajectory.model_dump_json(indent=2),
                file_name=f"{trajectory.id}.json",
                mime="application/json",
                icon=":material/download:",
                on_click="ignore",
                key=f"download-{trajectory.id}",
            )


def _back() -> None:
    st.button(
        "All trajectories", icon=":material/arrow_back:", key="back", shortcut="Esc", on_click=_show, args=(None,)
    )


def _show(trajectory: str | None) -> None:
    for name in ("fork", "step"):
        st.query_params.pop(name, None)
    if trajectory is None:
        st.query_params.pop("id", None)
    else:
        st.query_params["id"] = trajectory


def _sought(trajectory: Trajectory) -> int | None:
    """Index of the step that the address of the page asks for, counted from 1 there."""
    wanted = st.query_params.get("step", "")
    return int(wanted) - 1 if wanted in {str(step.index + 1) for step in trajectory.steps} else None


def _header(trajectory: Trajectory) -> None:
    word, color, icon = terms.outcome(trajectory.passed)
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            chip(word, color=color, icon=icon)
            chip(terms.template_title(trajectory.task.template), color="violet", icon=":material/task_alt:")
            chip(terms.policy_title(trajectory.policy), color="blue", icon=":material/smart_toy:")
            helped_chip(trajectory)
            search_chip(trajectory)
        untrusted_prose(trajectory.task.instruction)
        st.caption("Why it was judged so")
        untrusted_prose(terms.why(trajectory))


def _judged(studio: Studio, trajectory: Trajectory) -> None:
    """What the attempt was judged to be before, when newer checks or people changed it."""
    again = rejudgements_of(studio.index, trajectory.id)
    if not again:
        return
    first = stored_trajectory(studio.index, trajectory.id)
    causes = {"rescore": "newer checks", "review": "a correction"}
    rows = [
        *((moment(each.created), f"{causes[each.cause]}, {each.author}", each.passed) for each in again),
        (moment(first.created), "when it was made", first.passed),
    ]
    with st.container(border=True):
        st.subheader("How it was judged", anchor=False)
        st.caption("The newest counts.")
        st.dataframe(
            [{"When": when, "By": clean(by), "Outcome": terms.outcome(passed)[0]} for when, by, passed in rows],
            hide_index=True,
            height="content",
            alt="Judgements of this attempt, the newest first",
        )


def _facts(trajectory: Trajectory) -> None:
    policy = trajectory.policy
    facts = {
        "Task": trajectory.task.id,
        "Split": SPLIT_NAMES[trajectory.task.split],
        "Attempt": str(trajectory.attempt),
        "Policy": terms.policy_title(policy),
        "Replies": terms.sampling_text(policy.sampling),
        "Weights": ", ".join(part for part in (policy.quantisation, policy.device) if part),
        "Model hash": policy.model_hash,
        "Adapter hash": policy.adapter_hash,
        "Seed": str(trajectory.seed),
        "Made": moment(trajectory.created),
        "Took": terms.fine_duration(trajectory.seconds),
        "Run": trajectory.run,
        "Id": trajectory.id,
        "Forked from": trajectory.parent and f"{trajectory.parent.trajectory}, step {trajectory.parent.step + 1}",
        **{VERSIONS.get(name, name): version for name, version in trajectory.versions.items()},
    }
    with st.container(border=True):
        st.subheader("Where it comes from", anchor=False)
        rows = [{"What": clean(name), "Value": clean(value)} for name, value in facts.items() if value]
        st.dataframe(
            rows,
            hide_index=True,
            height="content",
            alt="Where the trajectory comes from",
            column_config={"What": st.column_config.TextColumn(width=105)},
        )
