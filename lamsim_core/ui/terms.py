"""How policies, outcomes, decisions, checks and costs of trajectories are said to people: words, colours, icons."""

import json
from collections.abc import Mapping
from typing import Final, get_args

from lamsim_core.agent.policy import PLAIN_POLICIES
from lamsim_core.errors import NotFoundError
from lamsim_core.records import Blame, ErrorClass, PolicyInfo, Sampling, Trajectory, Usage, Verdict
from lamsim_core.tools import categories, get_category
from lamsim_core.ui.draw import Color, clean
from lamsim_core.ui.wording import duration, spaced

POLICIES: Final = {
    "gold": "Reference solution",
    "random": "Random valid calls",
    "noop": "Does nothing",
    "human": "You, by hand",
}
"""Policies without a model, by name."""

ENDINGS: Final = {
    "answered": "Closed with a message",
    "step_limit": "Step limit met",
    "token_limit": "Token limit met",
    "token_budget": "Token limit of the attempt met",
    "time_limit": "Time limit met",
    "abandoned": "Left by the search",
    "stopped": "Stopped",
    "failed": "Broke down",
}

BLAMES: Final[Mapping[Blame | None, str]] = {"tool": "the tool's fault", "task": "part of the task"}
"""Whose fault a failure is that is not held against the agent."""

MISTAKES: Final[Mapping[ErrorClass, str]] = {
    "structure": "The reply was no well-formed call, and no message either.",
    "tool_name": "A tool was called that was not offered.",
    "argument_missing": "A required argument was left out.",
    "argument_unknown": "An argument was given that the tool does not have.",
    "argument_type": "An argument had the wrong type, such as a text for a number.",
    "argument_enum": "An argument was none of the values the tool allows.",
    "argument_format": "An argument was not in the form the tool asks for, such as a date, or beyond its limits.",
    "argument_value": "An argument was valid but not the value the task calls for.",
    "tool_choice": "Another tool was called where the reference solution calls one.",
    "execution": "The tool refused a valid call, for something in it did not exist or was not allowed.",
    "repetition": "The same call was made again though nothing had changed since.",
    "ungrounded": "Something was said or used that had not been looked up.",
    "premature_end": "The attempt was closed before everything was done.",
    "answer": "The closing message did not state the right answer.",
    "state": "A change that was asked for was not made, or made with other values.",
    "collateral": "Something was changed that nobody asked for.",
    "ending": "The attempt was not closed with a message.",
}
"""Kinds of mistakes, each in a sentence."""

DECISIONS: Final = {"accept": "Accepted", "reject": "Rejected", "undecided": "Undecided"}
DECISION_ICONS: Final = {
    "accept": ":material/thumb_up:",
    "reject": ":material/thumb_down:",
    "undecided": ":material/contrast:",
}

assert set(PLAIN_POLICIES) < set(POLICIES)
assert set(MISTAKES) == set(get_args(ErrorClass))


def outcome(passed: bool | None) -> tuple[str, Color, str]:
    """Word, colour and icon of how an attempt was judged."""
    if passed is None:
        return "Not scored", "gray", ":material/help:"
    return ("Passed", "green", ":material/check_circle:") if passed else ("Failed", "red", ":material/cancel:")


def why(trajectory: Trajectory) -> str:
    """One sentence: why the attempt passed, failed or was not scored. May hold text of a model."""
    deciding = [v for v in trajectory.verdicts if v.check in trajectory.task.checks]
    if trajectory.passed:
        return f"Every check that decides passed ({len(trajectory.task.checks)} of {len(trajectory.task.checks)})."
    if trajectory.edited:
        return "The agent was told a result that a person had edited, so nothing it did afterwards is scored."
    if trajectory.passed is None:
        said = trajectory.error or next(
            (v.message for v in deciding if v.outcome in ("abstain", "error") and v.message), ""
        )
        return said or "A check that decides could not be made."
    failed = [v.message for v in deciding if v.outcome == "fail"]
    more = f" And {len(failed) - 1} more." if len(failed) > 1 else ""
    return (failed[0] if failed else "A check that decides did not pass.") + more


def policy_title(info: PolicyInfo) -> str:
    """Who acted, for a person."""
    if info.kind in POLICIES:
        return "By hand" if info.kind == "human" else POLICIES[info.kind]
    return info.label


def policy_name(name: str) -> str:
    """``policy_title`` where only the name is known."""
    return "By hand" if name == "human" else POLICIES.get(name, name)


def category_title(category: str) -> str:
    """The title of a category, shipped or imported; its name when there is no such category (any more)."""
    try:
        return clean(get_category(category).title)
    except NotFoundError:
        return clean(category)


def category_option(category: str) -> str:
    """``category_title`` for a list to choose from: imports carry their name too, so that no two options read the same."""
    title = category_title(category)
    return title if category in categories() else f"{title} ({clean(category)})"


def template_title(template: str) -> str:
    """``calendar.move_meeting`` as ``Move meeting``."""
    return spaced(template.partition(".")[2]).capitalize() or template


def check_title(check: str) -> str:
    """``arguments.missing`` as ``Arguments: missing``."""
    return spaced(check).replace(".", ": ").capitalize()


def mistake(verdict: Verdict) -> str:
    """What kind of mistake a failed check found, in two words."""
    return spaced(verdict.error_class or verdict.check).replace(".", ": ")


def sampling_text(sampling: Sampling | None) -> str:
    """How replies were drawn; empty when no model acted."""
    if sampling is None:
        return ""
    drawn = (
        "likeliest token"
        if sampling.temperature == 0
        else f"temperature {sampling.temperature:g}, top-p {sampling.top_p:g}"
    )
    calls = ", calls constrained" if sampling.constrained else ""
    return f"{drawn}, at most {sampling.max_new_tokens} tokens a turn{calls}"


def usage_text(usage: Usage) -> str:
    """What a reply cost."""
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    rate = f", {usage.completion_tokens / usage.decode_seconds:.0f} a second" if usage.decode_seconds > 0 else ""
    return (
        f"{usage.prompt_tokens:,} tokens read{cached} in {fine_duration(usage.prefill_seconds)} · "
        f"{usage.completion_tokens:,} written in {fine_duration(usage.decode_seconds)}{rate}"
    )


def fine_duration(value: float) -> str:
    """A span of time in seconds, however short: ``38 µs``, ``120 ms``, ``4.2 s``."""
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    return f"{value * 1000:.0f} ms" if value < 1 else duration(value)


def value_text(value: object) -> str:
    """A JSON value for a table cell."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
