"""Publishing an adapter: whole or not at all.

Everything is written into a draft folder that nobody looks into; ``adapter.json`` is written last; one rename makes the
adapter visible. A kill at any moment leaves a draft, which the next publication removes, or the finished adapter.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from lamsim_core.canonical import canonical_json, new_id, now
from lamsim_core.errors import TrainingError
from lamsim_core.models.folder import Manifest, file_sha256
from lamsim_core.models.loading import ADAPTER_WEIGHTS
from lamsim_core.models.registry import ADAPTER_RECORD, ModelEntry, adapter_folders
from lamsim_core.records import Adapter, Dataset, Method, Recipe
from lamsim_core.settings import Settings
from lamsim_core.train.methods import METHODS
from lamsim_core.train.running import Trained

DRAFT_PREFIX = ".partial-"
"""Beginning of the names of folders that are not published."""

_CONFIG = "adapter_config.json"

_LEARNT_FROM: dict[Method, str] = {
    "sft": "attempts whose every check passed",
    "dpo": "pairs of answers of which checks tell the better one",
    "kto": "answers that checks found right or wrong",
}
_ROWS: dict[Method, str] = {"sft": "attempts", "dpo": "pairs", "kto": "labelled answers"}


def published_by(settings: Settings, job: str) -> Adapter | None:
    """The adapter that a job has published, or None."""
    return next((record for _, record in adapter_folders(settings) if record.job == job), None)


def publish(
    settings: Settings,
    trained: Trained,
    *,
    name: str,
    base: ModelEntry,
    manifest: Manifest,
    dataset: Dataset,
    recipe: Recipe,
    tokenizer: Any,
    job: str,
    start: Adapter | None = None,
) -> Adapter:
    """Make a trained adapter visible under ``name``.

    Raises:
        TrainingError: it could not be written; nothing of it is visible.
    """
    settings.adapters.mkdir(parents=True, exist_ok=True)
    draft = settings.adapters / f"{DRAFT_PREFIX}{job}"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir()
        shutil.copyfile(trained.adapter / ADAPTER_WEIGHTS, draft / ADAPTER_WEIGHTS)
        config = json.loads((trained.adapter / _CONFIG).read_bytes())
        # PEFT writes the path of the base on this machine, which says nothing elsewhere.
        config["base_model_name_or_path"] = base.name
        (draft / _CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
        tokenizer.save_pretrained(draft)
        adapter = Adapter(
            id=new_id("adp"),
            name=name,
            created=now(),
            base=base.name,
            base_hash=manifest.weights,
            dataset=dataset.id,
            dataset_hash=dataset.hash,
            recipe=recipe,
            metrics={key: round(value, 6) for key, value in trained.metrics.items()},
            weights_sha256=file_sha256(draft / ADAPTER_WEIGHTS),
            job=job,
            start=start.id if start else None,
        )
        (draft / "provenance.json").write_text(
            json.dumps(_provenance(adapter, manifest, start), indent=2), encoding="utf-8"
        )
        (draft / "README.md").write_text(_card(adapter, base, dataset, start), encoding="utf-8")
        (draft / ADAPTER_RECORD).write_text(canonical_json(adapter.model_dump(mode="json")), encoding="utf-8")
        for path in draft.iterdir():
            _sync(path)
        _sync(draft)
        draft.rename(settings.adapters / adapter.id)
        _sync(settings.adapters)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise TrainingError(
            f"The adapter could not be written in {settings.adapters} ({error.strerror or error}); nothing of it is visible."
            " Make room on the disk and resume the job: what was trained is kept."
        ) from error
    return adapter


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _provenance(adapter: Adapter, manifest: Manifest, start: Adapter | None) -> dict[str, Any]:
    import peft
    import torch
    import transformers
    import trl

    from lamsim_core import __version__

    return {
        "adapter": adapter.model_dump(mode="json"),
        "base_source": manifest.source,
        **({} if start is None else {"start": start.model_dump(mode="json")}),
        "versions": {
            "lamsim": __version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "trl": trl.__version__,
            "peft": peft.__version__,
        },
    }


def _card(adapter: Adapter, base: ModelEntry, dataset: Dataset, start: Adapter | None) -> str:
    recipe, numbers = adapter.recipe, adapter.metrics
    way = METHODS[recipe.method]
    rows = "\n".join(f"| {key.replace('_', ' ')} | {value:g} |" for key, value in sorted(numbers.items()))
    categories = ", ".join(f"{name} ({count})" for name, count in sorted(dataset.counts.get("category", {}).items()))
    held = "" if recipe.method == "sft" else f", held to what it starts from by beta {recipe.beta:g}"
    begun = "the base model" if start is None else f"the adapter {start.name} ({start.id}, {start.weights_sha256})"
    return f"""---
library_name: peft
base_model: {base.name}
license: {base.licence.split()[0].lower()}
tags: [lora, {recipe.method}, tool-calling, lam-simulator]
---
# {adapter.name}

A LoRA adapter for {base.title} that calls tools, trained by LAM Simulator on {_LEARNT_FROM[recipe.method]}.

| | |
| --- | --- |
| Base model | {base.name} ({base.source}) |
| Hash of the base weights | {adapter.base_hash} |
| Licence | that of the base model: {base.licence} |
| Starts from | {begun} |
| Dataset | {dataset.rows} {_ROWS[recipe.method]}: {categories} |
| Dataset hash | {adapter.dataset_hash} |
| Method | {way.title}, {way.learns}{held} |
| LoRA | rank {recipe.lora_rank}, alpha {recipe.lora_alpha}, all linear layers |
| Learning rate | {recipe.learning_rate:g}, cosine |
| Passes, rows per step | {recipe.epochs:g}, {recipe.batch_size * recipe.gradient_accumulation} |
| Base weights held in | {recipe.precision} |
| Seed | {recipe.seed} |
| Trained | {adapter.created} |

## What training changed

| measure (of trained tokens) | value |
| --- | --- |
{rows}

These are training figures. How well it acts is measured on held-out tasks, on the Evaluate page.
"""
