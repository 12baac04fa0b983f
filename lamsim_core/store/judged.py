"""Rows of verdicts: what an attempt, or a rejudgement of it, was found to be."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import JsonValue

from lamsim_core.canonical import canonical_json
from lamsim_core.records import Trajectory, Verdict
from lamsim_core.store.held import held_row

Row = dict[str, Any]

SHOWN = 300
"""Characters of an expected or found value that the index keeps; the journal keeps them whole."""
ARGUMENT = 120
"""Characters of one argument that the index keeps, its name included."""


def own_tools(record: Trajectory) -> tuple[str | None, ...]:
    """For each step the tool called, by its own name; None for messages and for calls that could not be read."""
    own = {schema.name: binding.tool for schema, binding in record.task.bound_tools}
    calls = (step.call for step in record.steps)
    return tuple(None if call is None else own.get(call.name, call.name) or None for call in calls)


def own_arguments(record: Trajectory) -> tuple[tuple[str, ...], ...]:
    """For each step what was given to the tool, as ``name=value`` by the tool's own names, sorted.

    Of a call that could not be read, its text instead; nothing for a message.
    """
    own = {schema.name: binding.parameters for schema, binding in record.task.bound_tools}
    found: list[tuple[str, ...]] = []
    for step in record.steps:
        call = step.call
        if call is None:
            found.append(())
        elif call.error is not None:
            found.append((call.raw.strip()[:ARGUMENT],))
        else:
            names = own.get(call.name, {})
            given = (f"{names.get(key, key)}={canonical_json(value)}" for key, value in call.arguments.items())
            found.append(tuple(sorted(each[:ARGUMENT] for each in given)))
    return tuple(found)


def n_failed(steps: Iterable[Sequence[Verdict]]) -> int:
    """Actions with a gate that did not pass by the agent's fault, or that broke down."""
    return sum(any(v.counts or (v.gate and v.outcome == "error") for v in verdicts) for verdicts in steps)


def error_classes(verdicts: Iterable[Verdict]) -> list[str]:
    """Classes of the mistakes held against the agent; diagnosis does not count."""
    return sorted({v.error_class for v in verdicts if v.counts and v.error_class})


def judged_rows(
    source: str,
    trajectory: str,
    steps: Sequence[Sequence[Verdict]],
    final: Sequence[Verdict],
    tools: Sequence[str | None],
) -> dict[str, list[Row]]:
    """Rows of the tables ``verdicts`` and ``passes``.

    Args:
        source: id of the attempt or rejudgement they belong to.
        trajectory: id of the attempt.
        steps: verdicts on each action.
        final: verdicts on the whole attempt.
        tools: the tool called in each step.
    """
    verdicts: list[Row] = []
    passes: list[Row] = []
    for step, found in [*enumerate(steps), (None, final)]:
        place = {"source": source, "trajectory": trajectory, "step": step}
        tool = None if step is None else tools[step]
        passes.append(held_row({**place, "checks": [v.check for v in found if v.outcome == "pass"]}))
        verdicts += [_row(place, tool, verdict) for verdict in found if verdict.outcome in ("fail", "error")]
    return {"verdicts": verdicts, "passes": passes}


def _row(place: Row, tool: str | None, verdict: Verdict) -> Row:
    return held_row(
        {
            **place,
            "check_id": verdict.check,
            "outcome": verdict.outcome,
            "counts": verdict.counts,
            "error_class": verdict.error_class,
            "blame": verdict.blame,
            "path": verdict.path,
            "tool": tool,
            "expected": _shown(verdict.expected),
            "got": _shown(verdict.got),
            "evidence": canonical_json(verdict.evidence),
        }
    )


def _shown(value: JsonValue) -> str | None:
    return None if value is None else canonical_json(value)[:SHOWN]
