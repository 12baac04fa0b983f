"""How a job's folder comes to be: whole or not at all, and once per request."""

import os
import shutil
from contextlib import suppress
from typing import Any

from lamsim_core.canonical import canonical_json, content_hash, new_id, now
from lamsim_core.errors import InvalidInputError, JobError, NotFoundError
from lamsim_core.files import write_atomic
from lamsim_core.jobs.folder import JOB, PROCESS, STATUS, job_folder, read_record, write_record
from lamsim_core.jobs.job import Job, JobStatus, Launch
from lamsim_core.settings import Settings


def new_job(kind: str, params: dict[str, Any], *, label: str, request_id: str | None = None) -> Job:
    """A job with a new id, proven to be readable once it is written.

    Raises:
        InvalidInputError: the kind is unknown, or the parameters are not JSON.
    """
    fields = {
        "id": new_id("job"),
        "kind": kind,
        "label": label,
        "params": params,
        "created": now(),
        "request_id": request_id,
    }
    try:
        return Job.model_validate_json(canonical_json(fields))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidInputError(f"This job cannot be started, its parameters cannot be used: {error}") from error


def create_folder(settings: Settings, job: Job, *, group: bool) -> Job:
    """Write the folder of a new job, "queued", with no process yet.

    Returns:
        ``job``, or the job that an earlier call with the same ``request_id`` made: compare the ids.

    Raises:
        JobError: the job that the same request made was deleted, or the folder cannot be written.
    """
    draft = settings.jobs / f".{job.id}"
    try:
        draft.mkdir(parents=True)
        write_record(draft / JOB, job)
        write_record(draft / STATUS, JobStatus(state="queued", message="Starting.", updated=now()))
        write_record(draft / PROCESS, Launch(attempt=1, kind=job.kind, started=now(), group=group))
        owner = job.id if job.request_id is None else _claim(settings, job.request_id, job.id)
        if owner == job.id:
            _publish(settings, job.id)
            return job
    except OSError as error:
        raise JobError(
            f"The job could not be started: its folder {draft.parent} cannot be written ({error})."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return _made_before(settings, owner)


def _claim(settings: Settings, request_id: str, job_id: str) -> str:
    """Let ``job_id`` be the job of this request unless another one already is; the id of the one that is."""
    claims = settings.jobs / "requests"
    claims.mkdir(exist_ok=True)
    claim, draft = claims / content_hash(request_id), claims / f".{job_id}"
    write_atomic(draft, job_id)
    try:
        # A link is made by exactly one caller, like O_EXCL, and unlike it is never seen before it has its content.
        os.link(draft, claim)
    except FileExistsError:
        return claim.read_text(encoding="ascii")
    finally:
        draft.unlink()
    return job_id


def _publish(settings: Settings, job_id: str) -> None:
    """Give a finished draft its place. Whoever finds a claimed draft may do it: its maker may have died just before."""
    folder = job_folder(settings, job_id)
    with suppress(FileNotFoundError):
        (settings.jobs / f".{job_id}").rename(folder)


def _made_before(settings: Settings, job_id: str) -> Job:
    try:
        _publish(settings, job_id)
        return read_record(job_folder(settings, job_id) / JOB, Job)
    except (NotFoundError, OSError, ValueError) as error:
        raise JobError(
            "This was already started once, and the job it became is deleted or damaged. Start it again as a new one."
        ) from error
