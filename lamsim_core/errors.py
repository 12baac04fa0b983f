"""Every error this product raises on purpose. A message says what was expected, what came, and what to do.

    LamsimError                  anything a user can be told in a sentence
    ├── NotFoundError            an unknown model, task, tool, trajectory, dataset, job ...
    ├── InvalidInputError        a value from a user, a file or the command line that cannot be used
    │   └── TaskTemplateError    a task template that cannot load; knows its file and line
    │       └── UnfairSeedError  a template has no fair instance for one seed; it may have for the next
    ├── StoreError               the journal or the index
    │   ├── DamagedRecordError   bytes in a journal segment that are not what was written; knows segment and offset
    │   └── StoreWriteError      a record could not be made durable (disk full, I/O error); nothing was acknowledged
    ├── ModelError               a model, or a package of the index, could not be fetched, verified, loaded or reached
    ├── DivergenceError          a stored attempt that does not come out the same when it is replayed
    ├── JobError                 a job could not be started, stopped or resumed
    ├── TrainingError            a training run that cannot or must not go on (nothing to train on, damaged checkpoint)
    └── StoppedError             the user asked for a stop; not a failure

A tool that refuses a call raises ``ToolRefusedError`` (in ``environment.toolspec``), which becomes an observation for the agent
and never leaves ``Environment.step``.
"""

from collections.abc import Iterable
from typing import Any


class LamsimError(Exception):
    """Base of every expected error: ``str(error)`` is a sentence for a person."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Made again from its sentence in another process, whatever its parameters were."""
        return _again, (type(self), str(self)), self.__dict__


def _again(kind: type[LamsimError], sentence: str) -> LamsimError:
    return kind.__new__(kind, sentence)


class NotFoundError(LamsimError):
    """Something was asked for by a name that does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str] = ()) -> None:
        from rapidfuzz import process

        names = sorted(known)
        close = [match[0] for match in process.extract(name, names, limit=3, score_cutoff=60)]
        hint = f" Did you mean {', '.join(repr(c) for c in close)}?" if close else ""
        if not hint and names:
            hint = f" Known: {', '.join(names[:12])}{' ...' if len(names) > 12 else ''}."
        super().__init__(f"There is no {kind} named {name[:120]!r}.{hint}")
        self.kind = kind
        self.name = name


class InvalidInputError(LamsimError):
    """A value that cannot be used as given."""


class TaskTemplateError(InvalidInputError):
    """A task template that cannot load."""

    def __init__(self, message: str, *, source: str = "", line: int | None = None, template: str = "") -> None:
        where = f"{source}:{line}: " if source and line else (f"{source}: " if source else "")
        what = f"task {template!r}: " if template else ""
        super().__init__(f"{where}{what}{message}")
        self.source = source
        self.line = line
        self.template = template


class UnfairSeedError(TaskTemplateError):
    """No fair instance of a template was found for one seed."""


class StoreError(LamsimError):
    """The journal or the index could not do what was asked."""


class DamagedRecordError(StoreError):
    """A journal segment holds bytes that are not a record that was written."""

    def __init__(self, segment: str, offset: int, reason: str) -> None:
        super().__init__(f"Journal segment {segment} is damaged at byte {offset}: {reason}.")
        self.segment = segment
        self.offset = offset
        self.reason = reason


class StoreWriteError(StoreError):
    """A record could not be made durable; it was not acknowledged and nothing else was harmed."""


class ModelError(LamsimError):
    """A model, or a package of the index, could not be fetched, verified, loaded or reached."""


class DivergenceError(LamsimError):
    """A stored attempt does not come out the same when it is replayed."""


class JobError(LamsimError):
    """A job could not be started, stopped or resumed."""


class TrainingError(LamsimError):
    """A training run that cannot or must not go on."""


class StoppedError(LamsimError):
    """The user asked for a stop."""
