"""Training as a job: prepare, train, publish; a resumed job goes on from its newest sound checkpoint."""

from typing import Annotated, Any

from pydantic import Field, ValidationError

from lamsim_core.canonical import content_hash
from lamsim_core.curate.datasets import get_dataset, load_rows
from lamsim_core.errors import InvalidInputError, StoppedError, TrainingError
from lamsim_core.jobs.context import JobContext
from lamsim_core.models.listing import NAME_PATTERN
from lamsim_core.models.loading import load_tokenizer, model_folder
from lamsim_core.models.registry import list_models
from lamsim_core.records import Adapter, Recipe, Record
from lamsim_core.settings import Settings
from lamsim_core.train.adapters import publish, published_by
from lamsim_core.train.doctor import require_sound
from lamsim_core.train.preflight import trainable
from lamsim_core.train.rows import tokenize_rows
from lamsim_core.train.sft import finished_steps, optimizer_steps, train


class TrainParams(Record):
    """What a training job is asked to do."""

    dataset: str
    """Id of a frozen dataset."""
    model: str
    """Name of the base model."""
    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """What the adapter will be called."""
    recipe: Recipe = Recipe()


def run(context: JobContext) -> dict[str, Any]:
    """Train and publish an adapter. Parameters: see ``TrainParams``. Returns the adapter's id, name and metrics.

    Raises:
        InvalidInputError: the parameters, the dataset or the model cannot be used.
        StoppedError: a stop was asked for; what was learnt is saved.
        TrainingError: there is nothing to train on, or training failed.
    """
    try:
        params = TrainParams.model_validate(context.params)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInputError(f"Training: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    adapter = published_by(context.settings, context.job.id)
    if adapter is None:
        _require_free(context.settings, params.name)
        context.progress(0, 0, "Waiting for the model.")
        with context.lease():
            adapter = _train(context, params)
    _record(context.settings, adapter)
    return {"adapter": adapter.id, "name": adapter.name, "metrics": adapter.metrics}


def _require_free(settings: Settings, name: str) -> None:
    if name in {entry.name for entry in list_models(settings, hidden=True)}:
        raise InvalidInputError(f"There already is a model named {name!r}. Choose another name for the adapter.")


def _train(context: JobContext, params: TrainParams) -> Adapter:
    settings, recipe = context.settings, params.recipe
    context.progress(0, 0, "Loading the model and the dataset.")
    entry = trainable(settings, params.model)
    folder, manifest = model_folder(settings, entry)
    tokenizer = load_tokenizer(settings, entry, folder)
    require_sound(tokenizer)
    dataset = get_dataset(settings, params.dataset)
    tokens = tokenize_rows(tokenizer, load_rows(settings, params.dataset), recipe.max_length)
    if not tokens.rows:
        raise TrainingError(
            f"Nothing is left to train on: {tokens.too_long} rows are longer than {recipe.max_length} tokens and in"
            f" {tokens.untrained} nothing would be trained. Choose another dataset or a larger maximum length."
        )
    if context.should_stop():
        raise StoppedError("Stopped before the first step.")
    dropped = tokens.too_long + tokens.untrained
    note = f" ({dropped} rows left out)" if dropped else ""
    run_hash = content_hash([dataset.hash, manifest.weights, recipe.model_dump(mode="json")])
    done = finished_steps(context.folder, run_hash)
    context.progress(done, optimizer_steps(len(tokens.rows), recipe), f"Training on {len(tokens.rows)} rows{note}.")

    def report(numbers: dict[str, float]) -> None:
        context.metric(**numbers)
        context.progress(int(numbers["step"]), int(numbers["steps"]), f"Loss {numbers['loss']:.3f}{note}.")

    trained = train(
        tokens.rows,
        folder,
        tokenizer,
        recipe,
        context.folder,
        run=run_hash,
        should_stop=context.should_stop,
        report=report,
    )
    _require_free(settings, params.name)
    return publish(
        settings,
        trained,
        name=params.name,
        base=entry,
        manifest=manifest,
        dataset=dataset,
        recipe=recipe,
        tokenizer=tokenizer,
        job=context.job.id,
    )


def _record(settings: Settings, adapter: Adapter) -> None:
    """Append the adapter to the journal. Again after a resume: the index keeps one of equal records."""
    from lamsim_core.store import Store

    store = Store(settings)
    try:
        store.add(adapter)
    finally:
        store.close()
