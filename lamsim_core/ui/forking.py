"""Forking the opened attempt: the button at each step, and the panel that says how it goes on."""

import json
from collections.abc import Callable

import streamlit as st
from pydantic import JsonValue

from lamsim_core.explore.edits import LONGEST_EDIT
from lamsim_core.explore.fork import fork_at, reference_done, turns_of
from lamsim_core.explore.live import start_fork
from lamsim_core.records import GoldCall, Sampling, Step, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.ui import terms
from lamsim_core.ui.arguments import argument_inputs, call_from
from lamsim_core.ui.debugging import chosen_pausing, result_from
from lamsim_core.ui.draw import chip, clean, guard, label
from lamsim_core.ui.forms import Choice, choice_title, model_choices, pick_constrained
from lamsim_core.ui.page import Studio
from lamsim_core.ui.wording import amount

SIMULATE = "pages/1_Simulate.py"
WAYS = ("Whoever goes on decides", "A call", "A message")
NEEDS_DRAW = ("random",)
"""Policies without a model whose replies depend on the draw."""


def fork_button(trajectory: Trajectory) -> Callable[[Step], None]:
    """What draws the button at the foot of a step."""

    def draw(step: Step) -> None:
        st.button(
            "Fork from here",
            key=f"fork-{trajectory.id}-{step.index}",
            icon=":material/call_split:",
            type="tertiary",
            help="Takes over the steps before this one and goes on otherwise",
            on_click=_ask,
            args=(step.index,),
        )

    return draw


def fork_panel(studio: Studio, trajectory: Trajectory, *, ended: bool = True) -> Callable[[int], None]:
    """What draws the panel above the step that the address of the page asks to fork at.

    Args:
        studio: settings and store.
        trajectory: the attempt.
        ended: whether it has ended; one that is going on needs no other to go on from its end.
    """
    wanted = st.query_params.get("fork", "")
    open_end = ended and (not trajectory.steps or trajectory.steps[-1].call is not None)

    def draw(index: int) -> None:
        if wanted == str(index) and (index < len(trajectory.steps) or open_end):
            with st.container(border=True, gap="small"), guard():
                _draw_panel(studio, trajectory, index)
        elif index == len(trajectory.steps) and open_end:
            st.button(
                "Go on from the end",
                key=f"fork-{trajectory.id}-end",
                icon=":material/call_split:",
                type="tertiary",
                on_click=_ask,
                args=(index,),
            )

    return draw


def _ask(index: int) -> None:
    st.query_params["fork"] = str(index)


def _leave() -> None:
    st.query_params.pop("fork", None)


def _draw_panel(studio: Studio, trajectory: Trajectory, index: int) -> None:
    key = f"forking-{trajectory.id}-{index}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        chip(f"Fork at step {index + 1}", color="violet", icon=":material/call_split:")
        taken = f"{amount(index, 'step')} taken over" if index else "Starts over, in the same world"
        st.caption(f"{taken}. The new attempt is stored beside this one.", width="content")
    policy, sampling, draw = _pick_policy(studio, trajectory, index, key)
    with st.container(border=True, gap="small"):
        action = _pick_action(trajectory, index, key)
    result = _pick_result(trajectory, index, key)
    with st.container(horizontal=True):
        if st.button("Fork", key=f"{key}-go", type="primary", icon=":material/call_split:"):
            fork = fork_at(trajectory, index, action=action(), result=result(), attempt=draw)
            run = start_fork(
                studio.settings, fork, policy, sampling, on_trajectory=studio.store.add, pausing=chosen_pausing()
            )
            run.settle(0.3)
            st.switch_page(SIMULATE, query_params={"run": run.id})
        st.button("Cancel", key=f"{key}-cancel", on_click=_leave)


def _pick_policy(studio: Studio, trajectory: Trajectory, index: int, key: str) -> tuple[str, Sampling, int]:
    settings = studio.settings
    models = {name: c for name, c in model_choices(settings, plain=False).items() if c.why_not is None}
    possible = reference_done(trajectory.task, trajectory.steps[:index]) is not None
    plain = [name for name in terms.POLICIES if name != "gold" or possible]
    options = ["human", *models, *(name for name in plain if name != "human")]
    left, right = st.columns([2, 1])
    policy = str(
        left.selectbox(
            "Who goes on",
            options,
            index=options.index(trajectory.policy.name) if trajectory.policy.name in models else 0,
            format_func=lambda name: (
                clean(terms.POLICIES[name]) if name in terms.POLICIES else choice_title(models, name)
            ),
            key=f"{key}-policy",
        )
    )
    used = turns_of(trajectory.steps[:index])
    most = right.number_input(
        "Turns at most",
        used + 1,
        used + 50,
        settings.max_steps if used < settings.max_steps else used + settings.max_steps,
        key=f"{key}-turns",
        help="Those taken over included.",
    )
    if not possible:
        st.caption("The reference solution cannot go on here: something else has been changed before.")
    sampling, draw = _pick_drawing(trajectory, models.get(policy), settings, key), 0
    if policy in models or policy in NEEDS_DRAW:
        draw = int(
            st.number_input("Seed", 0, 10_000, key=f"{key}-draw", help="Another number draws other replies.", width=160)
        )
    return policy, sampling.model_copy(update={"max_steps": int(most)}), draw


def _pick_drawing(trajectory: Trajectory, model: Choice | None, settings: Settings, key: str) -> Sampling:
    """How replies are drawn when a model goes on; at first as those of the attempt were."""
    earlier = trajectory.policy.sampling or Sampling(max_new_tokens=settings.max_new_tokens)
    sampling = Sampling(max_new_tokens=earlier.max_new_tokens)
    if model is None:
        return sampling
    left, right = st.columns([2, 1], vertical_alignment="center")
    temperature = left.slider(
        "Temperature",
        0.0,
        1.5,
        min(1.5, earlier.temperature),
        0.1,
        key=f"{key}-temperature",
        help="0 takes the likeliest token each time; then another seed changes nothing.",
    )
    with right:
        constrained = model.constrainable and pick_constrained(f"{key}-constrained", earlier.constrained)
    return sampling.model_copy(update={"temperature": temperature, "top_p": earlier.top_p, "constrained": constrained})


def _pick_action(trajectory: Trajectory, index: int, key: str) -> Callable[[], str | GoldCall | None]:
    """What is done at the step, read when the fork begins."""
    recorded = trajectory.steps[index] if index < len(trajectory.steps) else None
    call = recorded.call if recorded else None
    way = st.segmented_control(
        f"What is done at step {index + 1}", WAYS, default=WAYS[0], required=True, key=f"{key}-way"
    )
    if way == WAYS[1]:
        tools = {tool.name: tool for tool in trajectory.task.tools}
        names = list(tools)
        first = names.index(call.name) if call is not None and call.name in tools else 0
        tool = tools[str(st.selectbox("Tool", names, index=first, format_func=clean, key=f"{key}-tool"))]
        st.caption(label(tool.description))
        entered = argument_inputs(tool, key, call.arguments if call is not None and call.name == tool.name else None)
        return lambda: call_from(tool, entered)
    if way == WAYS[2]:
        said = recorded.reply if recorded is not None and recorded.call is None else ""
        text = st.text_area("Message to the user", said or "", key=f"{key}-message", height=90)
        st.caption("This ends the attempt.")
        return lambda: text
    return lambda: None


def _pick_result(trajectory: Trajectory, index: int, key: str) -> Callable[[], JsonValue]:
    """What the agent is told instead of the last result, read when the fork begins; None when nothing was edited."""
    told = trajectory.steps[index - 1].told if index else None
    if told is None:
        return lambda: None
    if not st.toggle(
        f"Tell it another result of step {index}",
        key=f"{key}-edit",
        help="To see what it does with another answer of the tool. The checks still read the real one.",
    ):
        return lambda: None
    content = json.dumps(told.content, ensure_ascii=False, indent=2)
    text = st.text_area("Result, as JSON", content, key=f"{key}-result", height=200, max_chars=LONGEST_EDIT)
    st.caption("An attempt that was told an edited result is never scored, and never enters a dataset.")

    def edited() -> JsonValue:
        value = result_from(text)
        return None if value == told.content else value

    return edited
