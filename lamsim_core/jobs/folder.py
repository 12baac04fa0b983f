"""A job's folder: where it is, what is in it, and how its small files are read and written."""

import re
from pathlib import Path
from typing import TypeVar

from lamsim_core.canonical import canonical_json
from lamsim_core.errors import NotFoundError
from lamsim_core.files import write_atomic
from lamsim_core.records import Record
from lamsim_core.settings import Settings

JOB = "job.json"
PROCESS = "process.json"
STATUS = "status.json"
STOP = "stop"
METRICS = "metrics.jsonl"
LOG = "log.txt"
RUN_LOCK = "run.lock"
LAUNCH_LOCK = "launch.lock"

R = TypeVar("R", bound=Record)

_ID = re.compile(r"job_[0-9a-z]{26}")


def is_job_id(text: str) -> bool:
    """Whether ``text`` has the form of a job id, and so may become the name of a folder."""
    return _ID.fullmatch(text) is not None


def job_folder(settings: Settings, job_id: str) -> Path:
    """The folder of a job, whether or not it exists.

    Raises:
        NotFoundError: ``job_id`` does not have the form of a job id.
    """
    if not is_job_id(job_id):
        raise NotFoundError("job", job_id)
    return settings.jobs / job_id


def existing_folder(settings: Settings, job_id: str) -> Path:
    """The folder of a job that exists.

    Raises:
        NotFoundError: there is no such job.
    """
    folder = job_folder(settings, job_id)
    if not folder.is_dir():
        raise NotFoundError("job", job_id)
    return folder


def write_record(path: Path, record: Record) -> None:
    """Replace the file at ``path`` by the record.

    Raises:
        ValueError: the record holds what JSON cannot, such as NaN.
        OSError: it could not be written; the old content is still there.
    """
    write_atomic(path, canonical_json(record.model_dump(mode="json")) + "\n")


def read_record(path: Path, kind: type[R]) -> R:
    """Read what ``write_record`` wrote.

    Raises:
        ValueError: the file is not such a record.
        OSError: it cannot be read.
    """
    return kind.model_validate_json(path.read_bytes())


def remove_drafts(folder: Path) -> None:
    """Remove what a process killed in the middle of a write left behind. Only while no process works on the job."""
    for draft in folder.glob(".*.tmp"):
        draft.unlink(missing_ok=True)


def clean(text: str, limit: int) -> str:
    """Make ``text`` storable: no lone surrogates, at most ``limit`` characters."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= limit else text[: limit - 1] + "…"
