"""Supervised fine-tuning of a LoRA adapter with TRL: the loss is on what the assistant itself writes, nothing else."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lamsim_core.models.loading import quiet, use_own_cores
from lamsim_core.records import Recipe
from lamsim_core.train import as_given, together
from lamsim_core.train.callbacks import Report, make_callback
from lamsim_core.train.order import order
from lamsim_core.train.rows import TokenRow
from lamsim_core.train.running import Trained, assemble, run_to_end


def train(
    rows: Sequence[TokenRow],
    base: Path,
    tokenizer: Any,
    recipe: Recipe,
    work: Path,
    *,
    run: str,
    should_stop: Callable[[], bool],
    report: Report,
    start: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train an adapter, going on from the newest sound checkpoint in ``work`` when there is one.

    Args:
        rows: tokenized rows, none longer than the recipe allows.
        base: folder with the base model's safetensors.
        tokenizer: its tokenizer.
        recipe: how to train.
        work: folder for checkpoints and the finished adapter; only this run writes to it.
        run: names what is trained from what and how; checkpoints of another run are not resumed.
        should_stop: asked at every step.
        report: told the numbers of each step.
        start: folder of the adapter whose weights are the start; a new one without it.
        say: told in words what comes before the first step; here nothing does.

    Raises:
        StoppedError: a stop was asked for; a checkpoint was saved.
        TrainingError: the loss is not a number any more.
    """
    from datasets import Dataset
    from trl import SFTConfig

    quiet()
    use_own_cores()
    chosen = order([row.cost for row in rows], recipe, together.families(rows))
    held, common = assemble(rows, base, recipe, work, start)
    trainer = (together if recipe.through_prompt else as_given).trainer_class()(
        **held,
        args=SFTConfig(**common, dataset_kwargs={"skip_prepare_dataset": True}),
        train_dataset=Dataset.from_dict(
            {"input_ids": [rows[i].input_ids for i in chosen], "labels": [rows[i].labels for i in chosen]}
        ),
        processing_class=tokenizer,
        callbacks=[make_callback(run, recipe.epochs, should_stop, report)],
    )
    return run_to_end(trainer, work, run, should_stop)
