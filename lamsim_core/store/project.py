"""From journal entries to rows of the index: pure functions, no database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lamsim_core.canonical import content_hash
from lamsim_core.records import (
    Adapter,
    Dataset,
    Evaluation,
    Mark,
    Record,
    Rejudgement,
    Rescore,
    Review,
    Step,
    Trajectory,
)
from lamsim_core.store.framing import Kind, decode, payload_hash
from lamsim_core.store.held import held_row
from lamsim_core.store.judged import error_classes, judged_rows, n_failed, own_arguments, own_tools
from lamsim_core.store.segments import Damage, Entry, Tail

Row = dict[str, Any]

TABLE_OF: dict[Kind, str] = {
    "trajectory": "trajectories",
    "mark": "marks",
    "dataset": "datasets",
    "adapter": "adapters",
    "evaluation": "evaluations",
    "review": "reviews",
    "rejudgement": "rejudgements",
    "rescore": "rescores",
}
"""Where the records of each kind are kept."""

CHILDREN: dict[Kind, dict[str, str]] = {
    "trajectory": {"steps": "trajectory", "verdicts": "source", "passes": "source"},
    "rejudgement": {"verdicts": "source", "passes": "source"},
}
"""Tables of rows that come along with a record, and the column that holds its id."""

SHOWN = 2000
"""Characters of an instruction or answer that the index keeps for lists and search; the journal keeps them whole."""

_BATCH_RECORDS = 1000
_BATCH_BYTES = 32 * 2**20


@dataclass
class Candidate:
    """A record that may become a row, with the rows that come with it."""

    row: Row
    children: dict[str, list[Row]] = field(default_factory=dict)
    """By table."""


@dataclass
class Batch:
    """What one transaction adds to the index: candidates, damage, and how far each segment was read."""

    candidates: dict[Kind, list[Candidate]] = field(default_factory=dict)
    damage: list[Row] = field(default_factory=list)
    offsets: dict[str, int] = field(default_factory=dict)
    records: int = 0
    bytes: int = 0

    @property
    def full(self) -> bool:
        """Whether the batch is large enough to be written."""
        return self.records >= _BATCH_RECORDS or self.bytes >= _BATCH_BYTES

    def add(self, segment: str, item: Entry | Damage | Tail) -> None:
        """Take in what was read from a segment. A tail is left for the next reading."""
        if isinstance(item, Tail):
            return
        self.offsets[segment] = item.offset + item.length
        self.bytes += item.length
        if isinstance(item, Damage):
            self._damaged(segment, item, item.reason)
            return
        self.records += 1
        try:
            candidate = candidate_of(item.kind, decode(item.kind, item.payload), item.payload)
        except ValueError as error:
            self._damaged(segment, item, str(error))
            return
        place = {"segment": segment, "byte_offset": item.offset, "byte_length": item.length}
        candidate.row.update(content_hash=payload_hash(item.payload), **place)
        self.candidates.setdefault(item.kind, []).append(candidate)

    def _damaged(self, segment: str, item: Entry | Damage, reason: str) -> None:
        place = {"segment": segment, "byte_offset": item.offset, "byte_length": item.length}
        self.damage.append({**place, "reason": reason})


def candidate_of(kind: Kind, record: Record, payload: bytes) -> Candidate:
    """The rows of one record, without its place in the journal.

    Raises:
        ValueError: the index has no table for such a record.
    """
    if isinstance(record, Trajectory):
        tools = own_tools(record)
        given = own_arguments(record)
        steps = [held_row(_step_row(record.id, step, tools, given)) for step in record.steps]
        judged = judged_rows(record.id, record.id, [step.verdicts for step in record.steps], record.verdicts, tools)
        return Candidate(held_row(_trajectory_row(record)), {"steps": steps, **judged})
    if isinstance(record, Rejudgement):
        judged = judged_rows(record.id, record.trajectory, record.steps, record.verdicts, record.tools)
        return Candidate(held_row(_rejudgement_row(record)), judged)
    if isinstance(record, Review):
        row = {
            **record.model_dump(include={"id", "trajectory", "step", "answer", "reviewer", "created"}),
            "check_id": record.check,
        }
        return Candidate(held_row({**row, "identity": record.id, "payload": payload.decode()}))
    if isinstance(record, Mark):
        return Candidate(held_row({"identity": record.id, **record.model_dump()}))
    row = {"payload": payload.decode()}
    if isinstance(record, Rescore):
        return Candidate(held_row({"id": record.id, "identity": record.id, "created": record.created, **row}))
    if isinstance(record, Dataset):
        row.update(hash=record.hash, n_rows=record.rows)
    elif isinstance(record, Adapter):
        row.update(base=record.base, dataset=record.dataset)
    elif isinstance(record, Evaluation):
        row.update(split=record.split)
    else:
        raise ValueError(f"a {kind} has no table")
    named = {"id": record.id, "identity": record.id, "name": record.name, "created": record.created}
    return Candidate(held_row({**named, **row}))


def _trajectory_row(record: Trajectory) -> Row:
    task, policy, steps = record.task, record.policy, record.steps
    usages = [usage for step in steps for usage in step.costs]
    verdicts = [verdict for step in steps for verdict in step.verdicts]
    tools = own_tools(record)
    calls = [step.call for step in steps if step.call is not None]
    return {
        "id": record.id,
        "identity": content_hash(record.identity),
        "run": record.run,
        "created": record.created,
        "template": task.template,
        "category": task.category,
        "kinds": list(task.kinds),
        "task_key": task.key,
        "split": task.split,
        "task_seed": task.seed,
        "instruction": _shown(task.instruction),
        "policy_kind": policy.kind,
        "policy": policy.label,
        "adapter": policy.adapter,
        "temperature": policy.sampling.temperature if policy.sampling else None,
        "attempt": record.attempt,
        "ended": record.ended,
        "passed": record.passed,
        "reward": record.reward,
        "n_steps": len(steps),
        "n_calls": len(calls),
        "n_failed": n_failed(step.verdicts for step in steps),
        "error_classes": error_classes((*verdicts, *record.verdicts)),
        "tools": list(dict.fromkeys(tool for tool in tools if tool)),
        "offered": [f"{binding.category}.{binding.tool}" for _, binding in task.bound_tools],
        "looks": task.looks,
        "completion_tokens": sum(usage.completion_tokens for usage in usages) if usages else None,
        "seconds": record.seconds,
        "answer": _shown(record.answer),
        "parent": record.parent.trajectory if record.parent else None,
        "parent_step": record.parent.step if record.parent else None,
        "edited": record.edited,
        "helped": record.helped,
        "mode": record.search.mode if record.search else "single",
        "plain": record.plain,
    }


def _rejudgement_row(record: Rejudgement) -> Row:
    verdicts = [verdict for step in record.steps for verdict in step]
    return {
        **record.model_dump(include={"id", "trajectory", "created", "cause", "rescore", "passed", "reward"}),
        "identity": record.id,
        "n_failed": n_failed(record.steps),
        "error_classes": error_classes((*verdicts, *record.verdicts)),
    }


def _step_row(trajectory: str, step: Step, tools: Sequence[str | None], given: Sequence[Sequence[str]]) -> Row:
    seen = step.observation
    return {
        "trajectory": trajectory,
        "step": step.index,
        "turn": step.turn,
        "tool": tools[step.index],
        "arguments": given[step.index],
        "ok": seen.ok if seen else None,
        "fault": seen.fault if seen else None,
        "error_classes": error_classes(step.verdicts),
        "n_changes": len(step.changes),
        "seconds": step.seconds,
    }


def _shown(text: str | None) -> str | None:
    return text if text is None or len(text) <= SHOWN else text[: SHOWN - 1] + "…"
