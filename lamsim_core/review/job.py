"""Rescoring as a job: judge what is stored again, keep the new verdicts, and record what changed."""

from typing import Any

from lamsim_core.canonical import new_id
from lamsim_core.errors import StoppedError
from lamsim_core.feedback.registry import check_versions, checks_hash
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.job import now
from lamsim_core.records import Record, Rescore
from lamsim_core.review.rescore import rescore
from lamsim_core.store import Store

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
    if not path.exists():
        path.write_text(new_id("rsc"), encoding="ascii")
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
        record = Rescore(
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
        store.add(record)
    return {"rescore": record.id, "judged": record.judged, "unjudged": record.unjudged, "changed": record.changed}
