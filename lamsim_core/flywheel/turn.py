"""What a turn of the flywheel does, stage by stage.

Nothing in it is chosen by what is held out: that is measured once, at the end.
"""

from collections.abc import Sequence
from typing import Any

from lamsim_core.curate.held_out_texts import HELD_OUT_SPLITS
from lamsim_core.flywheel.sizes import Size
from lamsim_core.flywheel.wheel import Stage, Wheel
from lamsim_core.records import Dataset, Recipe, Selection

MEASURED = "held-out tasks"
"""The stage that compares before and after."""
BFCL = "BFCL "
"""What the stages of the benchmark from outside begin with; then comes the model."""


def adapters_of(name: str) -> tuple[str, str]:
    """The names of the two adapters that a turn of this name makes."""
    return f"{name}-sft", f"{name}-dpo"


def effort(size: Size, name: str, before: Sequence[str]) -> dict[str, int]:
    """Every stage of a turn in order, with about how long it takes beside the others."""
    stages = {
        "demonstrations": 2,
        "rows": 1,
        "sft": 30,
        "own attempts": 10,
        "references": 1,
        "corrections": 1,
        "pairs": 1,
        "dpo": 10,
        MEASURED: 30,
    }
    return stages | ({f"{BFCL}{each}": 8 for each in (*before, *adapters_of(name))} if size.bfcl else {})


def turn(wheel: Wheel, size: Size, model: str, *, start: str | None = None, seed: int = 0) -> tuple[str, str]:
    """From demonstrations to an adapter that has learnt from its own mistakes; the adapters' names, the last trained last.

    Args:
        wheel: carries out the stages.
        size: how much of everything.
        model: the base.
        start: an adapter of it to go on from.
        seed: plans the tasks that are shown; the next one those that the model tries by itself.

    Raises:
        InvalidInputError: nothing is left to train on.
        StoppedError, JobError: a stage was stopped, or failed or died; turn again to go on.
    """
    limits = {"max_steps": size.max_steps, "max_new_tokens": size.max_new_tokens}
    shown = wheel.job(
        "demonstrations",
        "explore",
        {"model": "gold", "split": "train", "tasks": size.demonstrations, "seed": seed},
    )
    rows = wheel.dataset("rows", _rows(size, shown))
    first, second = adapters_of(wheel.name)
    wheel.job("sft", "train", _training(rows, model, first, size.sft, start))
    others = {"split": "train", "tasks": size.own_tasks, "seed": seed + 1}
    tried = wheel.job(
        "own attempts",
        "explore",
        {"model": first, "attempts": size.own_attempts, "temperature": 0.7, "batch": size.batch, **others, **limits},
    )
    beside = wheel.job("references", "explore", {"model": "gold", **others})
    further = wheel.job("corrections", "correct", {"runs": [str(tried.result["run"])]})
    pairs = wheel.dataset("pairs", _pairs(size, beside, tried, further), kind="preference")
    wheel.job("dpo", "train", _training(pairs, model, second, size.dpo, first))
    return first, second


def measure(wheel: Wheel, size: Size, before: Sequence[str], adapters: Sequence[str]) -> str:
    """Measure what there was before (base first) and the adapters on the held-out splits and on the benchmark from outside.

    Returns:
        Id of the evaluation.

    Raises:
        StoppedError, JobError: as ``turn``.
    """
    measured = wheel.job(
        MEASURED,
        "evaluate",
        {
            "models": ["noop", "random", "gold", *before, *adapters],
            "name": f"{wheel.name}: before and after",
            "splits": list(HELD_OUT_SPLITS),
            "tasks": size.tasks,
            "trials": size.trials,
            "trial_tasks": size.trial_tasks,
            "max_steps": size.max_steps,
            "max_new_tokens": size.max_new_tokens,
            "batch": size.batch,
        },
    )
    for each in (*before, *adapters) if size.bfcl else ():
        params = {"model": each, "categories": list(size.bfcl), "limit": size.bfcl_limit, "batch": size.batch}
        wheel.job(f"{BFCL}{each}", "bfcl", params)
    return str(measured.result["evaluation"])


def _rows(size: Size, shown: Stage) -> Selection:
    return Selection(
        runs=(str(shown.result["run"]),),
        alike=0.9,
        keep="seeded",
        spare_tools=size.spare_tools,
        share_tools=size.share_tools,
        max_per_template=size.per_template,
        rows=size.rows,
        decontaminate=HELD_OUT_SPLITS,
    )


def _pairs(size: Size, *explored: Stage) -> Selection:
    return Selection(
        runs=tuple(str(stage.result["run"]) for stage in explored),
        passed_only=False,
        max_errors=None,
        max_per_pair_kind=size.pairs,
        decontaminate=HELD_OUT_SPLITS,
    )


def _training(rows: Dataset, model: str, name: str, recipe: Recipe, start: str | None) -> dict[str, Any]:
    given = {"dataset": rows.id, "model": model, "name": name, "recipe": recipe.model_dump(mode="json")}
    return given if start is None else {**given, "from_adapter": start}
