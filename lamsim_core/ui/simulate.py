"""The Simulate page: choosing a task and who acts, and what a link asks for."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from lamsim_core.explore.live import LiveRun, get_live
from lamsim_core.records import Sampling, Task, ToolSchema, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store.filters import TrajectoryFilter
from lamsim_core.store.queries import find_trajectories, get_trajectory
from lamsim_core.tasks import get_template, instantiate, load_templates
from lamsim_core.ui import terms
from lamsim_core.ui.arguments import parameters_of, required_of
from lamsim_core.ui.debugging import pausing_options
from lamsim_core.ui.draw import LONGEST_CELL, chip, clean, label, untrusted_prose
from lamsim_core.ui.forms import Choice, choice_title, model_choices, pick_constrained
from lamsim_core.ui.page import Studio
from lamsim_core.ui.trajectory import draw_gold
from lamsim_core.ui.wording import SPLIT_HELP, SPLIT_NAMES, amount

PAGE = "pages/1_Simulate.py"
LARGEST_SEED = 2**31 - 1
FIRST_TASK = "calendar.move"
"""The task offered first: short, and it changes something one can see."""


NOBODY = ""
"""Chosen to act beside a policy: nobody."""
Shown = LiveRun | Trajectory
"""A run of this app, or the stored attempt of one that is not in memory any more."""


@dataclass(frozen=True)
class Setup:
    """What was chosen."""

    task: Task
    policy: str
    sampling: Sampling
    attempt: int
    beside: str | None = None
    """Who tries the same task beside it, with the same seed."""


def setup(settings: Settings) -> Setup:
    """Draw the choices and return what is chosen.

    Args:
        settings: limits and models.

    Raises:
        TaskTemplateError: a template cannot load, or has no instance for the seed.
    """
    with_tasks = sorted({template.category for template in load_templates().values()}, key=terms.category_option)
    state = st.session_state
    state.setdefault(
        "simulate_category", FIRST_TASK.partition(".")[0] if FIRST_TASK in load_templates() else with_tasks[0]
    )
    with st.container(border=True):
        category = st.selectbox(
            "Category",
            with_tasks,
            format_func=terms.category_option,
            key="simulate_category",
            on_change=leave_run,
            persist_state="session",
        )
        template = _pick_template(str(category))
        left, right = st.columns(2)
        seed = left.number_input(
            "Instance",
            0,
            LARGEST_SEED,
            key="simulate_seed",
            on_change=leave_run,
            persist_state="session",
            help="Each number is another world and another request. The same number is always the same task.",
        )
        attempt = right.number_input(
            "Attempt",
            0,
            10_000,
            key="simulate_attempt",
            on_change=leave_run,
            persist_state="session",
            help="Another attempt draws other replies when the temperature is above 0, and other random calls.",
        )
    with st.container(border=True):
        choices = model_choices(settings, plain=False)
        ready = {name: choice for name, choice in choices.items() if choice.why_not is None}
        policy = _pick_policy(ready, missing=len(choices) - len(ready))
        beside = None if policy == "human" else _pick_beside(ready, policy)
        models = [ready[name] for name in (policy, beside) if name in ready]
        sampling = Sampling(max_new_tokens=settings.max_new_tokens, max_steps=settings.max_steps)
        if models:
            sampling = _pick_sampling(settings, all(model.constrainable for model in models))
        if beside is not None:
            st.caption("Both run through. To pause one, run it by itself.")
        elif policy != "human":
            pausing_options()
    return Setup(instantiate(get_template(template), int(seed)), policy, sampling, int(attempt), beside)


def _pick_template(category: str) -> str:
    names = [name for name, template in load_templates().items() if template.category == category]
    key = f"simulate_task_{category}"
    if FIRST_TASK in names:
        st.session_state.setdefault(key, FIRST_TASK)
    return str(
        st.selectbox(
            "Task",
            names,
            format_func=terms.template_title,
            key=key,
            on_change=leave_run,
            persist_state="session",
        )
    )


def _pick_policy(ready: Mapping[str, Choice], *, missing: int) -> str:
    """Who acts. The adapter that came with the product is offered first: something should work at once."""
    shipped = next((name for name, choice in ready.items() if choice.shipped), None)
    if shipped is not None:
        st.session_state.setdefault("simulate_policy", shipped)
    policy = st.selectbox(
        "Who acts",
        [*terms.POLICIES, *ready],
        format_func=lambda name: _title(ready, name),
        key="simulate_policy",
        on_change=leave_run,
        persist_state="session",
    )
    if missing:
        st.caption(f"{amount(missing, 'more model')} can be set up; the Catalog says how.")
    return str(policy)


def _pick_beside(ready: Mapping[str, Choice], policy: str) -> str | None:
    """Who tries the same beside it, or None."""
    others = [name for name in (*ready, *terms.POLICIES) if name not in (policy, "human")]
    if st.session_state.get("simulate_beside") not in others:
        st.session_state["simulate_beside"] = NOBODY
    beside = st.selectbox(
        "Beside it",
        [NOBODY, *others],
        format_func=lambda name: _title(ready, name) if name else "Nobody",
        key="simulate_beside",
        on_change=leave_run,
        persist_state="session",
        help="A second one tries the same task with the same seed, in a column of its own.",
    )
    return str(beside) or None


def _title(ready: Mapping[str, Choice], name: str) -> str:
    return clean(terms.POLICIES[name]) if name in terms.POLICIES else choice_title(ready, name)


def _pick_sampling(settings: Settings, constrainable: bool) -> Sampling:
    with st.expander("How replies are drawn", icon=":material/tune:", type="compact"):
        temperature = st.slider(
            "Temperature",
            0.0,
            1.5,
            0.0,
            0.1,
            key="simulate_temperature",
            persist_state="session",
            help="0 takes the likeliest token each time; higher draws more freely.",
        )
        top_p = st.slider(
            "Top-p",
            0.1,
            1.0,
            1.0,
            0.05,
            key="simulate_top_p",
            disabled=temperature == 0,
            persist_state="session",
            help="Draw only from the likeliest tokens that make up this share.",
        )
        constrained = pick_constrained("simulate_constrained", disabled=not constrainable)
        tokens = st.number_input(
            "Longest reply, in tokens",
            16,
            4096,
            settings.max_new_tokens,
            16,
            key="simulate_tokens",
            persist_state="session",
        )
    return Sampling(
        temperature=temperature,
        top_p=top_p,
        max_new_tokens=int(tokens),
        max_steps=settings.max_steps,
        constrained=constrained and constrainable,
    )


def leave_run() -> None:
    """Back from a finished run to its preparation."""
    for name in ("run", "beside", "fork"):
        st.query_params.pop(name, None)


def draw_going_on(run: LiveRun, beside: Shown | None = None) -> None:
    """What stands in place of the choices while a run is under way: who acts, and when it is held."""
    with st.container(border=True, gap="small"):
        st.caption("Who acts")
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            for name in (run.policy_name, *([who_acts(beside)] if beside is not None else [])):
                chip(terms.policy_name(name), color="blue", icon=":material/smart_toy:")
            if run.attempt:
                chip(f"attempt {run.attempt}", color="gray")
        if run.policy_name not in terms.POLICIES:
            st.caption(terms.sampling_text(run.sampling).capitalize())
        if run.policy_name != "human" and beside is None:
            pausing_options(run)


def draw_request(task: Task, *, folded: bool = False) -> None:
    """The request and the tools offered, as the agent will see them.

    Args:
        task: the task.
        folded: whether the tools start folded away, because what is done matters more.
    """
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            chip(terms.template_title(task.template), color="violet", icon=":material/task_alt:")
            chip(f"instance {task.seed}", color="gray")
            chip(SPLIT_NAMES[task.split], color="gray", help=SPLIT_HELP)
        if len(task.instruction) <= LONGEST_CELL:
            st.subheader(label(task.instruction), anchor=False)
        else:
            untrusted_prose(task.instruction)
        offered = f"{amount(len(task.tools), 'tool')} offered"
        if folded:
            with st.expander(offered, icon=":material/build:", type="compact", key=f"tools-{task.key}"):
                _draw_tools(task)
        else:
            st.caption(offered)
            _draw_tools(task)


def _draw_tools(task: Task) -> None:
    for tool in task.tools:
        left, right = st.columns([3, 7], vertical_alignment="center")
        with left:
            chip(tool.name, color="blue", icon=":material/build:", help=_parameters(tool))
        right.text(clean(tool.description))


def _parameters(tool: ToolSchema) -> str:
    found, needed = parameters_of(tool), required_of(tool)
    named = [label(name if name in needed else f"{name} (optional)") for name in found]
    return "Takes " + ", ".join(named) if named else "Takes nothing"


def draw_reference(task: Task) -> None:
    """The reference solution, folded away."""
    with st.expander("Reference solution", icon=":material/flag:", type="compact"):
        st.caption("One way to do it. Any other way to the same end passes too.")
        draw_gold(task.gold, task.closing)


def who_acts(shown: Shown) -> str:
    """Name of whoever acts, or acted, in a run."""
    return shown.policy_name if isinstance(shown, LiveRun) else shown.policy.name


def follow_link(studio: Studio) -> Shown | str | None:
    """What the address of the page asks for, and the choices set to match it.

    Returns:
        The run that is going on or was finished here, the stored trajectory of one that is not in memory any more, a
        sentence when neither exists, or None when no run is asked for.
    """
    if "task" in st.query_params:
        _choose(
            studio.settings,
            st.query_params["task"],
            st.query_params.get("seed", "0"),
            st.query_params.get("policy", ""),
        )
        for name in ("task", "seed", "policy"):
            st.query_params.pop(name, None)
    run_id = st.query_params.get("run")
    if run_id is None:
        return None
    found, beside = _run_of(studio, run_id), follow_beside(studio)
    if found is None:
        return "This run ended with the app it ran in, before there was anything to store. Start it again."
    if st.session_state.get("simulate_shown") != run_id:
        st.session_state["simulate_shown"] = run_id
        _choose(studio.settings, found.task.template, str(found.task.seed), who_acts(found), found.attempt)
        st.session_state["simulate_beside"] = NOBODY if beside is None else who_acts(beside)
    return found


def follow_beside(studio: Studio) -> Shown | None:
    """The run that the address names to stand beside the one it asks for."""
    run_id = st.query_params.get("beside")
    return None if run_id is None else _run_of(studio, run_id)


def _run_of(studio: Studio, run_id: str) -> Shown | None:
    if (live := get_live(run_id)) is not None:
        return live
    rows = find_trajectories(studio.index, TrajectoryFilter(runs=(run_id,)), limit=1)
    return get_trajectory(studio.index, rows[0].id) if rows else None


def _choose(settings: Settings, template: str, seed: str, policy: str, attempt: int = 0) -> None:
    state = st.session_state
    if template in load_templates():
        category = template.partition(".")[0]
        state["simulate_category"] = category
        state[f"simulate_task_{category}"] = template
        state["simulate_seed"] = min(int(seed), LARGEST_SEED) if seed.isdecimal() and len(seed) < 12 else 0
        state["simulate_attempt"] = attempt
    usable = [name for name, choice in model_choices(settings, plain=False).items() if choice.why_not is None]
    if policy in (*terms.POLICIES, *usable):
        state["simulate_policy"] = policy
