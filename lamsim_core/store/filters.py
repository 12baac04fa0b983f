"""What people filter trajectories by, and how that is said to the index."""

from typing import Any, Literal

from lamsim_core.records import Ending, ErrorClass, Record, Split

Decision = Literal["accept", "reject", "undecided"]


class TrajectoryFilter(Record):
    """Which trajectories to look at. An empty field lets everything through; several fields must all hold."""

    text: str = ""
    """Looked for in instruction, answer, template and id, whatever the case. The first 2000 characters are searched."""
    categories: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    """Policy names."""
    runs: tuple[str, ...] = ()
    splits: tuple[Split, ...] = ()
    passed: bool | None = None
    """Only passed, only failed, or None for any."""
    unscored: bool = False
    """Only those not scored; together with ``passed``, those as well."""
    decisions: tuple[Decision, ...] = ()
    """The newest human decision; no decision is ``undecided``."""
    tags: tuple[str, ...] = ()
    """At least one of these is on the newest mark."""
    error_classes: tuple[ErrorClass, ...] = ()
    """At least one of these mistakes was made."""
    tools: tuple[str, ...] = ()
    """At least one of these tools was called."""
    ended: tuple[Ending, ...] = ()
    lengths: tuple[int, ...] = ()
    """Numbers of steps."""
    ids: tuple[str, ...] = ()
    """Only these trajectories: those behind a number."""


COLUMN_OF = {
    "categories": "category",
    "templates": "template",
    "policies": "policy",
    "runs": "run",
    "splits": "split",
    "decisions": "decision",
    "ended": "ended",
}
"""Filters on one value, and their columns of the view ``current``."""

LISTS = ("tags", "error_classes", "tools")
"""Filters on a list, which is also the name of the column."""


def conditions(flt: TrajectoryFilter) -> tuple[str, dict[str, Any]]:
    """The filter as an SQL condition over ``current`` with named parameters, every value bound."""
    parts = ["true"]
    params: dict[str, Any] = {}
    if flt.text.strip():
        params["text"] = flt.text.strip()
        looked = ("instruction", "answer", "template", "id")
        parts.append("(" + " OR ".join(f"contains(lower({name}), lower($text))" for name in looked) + ")")
    for name, column in COLUMN_OF.items():
        if values := getattr(flt, name):
            params[name] = list(values)
            parts.append(f"list_contains(${name}, {column})")
    for name in LISTS:
        if values := getattr(flt, name):
            params[name] = list(values)
            parts.append(f"list_has_any({name}, ${name})")
    if flt.lengths:
        params["lengths"] = list(flt.lengths)
        parts.append("list_contains($lengths, n_steps)")
    if flt.ids:
        params["ids"] = list(flt.ids)
        parts.append("id IN (SELECT unnest($ids))")
    outcomes = []
    if flt.passed is not None:
        outcomes.append("passed" if flt.passed else "NOT passed")
    if flt.unscored:
        outcomes.append("passed IS NULL")
    if outcomes:
        parts.append("(" + " OR ".join(outcomes) + ")")
    return " AND ".join(parts), params
