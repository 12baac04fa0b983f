"""Merging as a job: it needs the memory of a model and takes from seconds to many minutes."""

from pathlib import Path
from typing import Any

from lamsim_core.jobs.context import JobContext
from lamsim_core.models.registry import find_adapter
from lamsim_core.records import Record
from lamsim_core.settings import Settings
from lamsim_core.train.handing_on import new_folder
from lamsim_core.train.merging import STAGES, Precision, merge


class MergeParams(Record):
    """What a merging job is asked to do."""

    model: str
    """Name of the adapter."""
    precision: Precision = "bf16"
    folder: str | None = None
    """Where to, as an absolute path of a new folder; None for the adapter's place under ``home``."""


def merged_folder(settings: Settings, name: str, precision: Precision) -> Path:
    """Where a merged adapter is kept when no other folder was asked for.

    Raises:
        NotFoundError: there is no such adapter.
    """
    return settings.home.absolute() / "merged" / f"{find_adapter(settings, name)[1].name}-{precision}"


def run(context: JobContext) -> dict[str, Any]:
    """Merge an adapter into its base. Parameters: see ``MergeParams``. Returns what ``Merged`` holds.

    Raises:
        LamsimError: the parameters cannot be used, or it could not be merged.
        StoppedError: a stop was asked for; nothing is left of it.
    """
    params = context.read(MergeParams)
    target = merged_folder(context.settings, params.model, params.precision)
    if params.folder is not None:
        target = new_folder(Path(params.folder))
    context.progress(0, len(STAGES), "Waiting for the model.")
    with context.lease():
        merged = merge(
            context.settings,
            params.model,
            target,
            params.precision,
            report=lambda done, message: context.progress(done, len(STAGES), message),
            should_stop=context.should_stop,
        )
    context.progress(len(STAGES), len(STAGES))
    return merged.model_dump(mode="json")
