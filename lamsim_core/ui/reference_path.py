"""The reference solution beside the steps of an attempt: which call of it each step made, and what is missing."""

from collections.abc import Sequence

import streamlit as st

from lamsim_core.feedback.reference import Place, along, differences
from lamsim_core.records import GoldCall, Step, Task, ToolCall
from lamsim_core.ui import terms
from lamsim_core.ui.draw import clean
from lamsim_core.ui.tables import BADGE_GREEN, BADGE_GREY, BADGE_ORANGE, BADGE_RED, badge_column
from lamsim_core.ui.wording import amount

HOW = {"same": "Same call", "other_values": "Other values", "instead": "Another tool", "missing": "Never made"}
BESIDE, MESSAGE = "Not in it", "Message"
COLOURS = {
    HOW["same"]: BADGE_GREEN,
    HOW["other_values"]: BADGE_ORANGE,
    HOW["instead"]: BADGE_ORANGE,
    HOW["missing"]: BADGE_RED,
    BESIDE: BADGE_GREY,
    MESSAGE: BADGE_GREY,
}


def draw_reference_path(task: Task, steps: Sequence[Step], key: str) -> None:
    """Both side by side, folded away until somebody opens it."""
    calls = f"{amount(len(task.gold), 'call')}" if task.gold else "no call"
    fold = st.expander(
        f"Beside the reference solution ({calls})",
        icon=":material/alt_route:",
        type="compact",
        key=key,
        on_change="rerun",
    )
    if not fold.open:
        return
    with fold:
        st.caption("One way to do it; any other way to the same end passes too. What differs costs nothing by itself.")
        rows = path_rows(task, steps)
        if not any(row["Differs in"] for row in rows):
            rows = [{name: cell for name, cell in row.items() if name != "Differs in"} for row in rows]
        st.dataframe(
            rows,
            hide_index=True,
            height="content",
            alt="The steps of the attempt beside the calls of the reference solution",
            column_config={
                "Step": st.column_config.TextColumn(width=45),
                "What was done": st.column_config.TextColumn(width=250),
                "Match": badge_column("Match", COLOURS, width=110),
                "Call": st.column_config.TextColumn(width=45),
                "Differs in": st.column_config.TextColumn(width=90),
                "Reference solution": st.column_config.TextColumn(width=250),
            },
        )


def path_rows(task: Task, steps: Sequence[Step]) -> list[dict[str, str | list[str]]]:
    """One row for each step and each reference call never made, in the order in which they belong."""
    places = along(task, steps)
    taken = {place.step.index: place for place in places if place.step is not None}
    rows = [((step.index, -1), _row(task, step, taken.get(step.index))) for step in steps]
    last = -1
    for place in places:
        if place.step is None:
            rows.append(((last, place.gold), _row(task, None, place)))
        else:
            last = max(last, place.step.index)
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def _row(task: Task, step: Step | None, place: Place | None) -> dict[str, str | list[str]]:
    gold = None if place is None else task.gold[place.gold]
    call = None if step is None else step.call
    message = step is not None and step.call is None
    differing = (
        [each.argument for each in differences(call, gold, task)]
        if place and call and gold and place.how == "other_values"
        else []
    )
    return {
        "Step": "" if step is None else str(step.index + 1),
        "What was done": "" if step is None else clean(step.reply or "") if message else _call(call),
        "Match": [MESSAGE if message else BESIDE if place is None else HOW[place.how]],
        "Call": "" if place is None else str(place.gold + 1),
        "Differs in": clean(", ".join(differing)),
        "Reference solution": clean(task.closing) if message else "" if gold is None else _call(gold),
    }


def _call(call: ToolCall | GoldCall | None) -> str:
    if call is None or not call.name:
        return "a call that cannot be read"
    given = ", ".join(f"{name}: {terms.value_text(value)}" for name, value in call.arguments.items())
    return clean(f"{call.name}({given})", limit=300)
