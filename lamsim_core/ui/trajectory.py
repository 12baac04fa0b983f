"""An attempt as a timeline: each step with its call, result, verdicts, changed rows and cost; then the judgement."""

from collections.abc import Callable, Sequence

import streamlit as st
from pydantic import JsonValue

from lamsim_core.agent.prompt import conversation
from lamsim_core.feedback import action_checks, final_checks
from lamsim_core.feedback.reward import action_reward, components
from lamsim_core.records import GoldCall, Observation, Parent, RowChange, Step, Task, ToolCall, Trajectory, Verdict
from lamsim_core.ui import terms
from lamsim_core.ui.by_hand import draw_proposal, hand_notes
from lamsim_core.ui.changed_tables import draw_marked
from lamsim_core.ui.draw import Color, chip, clean, label, untrusted, untrusted_json, untrusted_prose
from lamsim_core.ui.modes import draw_beside
from lamsim_core.ui.rows import field_rows, marked_tables, result_rows
from lamsim_core.ui.wording import amount, spaced

LONG = 12
"""Steps beyond which only those with a mistake start open; lines of a message beyond which it scrolls."""
TALL = 320
"""Height of what scrolls, in pixels."""


def draw_trajectory(trajectory: Trajectory) -> None:
    """The whole timeline and the judgement at its end."""
    draw_steps(trajectory.steps, parent=trajectory.parent)
    draw_judgement(trajectory)


def draw_steps(
    steps: Sequence[Step],
    *,
    parent: Parent | None = None,
    above: Callable[[int], None] = lambda index: None,
    below: Callable[[Step], None] | None = None,
    sought: int | None = None,
) -> None:
    """The timeline of the steps taken so far.

    Args:
        steps: the steps.
        parent: where a fork comes from; the steps it took over start folded.
        above: draws something above each step, told its index, and below the last.
        below: draws something at the foot of each step.
        sought: index of the one step that is looked for: it alone starts open.
    """
    for step in steps:
        above(step.index)
        own = parent is None or step.index >= parent.step
        expanded = own and (len(steps) <= LONG or bool(step.failed)) if sought is None else step.index == sought
        note = step_note(step, parent) + (" :blue-badge[this one]" if step.index == sought else "")
        draw_step(step, expanded=expanded, note=note, below=below)
    above(len(steps))


def step_note(step: Step, parent: Parent | None) -> str:
    """What is to be known about a step of a fork, or one that a person had a hand in, as badges."""
    notes = ["taken over"] if parent is not None and step.index < parent.step else []
    notes += hand_notes(step, parent)
    return "".join(f" :{'gray' if note == 'taken over' else 'orange'}-badge[{note}]" for note in notes)


def draw_step(
    step: Step, *, expanded: bool = True, note: str = "", below: Callable[[Step], None] | None = None
) -> None:
    """One step: what was done, what came back, what the checks say, what changed, what it cost.

    Args:
        step: the step.
        expanded: whether it starts open.
        note: our own words after its title.
        below: draws something at its foot.
    """
    icon = ":material/error:" if step.failed else ":material/chat:" if step.call is None else ":material/check_circle:"
    with (
        st.expander(f"{_step_label(step)}{note}", expanded=expanded, icon=icon, type="step"),
        st.container(gap="xsmall"),
    ):
        if step.call is None:
            draw_message(step)
        else:
            draw_call(step, step.call)
        draw_proposal(step)
        draw_beside(step)
        verdict_chips(step.verdicts)
        result = None if step.observation is None else step.observation.content
        for verdict in step.verdicts:
            if verdict.outcome in ("fail", "error"):
                draw_verdict(verdict, shown=result)
        if step.changes:
            st.caption(f"{amount(len(step.changes), 'row')} changed")
            draw_changes(step.changes)
        earned = action_reward(step)
        worth = "not scored" if earned is None else f"reward {earned:g}"
        cost = f"{worth} · environment and checks {terms.fine_duration(step.seconds)}"
        st.caption(f"{terms.usage_text(step.usage)} · {cost}" if step.usage else cost.capitalize())
        if below is not None:
            below(step)


def _step_label(step: Step) -> str:
    wrong = "".join(f" :red-badge[{label(terms.mistake(verdict))}]" for verdict in step.failed)
    if step.call is None:
        return f"{step.index + 1} · **Message to the user**{wrong}"
    name = step.call.name or "a call that cannot be read"
    given = ", ".join(f"{key}: {terms.value_text(value)}" for key, value in step.call.arguments.items())
    return f"{step.index + 1} · **{label(name, limit=60)}** {label(given, limit=90)}{wrong}"


def draw_message(step: Step) -> None:
    """What was said to the user."""
    text = step.reply or ""
    with st.container(border=True, height=TALL if text.count("\n") > LONG else "content"):
        untrusted_prose(text)


def draw_call(step: Step, call: ToolCall) -> None:
    """What was called, and what came back."""
    st.caption("Call")
    if call.error is not None:
        untrusted(call.raw)
    else:
        untrusted_json({"name": call.name, "arguments": call.arguments})
    if step.observation is None:
        st.caption("No result.")
        return
    st.caption("Result" if step.observation.ok else "Result: the call did not run to its end")
    _draw_result(step.observation)
    if step.shown is not None:
        st.caption("What the agent was told instead, edited by hand; an attempt with this is never scored")
        _draw_result(step.shown)


def _draw_result(result: Observation) -> None:
    table = result_rows(result.content)
    if table:
        st.dataframe(
            table, hide_index=True, height="content" if len(table) <= LONG else TALL, alt="The rows the tool returned"
        )
    else:
        untrusted_json(result.content)


def verdict_chips(verdicts: Sequence[Verdict]) -> None:
    """One chip for the passes, one for the checks that do not apply, and one for each failure.

    What is held against the agent is red; the rest is yellow: diagnosis, and failures that a tool or the task is to blame for.
    """
    passed = [v for v in verdicts if v.outcome == "pass"]
    idle = [v for v in verdicts if v.outcome == "abstain"]
    with st.container(horizontal=True, gap="xsmall"):
        if passed:
            chip(
                f"{amount(len(passed), 'check')} passed", color="green", icon=":material/check:", help=_listing(passed)
            )
        for verdict in verdicts:
            if verdict.counts:
                chip(terms.mistake(verdict), color="red", icon=":material/close:", help=label(about(verdict.check)))
            elif verdict.outcome == "fail":
                chip(
                    f"{terms.BLAMES.get(verdict.blame, 'note')}: {terms.mistake(verdict)}",
                    color="yellow",
                    icon=":material/lightbulb:",
                    help=label(about(verdict.check)),
                )
            elif verdict.outcome == "error":
                chip(f"check broke down: {verdict.check}", color="violet", icon=":material/bug_report:")
        if idle:
            chip(f"{len(idle)} do not apply", color="gray", icon=":material/remove:", help=_listing(idle))


def about(check: str) -> str:
    """What a check checks, in one sentence; its id when it is not known here any more."""
    known = action_checks().get(check) or final_checks().get(check)
    return known.about if known else check


def _listing(verdicts: Sequence[Verdict]) -> str:
    return "\n".join(f"- {label(about(verdict.check))}" for verdict in verdicts)


def draw_verdict(verdict: Verdict, *, shown: JsonValue = None) -> None:
    """A check that did not pass: what it says, where, what it expected and what it got.

    Args:
        verdict: the verdict.
        shown: what is drawn beside it already and need not be repeated.
    """
    with st.container(border=True, gap="xsmall"):
        untrusted_prose(verdict.message or "No message.")
        st.caption(f"{_weight(verdict)} · check {label(verdict.check)}, version {verdict.version}{_at(verdict)}")
        if verdict.got is None or verdict.got != shown:
            draw_expected_got(verdict)
        if verdict.evidence:
            draw_evidence(verdict)


def _weight(verdict: Verdict) -> str:
    """What a verdict that did not pass does to the score."""
    if verdict.counts:
        return "Held against the agent"
    if not verdict.gate:
        return "For information; costs nothing"
    return (
        "The check broke down"
        if verdict.outcome == "error"
        else f"Not the agent's fault: {terms.BLAMES[verdict.blame]}"
    )


def draw_evidence(verdict: Verdict) -> None:
    """What a finding rests on: the broken line of the schema as it is, anything else by name."""
    rule = verdict.evidence.get("schema")
    if isinstance(rule, str):
        st.caption("The line of the schema")
        untrusted(rule, language="json")
    rest = {name: value for name, value in verdict.evidence.items() if name != "schema"}
    if rest:
        shown = [f"{clean(spaced(name))}: {clean(terms.value_text(value))}" for name, value in rest.items()]
        st.caption(label(" · ".join(shown), limit=600))


def draw_expected_got(verdict: Verdict) -> None:
    """Side by side, when the check says either; rows of a table field by field."""
    expected, got = verdict.expected, verdict.got
    if expected is None and got is None:
        return
    if isinstance(expected or {}, dict) and isinstance(got or {}, dict):
        st.dataframe(field_rows(expected, got), hide_index=True, height="content", alt="Expected and got, by field")
        return
    left, right = st.columns(2)
    for column, title, value in ((left, "Expected", expected), (right, "Got", got)):
        with column:
            st.caption(title)
            if value is None:
                st.caption("(nothing)")
            elif isinstance(value, str):
                untrusted(value, height=180 if value.count("\n") > 8 else None)
            else:
                untrusted_json(value)


def _at(verdict: Verdict) -> str:
    return f" · at {label(verdict.path)}" if verdict.path else ""


def draw_changes(changes: Sequence[RowChange]) -> None:
    """The changed rows table by table: new and deleted ones marked, changed cells as before and after."""
    for table in marked_tables(changes):
        draw_marked(table)


def draw_judgement(trajectory: Trajectory) -> None:
    """The end of the attempt: the outcome, which checks decided it, and what was expected."""
    word, color, icon = terms.outcome(trajectory.passed)
    deciding = [v for v in trajectory.verdicts if v.check in trajectory.task.checks]
    informing = [v for v in trajectory.verdicts if v.check not in trajectory.task.checks and v.outcome != "abstain"]
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            chip(word, color=color, icon=icon)
            reward = "no reward" if trajectory.reward is None else f"reward {trajectory.reward:g}"
            st.caption(
                f"{terms.ENDINGS[trajectory.ended]} · {reward} · {terms.fine_duration(trajectory.seconds)}",
                width="content",
            )
        untrusted_prose(terms.why(trajectory))
        gates = components(trajectory.task, trajectory.verdicts)
        good = sum(gate.state == "passed" for gate in gates)
        st.markdown(
            "**What decides**", help="The reward is 1 when all of these pass, 0 when the agent failed one, else none."
        )
        st.caption(f"{good} of {amount(len(gates), 'gate')} passed")
        for verdict in deciding:
            _draw_final(verdict, trajectory.task)
        if informing:
            st.markdown("**For information** (never changes the outcome)")
            for verdict in informing:
                _draw_final(verdict, trajectory.task)
        draw_expected(trajectory.task)


def _draw_final(verdict: Verdict, task: Task) -> None:
    looks: dict[str, tuple[Color, str]] = {
        "pass": ("green", ":material/check:"),
        "fail": ("red", ":material/close:") if verdict.counts else ("yellow", ":material/lightbulb:"),
        "abstain": ("gray", ":material/remove:"),
        "error": ("violet", ":material/bug_report:"),
    }
    color, icon = looks[verdict.outcome]
    left, right = st.columns([3, 7], vertical_alignment="center")
    with left:
        chip(terms.check_title(verdict.check), color=color, icon=icon)
    right.text(clean(about(verdict.check) if verdict.outcome == "pass" else verdict.message or about(verdict.check)))
    if verdict.outcome != "fail" or not verdict.gate or verdict.error_class == "ending":
        return
    undone = [change for change in task.goal if verdict.path == f"$.{change.table}.{change.id}"]
    if undone and verdict.got is None:
        draw_changes(undone)
    else:
        draw_expected_got(verdict)


def draw_expected(task: Task, *, expanded: bool = False) -> None:
    """What has to come of a task, and one way there, folded away."""
    with st.expander("Expected end and reference solution", icon=":material/flag:", type="compact", expanded=expanded):
        if task.answer is not None:
            if task.answer.kind == "decline":
                st.caption("The closing message has to say that no offered tool can do what was asked.")
            else:
                st.caption(
                    "The closing message has to ask for what is missing, in one of these words"
                    if task.answer.kind == "ask"
                    else "The closing message has to state"
                )
                untrusted_json(task.answer.value)
        if task.goal:
            st.caption("These rows have to change, and no others")
            draw_changes(task.goal)
        else:
            st.caption("No row may change.")
        st.caption("One way to do it; any other way to the same end passes too")
        draw_gold(task.gold, task.closing)


def draw_gold(calls: Sequence[GoldCall], closing: str) -> None:
    """The reference solution."""
    for call in calls:
        untrusted_json({"name": call.name, "arguments": call.arguments})
    untrusted_prose(closing)


def draw_conversation(trajectory: Trajectory) -> None:
    """The conversation as the model reads and writes it, raw."""
    for message in conversation(trajectory.task, trajectory.steps):
        st.caption({"system": "System", "user": "User", "assistant": "Agent", "tool": "Tool result"}[message.role])
        untrusted(message.content)
