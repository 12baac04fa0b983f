"""A turn of the flywheel as a job: it starts the jobs of its stages and waits for them."""

from pathlib import Path
from typing import Any

from pydantic import Field

from lamsim_core.flywheel.report import write_report
from lamsim_core.flywheel.sizes import SIZES, SizeName
from lamsim_core.flywheel.turn import effort, measure, turn
from lamsim_core.flywheel.wheel import Wheel
from lamsim_core.jobs.context import JobContext
from lamsim_core.models.provision import DEFAULT_MODEL
from lamsim_core.records import Record
from lamsim_core.settings import Settings


class TurnParams(Record):
    """What a turn is asked to do."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")
    """Its datasets and adapters begin with it; the stages of a turn of the same name are found again."""
    size: SizeName = "cpu"
    model: str = DEFAULT_MODEL
    from_adapter: str | None = None
    """Go on from this adapter of the model: the next turn of a wheel."""
    seed: int = Field(default=0, ge=0)
    """Which train tasks are shown; those tried by the model itself are others."""
    folder: str | None = None
    """Of the report, as an absolute path; None for its place under ``home``."""

    @property
    def before(self) -> tuple[str, ...]:
        """What there is before the turn, the base first."""
        return (self.model, self.from_adapter) if self.from_adapter else (self.model,)


def report_folder(settings: Settings, name: str) -> Path:
    """Where the report of a turn is written when no other folder was asked for."""
    return settings.home.absolute() / "reports" / name


def run(context: JobContext) -> dict[str, Any]:
    """Turn the flywheel once. Parameters: see ``TurnParams``. Returns adapters, evaluation, stages and the report's files.

    Raises:
        InvalidInputError: the parameters cannot be used, or nothing is left to train on.
        StoppedError: it was stopped; resumed, it goes on where it was.
        JobError: a stage failed or died; likewise.
    """
    params = context.read(TurnParams)
    size = SIZES[params.size]
    wheel = Wheel(context, params.name, effort(size, params.name, params.before))
    adapters = turn(wheel, size, params.model, start=params.from_adapter, seed=params.seed)
    evaluation = measure(wheel, size, params.before, adapters)
    folder = Path(params.folder) if params.folder else report_folder(context.settings, params.name)
    files = write_report(context.settings, params.name, wheel.stages, folder)
    return {
        "name": params.name,
        "size": params.size,
        "adapters": list(adapters),
        "evaluation": evaluation,
        "stages": [stage.model_dump(mode="json") for stage in wheel.stages],
        "files": [str(file) for file in files],
    }
