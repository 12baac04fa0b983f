"""Checks of finished attempts: how it ended, the answer, the state, collateral damage, and diagnosis of the way there."""

import re
from collections.abc import Iterator

from lamsim_core.feedback.answer import judge_answer
from lamsim_core.feedback.grounding import recited, values_of, why_ungrounded
from lamsim_core.feedback.reference import Deviation, deviations
from lamsim_core.feedback.registry import Abstain, Attempt, Fail, Finding, final_check
from lamsim_core.feedback.state import compare_changes
from lamsim_core.records import Blame, ExpectedAnswer, RowChange

_MOST_RECITED = 6
"""Values of results that a closing message may name beside the answer before it counts as a list of candidates."""
_LISTED = re.compile(r"[^,;|\n]*\w[^,;|\n]*")
_MOST_LISTED = 15
"""Parts between commas, semicolons and line ends beside the answer, beyond which a message is a list, not an answer."""
_CUT_SHORT = Abstain("The attempt did not come to its end.")


@final_check("ending.answered", version=2, gate=True)
def ending_answered(attempt: Attempt) -> Iterator[Finding]:
    """The agent ended the attempt itself, with a message to the user."""
    reasons = {
        "step_limit": "The attempt met its limit of steps before the agent closed it.",
        "token_limit": "A reply met the token limit before it was complete.",
        "token_budget": "The attempt met its limit of tokens before the agent closed it.",
        "time_limit": "The attempt met its limit of time before its end.",
        "abandoned": "A search left this path before its end.",
        "stopped": "The attempt was stopped before its end.",
        "failed": "The policy broke down.",
    }
    if attempt.unfinished:
        yield Abstain(reasons[attempt.ended])
    elif attempt.ended != "answered":
        yield Fail("ending", reasons[attempt.ended], "$.ended", "answered", attempt.ended, _undone(attempt))
    elif not (attempt.answer or "").strip():
        yield Fail(
            "ending", "The agent closed the attempt without a message.", "$.answer", "a message", "", _undone(attempt)
        )


@final_check("answer.value", version=4, gate=True)
def answer_value(attempt: Attempt) -> Iterator[Finding]:
    """The closing message states the expected answer and no other candidate."""
    expected = attempt.task.answer
    if expected is None:
        yield Abstain("The task expects no answer.")
    elif attempt.unfinished:
        yield _CUT_SHORT
    else:
        why = _why_wrong(attempt, expected)
        if why:
            wanted = {"decline": "a message that no offered tool fits", "ask": "a question for what is missing"}
            yield Fail(
                "answer",
                why,
                "$.answer",
                wanted.get(expected.kind, expected.value),
                (attempt.answer or "")[:500],
                _undone(attempt),
            )


def _why_wrong(attempt: Attempt, expected: ExpectedAnswer) -> str | None:
    """Why the closing message is not the expected answer. A request that is only said again says nothing."""
    instruction = attempt.task.instruction
    said = re.sub(re.escape(instruction.strip()), " ", attempt.answer or "", flags=re.IGNORECASE)
    why = judge_answer(said, instruction, expected)
    if why or expected.kind in ("decline", "ask"):
        return why
    others = recited(said, expected, attempt.steps, instruction)
    if len(others) > _MOST_RECITED or len(_LISTED.findall(said)) > _MOST_LISTED + len(values_of(expected)):
        what = f" ({', '.join(others[:3])}, ...)" if others else ""
        return f"The closing message lists what else there is{what}; it should state only the answer."
    return None


@final_check("answer.grounded", version=2, gate=True)
def answer_grounded(attempt: Attempt) -> Iterator[Finding]:
    """The answer was looked up: results that were seen hold it, or what it follows from."""
    expected = attempt.task.answer
    if expected is None or expected.kind in ("decline", "ask"):
        yield Abstain("The task expects nothing that has to be looked up.")
    elif attempt.unfinished:
        yield _CUT_SHORT
    else:
        why = why_ungrounded(expected, attempt.steps, attempt.task.instruction)
        if why:
            yield Fail("ungrounded", why, "$.answer", None, (attempt.answer or "")[:500], _undone(attempt))


@final_check("state.goal", version=2, gate=True)
def state_goal(attempt: Attempt) -> Iterator[Finding]:
    """Every change that was asked for has been made."""
    if not attempt.task.goal:
        yield Abstain("The task asks for no change.")
        return
    if attempt.unfinished:
        yield _CUT_SHORT
        return
    comparison = compare_changes(attempt.task.goal, attempt.changes)
    wrong = {id(wanted): made for wanted, made in comparison.wrong}
    for wanted in comparison.missing:
        made = wrong.get(id(wanted))
        what = f"{_doing(wanted)} in {wanted.table}"
        yield Fail(
            "state",
            f"The change asked for was made with other values: {what}." if made else f"Still to do: {what}.",
            f"$.{wanted.table}.{wanted.id}",
            wanted.after,
            made.after if made else None,
            _undone(attempt),
        )


@final_check("state.collateral", version=1, gate=True)
def state_collateral(attempt: Attempt) -> Iterator[Finding]:
    """Nothing was changed that was not asked for."""
    for made in compare_changes(attempt.task.goal, attempt.changes).collateral:
        yield Fail(
            "collateral",
            f"Nobody asked for this: {_doing(made)} in {made.table}.",
            path=f"$.{made.table}.{made.id}",
            expected=made.before,
            got=made.after,
        )


@final_check("path.progress", version=1, gate=False)
def path_progress(attempt: Attempt) -> Iterator[Finding]:
    """The calls of the reference solution were made (another way to the same end is as good)."""
    if not attempt.task.gold:
        yield Abstain("The reference solution makes no call.")
        return
    made = [
        (step.call.name, step.call.arguments)
        for step in attempt.steps
        if step.call is not None and step.observation is not None and step.observation.ok
    ]
    wanted = [call for call in attempt.task.gold if not call.fails]
    done = sum((call.name, call.arguments) in made for call in wanted)
    if done < len(wanted):
        yield Fail(
            None,
            f"{done} of {len(wanted)} reference calls were made.",
            expected=len(wanted),
            got=done,
        )


@final_check("path.cost", version=1, gate=False)
def path_cost(attempt: Attempt) -> Iterator[Finding]:
    """No more calls were made than the reference solution needs."""
    calls = sum(step.call is not None for step in attempt.steps)
    if calls > len(attempt.task.gold):
        yield Fail(
            None,
            f"{calls} calls; the reference needs {len(attempt.task.gold)}.",
            expected=len(attempt.task.gold),
            got=calls,
        )


@final_check("path.deviation", version=1, gate=False)
def path_deviation(attempt: Attempt) -> Iterator[Finding]:
    """A failed attempt made the calls of the reference solution (says where it left them)."""
    if attempt.passed or attempt.unfinished:
        yield Abstain("Only failed attempts are held beside the reference: any other way to the same end is as good.")
        return
    for found in deviations(attempt.task, attempt.steps):
        yield _deviation(found)


def _deviation(found: Deviation) -> Fail:
    told = {
        "argument_value": f"{found.tool} was called with another {found.argument} than the reference calls it with.",
        "tool_choice": f"The reference calls {found.tool} here; {found.got} was called.",
        "premature_end": f"{found.tool} was never called, though the reference calls it.",
    }
    return Fail(
        found.error_class, told[found.error_class], found.path, found.expected, found.got, evidence=found.evidence
    )


def _undone(attempt: Attempt) -> Blame:
    """Who is to blame for what was not achieved: not the agent, when a tool broke down under it."""
    return "tool" if attempt.tool_broke else "agent"


def _doing(change: RowChange) -> str:
    if change.before is None:
        return "a new row"
    if change.after is None:
        return f"deleting {change.id}"
    fields = [key for key, value in change.after.items() if change.before.get(key) != value]
    return f"changing {', '.join(fields)} of {change.id}"
