"""Rescoring as a job: judge what is stored again, keep the new verdicts, and record what changed."""

from pathlib import Path
from typing import Any

from lamsim_core.canonical import new_id, now
from lamsim_core.errors import StoppedError
from lamsim_core.feedback.registry import check_versions, checks_hash
from lamsim_core.files import write_atomic
from lamsim_core.jobs.context import JobContext
from lamsim_core.records import Record, Rescore
from lamsim_core.review.rescore import rescore
from lamsim_core.store import Store
from lamsim_core.store.segments import read_records

ID_FILE = "rescore.txt"


class RescoreParams(Record):
    """What a rescore is asked to do."""

    runs: tuple[str, ...] = ()
    """Only attempts of these runs; empty means everything stored."""


def run(context: JobContext) -> dict[str, Any]:
    """Judge again. Parameters: see ``RescoreParams``. Returns the rescore's id and counts.

    Raises:
        StoppedError: it was stopped; new verdicts found so far are kept, and a resumed job goes on.
    """
    params = context.read(RescoreParams)
    path = context.folder / ID_FILE
    resumed = path.exists()
    if not resumed:
        write_atomic(path, new_id("rsc"))
    rescore_id = path.read_text(encoding="ascii").strip()
    author, started = context.settings.author, context.job.created
    with Store(context.settings) as store:
        found = rescore(
            context.settings.journal,
            rescore_id,
            author,
            add=store.add,
            runs=params.runs,
            on_progress=context.progress,
            should_stop=context.should_stop,
        )
        if found.stopped:
            raise StoppedError("Stopped; the new verdicts found so far are kept. Resume the job to judge the rest.")
        already = _stored(context.settings.journal, rescore_id) if resumed else None
        record = already or Rescore(
            id=rescore_id,
            created=started,
            finished=now(),
            author=author,
            checks=checks_hash(),
            versions=check_versions(),
            runs=params.runs,
            judged=found.judged,
            unjudged=found.unjudged,
            changed=found.changed,
            outcomes=dict(sorted(found.outcomes.items())),
            changes=found.verdict_changes(),
        )
        if already is None:
            store.add(record)
    return {"rescore": record.id, "judged": record.judged, "unjudged": record.unjudged, "changed": record.changed}


def _stored(journal: Path, rescore_id: str) -> Rescore | None:
    """The record of a rescore that ended before its job could say so."""
    found = (record for _, record in read_records(journal, "rescore"))
    return next((record for record in found if isinstance(record, Rescore) and record.id == rescore_id), None)
