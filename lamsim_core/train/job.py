"""Training as a job: prepare, train, publish; a resumed job goes on from its newest sound checkpoint."""

from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field, ValidationError

from lamsim_core.canonical import content_hash
from lamsim_core.curate.datasets import get_dataset, load_rows
from lamsim_core.errors import InvalidInputError, StoppedError, TrainingError
from lamsim_core.jobs.context import JobContext
from lamsim_core.jobs.job import ACTIVE
from lamsim_core.jobs.reading import read_job_folder
from lamsim_core.models.folder import Manifest
from lamsim_core.models.listing import NAME_PATTERN
from lamsim_core.models.loading import load_tokenizer, model_folder
from lamsim_core.models.registry import ModelEntry, list_models
from lamsim_core.records import Adapter, Dataset, Recipe, Record
from lamsim_core.settings import Settings
from lamsim_core.train import world
from lamsim_core.train.adapters import publish, published_by
from lamsim_core.train.doctor import require_sound
from lamsim_core.train.methods import require_fit, tokenize, train
from lamsim_core.train.preflight import trainable
from lamsim_core.train.rows import TokenRows
from lamsim_core.train.running import Trained, finished_steps, kept, optimizer_steps
from lamsim_core.train.start import Start, open_start, shaped_like


class TrainParams(Record):
    """What a training job is asked to do."""

    dataset: str
    """Id of a frozen dataset."""
    model: str
    """Name of the base model."""
    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """What the adapter will be called."""
    recipe: Recipe = Recipe()
    from_adapter: str | None = None
    """Name or id of the adapter whose weights are the start; None starts from the base model alone."""


def run(context: JobContext) -> dict[str, Any]:
    """Train and publish an adapter. Parameters: see ``TrainParams``. Returns the adapter's id, name and metrics.

    Raises:
        InvalidInputError: the parameters, the dataset or the model cannot be used.
        StoppedError: a stop was asked for; what was learnt is saved.
        TrainingError: there is nothing to train on, or training failed.
    """
    params = _asked(context.params)
    adapter = published_by(context.settings, context.job.id)
    if adapter is None:
        _require_free(context.settings, params.name)
        context.progress(0, 0, "Waiting for the model.")
        with context.lease():
            adapter = _train(context, params)
    _record(context.settings, adapter)
    return {"adapter": adapter.id, "name": adapter.name, "metrics": adapter.metrics}


def _asked(params: Any) -> TrainParams:
    try:
        return TrainParams.model_validate(params)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInputError(f"Training: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error


def _require_free(settings: Settings, name: str) -> None:
    if name in {entry.name for entry in list_models(settings, hidden=True)}:
        raise InvalidInputError(f"There already is a model named {name!r}. Choose another name for the adapter.")


class Prepared(NamedTuple):
    """Everything a training needs, found and checked."""

    entry: ModelEntry
    folder: Path
    manifest: Manifest
    start: Start | None
    recipe: Recipe
    dataset: Dataset
    tokenizer: Any
    tokens: TokenRows[Any]
    run: str
    """Names what is trained from what and how."""


def prepare(settings: Settings, params: TrainParams) -> Prepared:
    """Find and check what a training needs.

    Raises:
        InvalidInputError: the dataset or the model cannot be used.
        TrainingError: there is nothing to train on.
    """
    entry = trainable(settings, params.model)
    folder, manifest = model_folder(settings, entry)
    start = open_start(settings, params.from_adapter, entry.name, manifest)
    recipe = shaped_like(params.recipe, start)
    dataset = get_dataset(settings, params.dataset)
    require_fit(dataset, recipe)
    tokenizer = load_tokenizer(settings, entry, folder)
    require_sound(tokenizer)
    tokens = tokenize(recipe.method, tokenizer, load_rows(settings, params.dataset), recipe.max_length)
    if not tokens.rows:
        raise TrainingError(
            f"Nothing is left to train on: {tokens.too_long} rows are longer than {recipe.max_length} tokens and in"
            f" {tokens.untrained} nothing would be trained. Choose another dataset or a larger maximum length."
        )
    parts: list[Any] = [dataset.hash, manifest.weights, recipe.model_dump(mode="json")]
    parts += [] if start is None else [start.record.weights_sha256]
    parts += [] if world.size() == 1 else [world.size()]
    return Prepared(entry, folder, manifest, start, recipe, dataset, tokenizer, tokens, content_hash(parts))


def _train(context: JobContext, params: TrainParams) -> Adapter:
    settings = context.settings
    context.progress(0, 0, "Loading the model and the dataset.")
    ready = prepare(settings, params)
    tokens, start = ready.tokens, ready.start
    if context.should_stop():
        raise StoppedError("Stopped before the first step.")
    dropped = tokens.too_long + tokens.untrained
    note = f" ({dropped} rows left out)" if dropped else ""
    done = finished_steps(context.folder, ready.run)
    steps = optimizer_steps(len(tokens.rows), ready.recipe)
    context.progress(done, steps, f"Training on {len(tokens.rows)} rows{note}.")

    def report(numbers: dict[str, float]) -> None:
        context.metric(**numbers)
        context.progress(int(numbers["step"]), int(numbers["steps"]), f"Loss {numbers['loss']:.3f}{note}.")

    trained = train(
        tokens.rows,
        ready.folder,
        ready.tokenizer,
        ready.recipe,
        context.folder,
        run=ready.run,
        should_stop=context.should_stop,
        report=report,
        say=lambda said: context.progress(done, steps, said),
        start=start.folder if start else None,
    )
    _require_free(settings, params.name)
    return _publish(settings, params, ready, trained, context.job.id)


def _publish(settings: Settings, params: TrainParams, ready: Prepared, trained: Trained, job: str) -> Adapter:
    return publish(
        settings,
        trained,
        name=params.name,
        base=ready.entry,
        manifest=ready.manifest,
        dataset=ready.dataset,
        recipe=ready.recipe,
        tokenizer=ready.tokenizer,
        job=job,
        start=ready.start.record if ready.start else None,
    )


def keep(settings: Settings, job_id: str) -> Adapter:
    """Publish what a stopped training had learnt at its newest checkpoint. Resumed, the job then ends with that adapter.

    Raises:
        NotFoundError: there is no such job.
        InvalidInputError: it is no training, is at work, has published already, or its name was taken.
        TrainingError: it saved no checkpoint that can be used.
    """
    reading = read_job_folder(settings, job_id)
    if reading.job.kind != "train" or reading.status.state in ACTIVE:
        what = (
            "is at work: stop it first"
            if reading.job.kind == "train"
            else f"is no training but of kind {reading.job.kind!r}"
        )
        raise InvalidInputError(f"Job {job_id} {what}.")
    if (adapter := published_by(settings, job_id)) is not None:
        raise InvalidInputError(f"Job {job_id} has published the adapter {adapter.name!r} already.")
    params = _asked(reading.job.params)
    _require_free(settings, params.name)
    ready = prepare(settings, params)
    trained = kept(settings.jobs / job_id, ready.run)
    planned = optimizer_steps(len(ready.tokens.rows), ready.recipe)
    adapter = _publish(
        settings, params, ready, trained._replace(metrics=trained.metrics | {"steps_planned": planned}), job_id
    )
    _record(settings, adapter)
    return adapter


def help_train(settings: Settings, params: TrainParams) -> None:
    """Take part in a training that another process leads.

    Raises:
        StoppedError: the leader was told to stop.
        LamsimError: as ``run``.
    """
    ready = prepare(settings, params)
    train(
        ready.tokens.rows,
        ready.folder,
        ready.tokenizer,
        ready.recipe,
        Path(),  # the leader's
        run=ready.run,
        should_stop=lambda: False,
        report=lambda _: None,
        start=ready.start.folder if ready.start else None,
    )


def _record(settings: Settings, adapter: Adapter) -> None:
    """Append the adapter to the journal. Again after a resume: the index keeps one of equal records."""
    from lamsim_core.store import Store

    store = Store(settings)
    try:
        store.add(adapter)
    finally:
        store.close()
