"""Deleting an adapter that was trained here. What it did stays in the store, and so does the record that it was trained."""

import shutil
from collections.abc import Iterator

from pydantic import JsonValue

from lamsim_core.errors import InvalidInputError
from lamsim_core.explore.live import live_runs
from lamsim_core.jobs import supervisor
from lamsim_core.jobs.job import ACTIVE
from lamsim_core.models.registry import find_adapter, is_shipped
from lamsim_core.records import CONSTRAINED, Adapter
from lamsim_core.settings import Settings
from lamsim_core.train.adapters import DRAFT_PREFIX


def why_not_delete(settings: Settings, name: str) -> str | None:
    """Why an adapter cannot be deleted now, or None.

    Raises:
        NotFoundError: there is no such adapter.
    """
    folder, adapter = find_adapter(settings, name)
    if is_shipped(settings, folder):
        return f"{adapter.name} is part of the product and cannot be deleted."
    names = {adapter.name, f"{adapter.name}{CONSTRAINED}", adapter.id}
    for job, status in supervisor.list_jobs(settings):
        if status.state in ACTIVE and names & set(_texts(job.params)):
            return (
                f"{adapter.name} is being used by the job {job.label!r} ({job.id}). Stop it first, or wait for its end."
            )
    if any(run.policy_name in names for run in live_runs()):
        return f"{adapter.name} is acting on the Simulate page right now. Stop that run first."
    return None


def delete_adapter(settings: Settings, name: str) -> Adapter:
    """Delete an adapter's folder.

    Raises:
        NotFoundError: there is no such adapter.
        InvalidInputError: it is shipped, in use, or its folder cannot be changed.
    """
    if (why_not := why_not_delete(settings, name)) is not None:
        raise InvalidInputError(why_not)
    folder, adapter = find_adapter(settings, name)
    try:
        # Away in one step: nobody sees half an adapter, whatever happens from here on.
        gone = folder.rename(folder.with_name(f"{DRAFT_PREFIX}deleted-{adapter.id}"))
    except OSError as error:
        raise InvalidInputError(f"{adapter.name} cannot be deleted: {error.strerror or error}.") from error
    shutil.rmtree(gone, ignore_errors=True)
    return adapter


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
