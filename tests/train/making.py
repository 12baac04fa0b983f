"""Datasets to train on, frozen by hand from attempts of the reference solution."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamsim_core.canonical import canonical_json, new_id
from lamsim_core.curate.card import card
from lamsim_core.curate.folder import CARD, RECORD, ROWS, rows_digest
from lamsim_core.models.loading import load_tokenizer, model_folder
from lamsim_core.models.registry import get_model
from lamsim_core.records import Adapter, Dataset, DatasetKind, Recipe, Selection, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.tasks import plan_tasks
from lamsim_core.train.adapters import publish
from lamsim_core.train.rows import to_row
from lamsim_core.train.running import Trained
from tests.curate.attempts import attempt

QUICK = Recipe(
    epochs=2,
    learning_rate=1e-2,
    batch_size=2,
    gradient_accumulation=1,
    lora_rank=4,
    lora_alpha=8,
    precision="fp32",
    max_length=4096,
    save_steps=2,
)
"""A recipe the tiny model finishes in a second: four rows twice are four steps."""


def gold(count: int) -> list[Trajectory]:
    """Attempts of the reference solution at different tasks."""
    return [attempt(task) for task in plan_tasks("train", count)]


def pair_rows(count: int) -> list[dict[str, Any]]:
    """Preferences: the reference solution's first reply against a call that is no call, or a refusal. Kept short."""
    rows = []
    for number, trajectory in enumerate(gold(count)):
        row = to_row(trajectory)
        first = next(place for place, message in enumerate(row["messages"]) if message["role"] == "assistant")
        worse = '<tool_call>\n{"name": "oops", \n</tool_call>' if number % 2 else "I cannot do that, sorry."
        rows.append(
            {
                "prompt": [{"role": "system", "content": "Act."}, *row["messages"][1:first]],
                "chosen": [row["messages"][first]],
                "rejected": [{"role": "assistant", "content": worse}],
                "tools": row["tools"][:1],
                "template": row["template"],
                "category": row["category"],
            }
        )
    return rows


def label_rows(count: int) -> list[dict[str, Any]]:
    """Labelled answers: of each preference one side, right and wrong in turn."""
    return [
        {
            "prompt": row["prompt"],
            "completion": row["rejected" if number % 2 else "chosen"],
            "label": number % 2 == 0,
            "tools": row["tools"],
            "template": row["template"],
            "category": row["category"],
        }
        for number, row in enumerate(pair_rows(count))
    ]


def freeze_rows(settings: Settings, rows: Sequence[dict[str, Any]], kind: DatasetKind = "sft") -> Dataset:
    """Write rows as a frozen dataset, without a store."""
    lines = "".join(canonical_json(row) + "\n" for row in rows).encode()
    digest = rows_digest()
    digest.update(lines)
    dataset = Dataset(
        id=new_id("ds"),
        name="test",
        created="2026-01-01T00:00:00+00:00",
        kind=kind,
        selection=Selection(),
        members=tuple(row.get("trajectory", f"trj_{number}") for number, row in enumerate(rows)),
        rows=len(rows),
        counts={"category": {"calendar": len(rows)}},
        hash=digest.hexdigest(),
    )
    folder: Path = settings.datasets / dataset.id
    folder.mkdir(parents=True)
    (folder / ROWS).write_bytes(lines)
    (folder / CARD).write_text(card(dataset), encoding="utf-8")
    (folder / RECORD).write_text(canonical_json(dataset.model_dump(mode="json")), encoding="utf-8")
    return dataset


def gold_dataset(settings: Settings, count: int = 4) -> Dataset:
    """A frozen dataset of so many attempts."""
    return freeze_rows(settings, [to_row(trajectory) for trajectory in gold(count)])


def train_params(dataset: Dataset, name: str = "mine", recipe: Recipe = QUICK, **more: Any) -> dict[str, Any]:
    """Parameters of a training job."""
    return {"dataset": dataset.id, "model": "tiny", "name": name, "recipe": recipe.model_dump(mode="json"), **more}


def untrained_adapter(settings: Settings, work: Path, name: str = "mine", recipe: Recipe = QUICK) -> Adapter:
    """A published adapter of the tiny model with weights drawn at random: whole in every other way, and made at once.

    Args:
        settings: where the tiny model lies.
        work: an empty folder to write its weights into first.
        name: what it is called.
        recipe: what it says of how it was trained.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    entry = get_model(settings, "tiny")
    folder, manifest = model_folder(settings, entry)
    torch.manual_seed(1)
    lora = LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        target_modules="all-linear",
        init_lora_weights=False,
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(folder), lora)
    for place, tensor in model.named_parameters():
        if "lora_" in place:
            tensor.data.normal_(std=0.1)
    model.save_pretrained(work)
    return publish(
        settings,
        Trained(work, {"loss_first": 2.5, "loss": 0.5}),
        name=name,
        base=entry,
        manifest=manifest,
        dataset=freeze_rows(settings, [{"trajectory": "trj_1"}]),
        recipe=recipe,
        tokenizer=load_tokenizer(settings, entry, folder),
        job=new_id("job"),
    )
