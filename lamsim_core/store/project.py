"""From journal entries to rows of the index: pure functions, no database."""

from dataclasses import dataclass, field
from typing import Any

from lamsim_core.canonical import content_hash
from lamsim_core.records import Adapter, Dataset, Evaluation, Mark, Record, Step, Trajectory, Verdict
from lamsim_core.store.framing import Kind, decode, payload_hash
from lamsim_core.store.segments import Damage, Entry, Tail

Row = dict[str, Any]

TABLE_OF: dict[Kind, str] = {
    "trajectory": "trajectories",
    "mark": "marks",
    "dataset": "datasets",
    "adapter": "adapters",
    "evaluation": "evaluations",
}
"""Where the records of each kind are kept."""

SHOWN = 2000
"""Characters of an instruction or answer that the index keeps for lists and search; the journal keeps them whole."""

_LARGEST = 2**63 - 1

_BATCH_RECORDS = 1000
_BATCH_BYTES = 32 * 2**20


@dataclass
class Candidate:
    """A record that may become a row, with the rows that come with it."""

    row: Row
    steps: list[Row] = field(default_factory=list)


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
        steps = [_step_row(record.id, step) for step in record.steps]
        return Candidate(_held(_trajectory_row(record)), [_held(step) for step in steps])
    if isinstance(record, Mark):
        return Candidate(_held({"identity": record.id, **record.model_dump()}))
    row: Row = {"payload": payload.decode()}
    if isinstance(record, Dataset):
        row.update(hash=record.hash, n_rows=record.rows)
    elif isinstance(record, Adapter):
        row.update(base=record.base, dataset=record.dataset)
    elif isinstance(record, Evaluation):
        row.update(split=record.split)
    else:
        raise ValueError(f"a {kind} has no table")
    named = {"id": record.id, "identity": record.id, "name": record.name, "created": record.created}
    return Candidate(_held({**named, **row}))


def _trajectory_row(record: Trajectory) -> Row:
    task, policy, steps = record.task, record.policy, record.steps
    usages = [step.usage for step in steps if step.usage is not None]
    verdicts = [verdict for step in steps for verdict in step.verdicts]
    calls = [step.call for step in steps if step.call is not None]
    own = {schema.name: binding.tool for schema, binding in task.bound_tools}
    return {
        "id": record.id,
        "identity": content_hash(record.identity),
        "run": record.run,
        "created": record.created,
        "template": task.template,
        "category": task.category,
        "task_key": task.key,
        "split": task.split,
        "task_seed": task.seed,
        "instruction": _shown(task.instruction),
        "policy_kind": policy.kind,
        "policy": policy.name,
        "adapter": policy.adapter,
        "temperature": policy.sampling.temperature if policy.sampling else None,
        "attempt": record.attempt,
        "ended": record.ended,
        "passed": record.passed,
        "reward": record.reward,
        "n_steps": len(steps),
        "n_calls": len(calls),
        "n_failed": sum(1 for step in steps if step.failed),
        "error_classes": _error_classes((*verdicts, *record.verdicts)),
        "tools": list(dict.fromkeys(own.get(call.name, call.name) for call in calls if call.name)),
        "offered": [f"{binding.category}.{binding.tool}" for _, binding in task.bound_tools],
        "completion_tokens": sum(usage.completion_tokens for usage in usages) if usages else None,
        "seconds": record.seconds,
        "answer": _shown(record.answer),
        "parent": record.parent.trajectory if record.parent else None,
    }


def _step_row(trajectory: str, step: Step) -> Row:
    seen = step.observation
    return {
        "trajectory": trajectory,
        "step": step.index,
        "turn": step.turn,
        "tool": step.call.name if step.call else None,
        "ok": seen.ok if seen else None,
        "fault": seen.fault if seen else None,
        "error_classes": _error_classes(step.verdicts),
        "n_changes": len(step.changes),
        "seconds": step.seconds,
    }


def _error_classes(verdicts: tuple[Verdict, ...]) -> list[str]:
    """Classes of the gates that failed; diagnosis does not count."""
    return sorted({v.error_class for v in verdicts if v.counts and v.error_class})


def _shown(text: str | None) -> str | None:
    return text if text is None or len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _held(row: Row) -> Row:
    return {name: held(value) for name, value in row.items()}


def held(value: Any) -> Any:
    """A value as DuckDB can hold it: lone surrogates written out, numbers beyond 64 bits cut to the largest."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-_LARGEST, min(_LARGEST, value))
    if isinstance(value, list | tuple):
        return [held(part) for part in value]
    return value
