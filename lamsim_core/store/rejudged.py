"""Second verdicts on stored attempts: which count now, and what they were before."""

from typing import Any, Protocol, TypeVar

from lamsim_core.errors import DamagedRecordError
from lamsim_core.records import Record, Rejudgement, Rescore, Review, Trajectory, Verdict
from lamsim_core.store.framing import decode, payload_hash
from lamsim_core.store.index import Index
from lamsim_core.store.segments import Position, read_entry

AnyRecord = TypeVar("AnyRecord", bound=Record)

_PLACE = "segment, byte_offset, byte_length, content_hash"


class NewVerdicts(Protocol):
    """Verdicts on an attempt, stored as a rejudgement or not yet."""

    @property
    def steps(self) -> tuple[tuple[Verdict, ...], ...]:
        """On each action."""
        ...

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """On the whole attempt."""
        ...

    @property
    def passed(self) -> bool | None:
        """What they come to."""
        ...

    @property
    def reward(self) -> float | None:
        """The attempt's reward."""
        ...


def with_verdicts(trajectory: Trajectory, new: NewVerdicts | None) -> Trajectory:
    """The attempt with new verdicts in place of its own."""
    if new is None:
        return trajectory
    steps = [
        step.model_copy(update={"verdicts": verdicts})
        for step, verdicts in zip(trajectory.steps, new.steps, strict=True)
    ]
    update = {
        "steps": tuple(steps),
        "verdicts": new.verdicts,
        "passed": new.passed,
        "reward": new.reward,
    }
    return trajectory.model_copy(update=update)


def latest_rejudgement(index: Index, trajectory_id: str, *, cause: str | None = None) -> Rejudgement | None:
    """The newest rejudgement of an attempt, of any or of one cause; None when there is none.

    Raises:
        DamagedRecordError: the journal does not hold any more what was written.
    """
    found = rejudgements_of(index, trajectory_id, cause=cause, limit=1)
    return found[0] if found else None


def rejudgements_of(
    index: Index, trajectory_id: str, *, cause: str | None = None, limit: int = 1000
) -> list[Rejudgement]:
    """Rejudgements of an attempt, the newest (which counts) first. Raises as ``latest_rejudgement``."""
    rows = index.query(
        f"SELECT {_PLACE} FROM rejudgements WHERE trajectory = $id AND ($cause IS NULL OR cause = $cause) "
        "ORDER BY created DESC, id DESC LIMIT $limit",
        {"id": trajectory_id, "cause": cause, "limit": limit},
    )
    return [read_indexed(index, row, Rejudgement) for row in rows]


def reviews(index: Index, trajectory_id: str | None = None) -> list[Review]:
    """Every review, or those of one attempt, the oldest first."""
    rows = index.query(
        "SELECT payload FROM reviews WHERE $id IS NULL OR trajectory = $id ORDER BY created, id", {"id": trajectory_id}
    )
    return [Review.model_validate_json(row["payload"]) for row in rows]


def rescores(index: Index) -> list[Rescore]:
    """Every rescore, the newest first."""
    rows = index.query("SELECT payload FROM rescores ORDER BY created DESC, id DESC")
    return [Rescore.model_validate_json(row["payload"]) for row in rows]


def read_indexed(index: Index, row: dict[str, Any], cls: type[AnyRecord]) -> AnyRecord:
    """The record at an indexed place of the journal, checked against its hash.

    Args:
        index: whose journal.
        row: the place: segment, byte_offset, byte_length and content_hash.
        cls: what it must be.

    Raises:
        DamagedRecordError: the journal does not hold any more what was written.
    """
    position = Position(row["segment"], row["byte_offset"], row["byte_length"])
    entry = read_entry(index.journal, position)
    if payload_hash(entry.payload) != row["content_hash"]:
        raise DamagedRecordError(position.segment, position.offset, "another record lies there than was indexed")
    try:
        record = decode(entry.kind, entry.payload)
    except ValueError as error:
        raise DamagedRecordError(position.segment, position.offset, str(error)) from error
    if not isinstance(record, cls):
        raise DamagedRecordError(position.segment, position.offset, f"there lies a {entry.kind}, no {cls.__name__}")
    return record
