"""How much of everything a turn of the flywheel takes: for two processor cores, for a GPU, and just enough to see it turn."""

from typing import Literal

from pydantic import Field

from lamsim_core.records import Recipe, Record

SizeName = Literal["smoke", "cpu", "gpu"]


class Size(Record):
    """The numbers of a turn."""

    demonstrations: int
    """Train tasks the reference solutions are played on."""
    per_template: int
    """Rows of one template at most."""
    rows: int
    """Rows of the first training at most."""
    spare_tools: int | None
    """Tools a row shows beside those it needs at most: every further one costs time. None for all."""
    share_tools: int | None
    """Rows of one world that show the same tools at most, which are read once for all of them. None for none."""
    sft: Recipe
    own_tasks: int
    """Other train tasks the trained model tries by itself."""
    own_attempts: int
    pairs: int
    """Pairs of one kind at most."""
    dpo: Recipe
    tasks: int
    """Held-out tasks of each split."""
    trials: int
    trial_tasks: int
    max_steps: int = 8
    max_new_tokens: int = 160
    batch: int = Field(default=16, ge=1)
    bfcl: tuple[str, ...] = ()
    bfcl_limit: int | None = None
    """Tasks of each category at most; None for all."""


SIZES: dict[SizeName, Size] = {
    "smoke": Size(
        demonstrations=24,
        per_template=2,
        rows=8,
        spare_tools=2,
        share_tools=None,
        sft=Recipe(max_optimizer_steps=2, batch_size=2, lora_rank=4, lora_alpha=8),
        own_tasks=6,
        own_attempts=2,
        pairs=8,
        dpo=Recipe(method="dpo", max_optimizer_steps=1, batch_size=1, learning_rate=5e-5),
        tasks=2,
        trials=2,
        trial_tasks=1,
        max_steps=2,
        max_new_tokens=16,
    ),
    "cpu": Size(
        demonstrations=1125,
        per_template=3,
        rows=1100,
        spare_tools=1,
        share_tools=8,
        sft=Recipe(gradient_accumulation=2, learning_rate=5e-4),
        own_tasks=60,
        own_attempts=4,
        pairs=60,
        dpo=Recipe(method="dpo", epochs=1, batch_size=2, gradient_accumulation=2, learning_rate=5e-5, max_length=2048),
        tasks=40,
        trials=4,
        trial_tasks=5,
        bfcl=("simple_python", "multiple", "parallel", "irrelevance"),
        bfcl_limit=40,
    ),
    "gpu": Size(
        demonstrations=28_300,
        per_template=60,
        rows=17_000,
        spare_tools=None,
        share_tools=None,
        sft=Recipe(epochs=2, batch_size=16, learning_rate=4e-4, max_length=4096),
        own_tasks=1500,
        own_attempts=8,
        pairs=3000,
        dpo=Recipe(method="dpo", epochs=1, batch_size=8, learning_rate=5e-5, max_length=4096),
        tasks=500,
        trials=4,
        trial_tasks=200,
        batch=64,
        bfcl=("non_live", "live"),
    ),
}
