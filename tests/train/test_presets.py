"""Presets, methods and starts: what is chosen for whom, and what is refused with a way out."""

from typing import Any

import pytest

from lamsim_core.errors import InvalidInputError, LamsimError
from lamsim_core.jobs.runner import run_inline
from lamsim_core.models.registry import adapter_folder
from lamsim_core.records import Adapter, Recipe
from lamsim_core.settings import Settings
from lamsim_core.train.methods import METHODS, method_for, require_fit
from lamsim_core.train.preflight import preflight
from lamsim_core.train.presets import PRESETS, recipe_for
from tests.models.test_registry import make_adapter
from tests.train.making import QUICK, freeze_rows, gold_dataset, label_rows, pair_rows, train_params

GENTLE = QUICK.model_copy(update={"method": "dpo", "learning_rate": 1e-3})


def test_every_preset_has_a_recipe_for_every_method() -> None:
    for preset in PRESETS.values():
        for method in METHODS:
            recipe = preset.recipes[method]
            assert recipe.method == method and recipe.precision == "nf4"
            assert (recipe.learning_rate < 1e-4) == (method != "sft")
            assert method != "kto" or recipe.batch_size > 1
    assert recipe_for("sft") == Recipe(epochs=3)
    assert recipe_for("dpo", "gpu", beta=0.5, seed=None).beta == 0.5
    with pytest.raises(InvalidInputError, match="quick, standard, gpu, gpu-large"):
        recipe_for("sft", "huge")


def test_an_adapter_to_start_from_gives_its_shape() -> None:
    start = make_adapter().model_copy(update={"recipe": QUICK})
    recipe = recipe_for("kto", start=start)
    assert (recipe.lora_rank, recipe.lora_alpha, recipe.precision) == (4, 8, "fp32")
    assert recipe.learning_rate == PRESETS["standard"].recipes["kto"].learning_rate
    assert recipe_for("kto", start=start, precision="bf16").precision == "bf16"


def test_a_dataset_of_another_kind_is_refused_with_the_method_it_is_for(tiny: Settings) -> None:
    attempts, pairs = gold_dataset(tiny, 1), freeze_rows(tiny, pair_rows(2), "preference")
    assert method_for(pairs.kind) == "dpo"
    with pytest.raises(InvalidInputError, match=r"DPO learns from pairs .* method sft"):
        require_fit(attempts, GENTLE)
    with pytest.raises(InvalidInputError, match=r"SFT learns from whole attempts .* method dpo"):
        preflight(tiny, pairs.id, "tiny", QUICK)
    labels = freeze_rows(tiny, label_rows(2), "labels")
    with pytest.raises(InvalidInputError, match="at least 2 rows at once"):
        require_fit(labels, GENTLE.model_copy(update={"method": "kto", "batch_size": 1}))


def test_pairs_and_labels_are_counted_before_training(tiny: Settings) -> None:
    rows = pair_rows(4)
    rows[0]["rejected"] = rows[0]["chosen"]
    pairs, labels = freeze_rows(tiny, rows, "preference"), freeze_rows(tiny, label_rows(4), "labels")
    found = preflight(tiny, pairs.id, "tiny", GENTLE)
    assert (found.rows, found.kept, found.dropped_untrained, found.steps) == (4, 3, 1, 3)
    assert 0 < found.trained_tokens < found.tokens / 4
    sft = preflight(tiny, gold_dataset(tiny, 4).id, "tiny", QUICK)
    assert found.minutes > 0 and found.memory_mb > 0 and found.longest < sft.longest
    as_labels = GENTLE.model_copy(update={"method": "kto"})
    assert preflight(tiny, labels.id, "tiny", as_labels).kept == 4
    none = preflight(tiny, pairs.id, "tiny", GENTLE.model_copy(update={"max_length": 10}))
    assert (none.kept, none.trained_tokens, none.minutes) == (0, 0, 0.0)


def published(settings: Settings, result: dict[str, Any]) -> tuple[Adapter, str]:
    folder = adapter_folder(settings, result["adapter"])
    record = Adapter.model_validate_json((folder / "adapter.json").read_bytes())
    return record, (folder / "README.md").read_text(encoding="utf-8")


def test_sft_then_dpo_then_kto_is_a_chain_that_the_records_tell(tiny: Settings) -> None:
    first = run_inline(tiny, "train", train_params(gold_dataset(tiny), "one"))
    pairs, labels = freeze_rows(tiny, pair_rows(4), "preference"), freeze_rows(tiny, label_rows(4), "labels")
    asked = GENTLE.model_copy(update={"lora_rank": 64, "lora_alpha": 1})
    said: list[str] = []
    second = run_inline(
        tiny, "train", train_params(pairs, "two", asked, from_adapter="one"), lambda *told: said.append(told[2])
    )
    as_labels = GENTLE.model_copy(update={"method": "kto"})
    third = run_inline(tiny, "train", train_params(labels, "three", as_labels, from_adapter=second["adapter"]))
    (one, card_one), (two, card_two), (three, card_three) = (published(tiny, made) for made in (first, second, third))
    assert (one.start, two.start, three.start) == (None, one.id, two.id)
    assert (two.recipe.lora_rank, two.recipe.lora_alpha) == (QUICK.lora_rank, QUICK.lora_alpha)
    assert {"accuracy", "margin", "loss"} <= set(two.metrics) and "accuracy" in three.metrics
    assert "| Method | SFT," in card_one and "| Starts from | the base model |" in card_one
    assert "| Method | DPO," in card_two and f"the adapter one ({one.id}" in card_two and "beta 0.1" in card_two
    assert "| Method | KTO," in card_three and "4 labelled answers" in card_three
    assert any("Asking the model it starts from" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"from_adapter": "nothing"}, "no adapter named"),
        ({"recipe": {"method": "sft"}}, "method dpo"),
        ({"recipe": {"method": "dpo", "beta": 0}}, r"recipe\.beta"),
        ({"recipe": {"method": "dpo", "max_length": 10}}, "Nothing is left to train on"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(tiny: Settings, change: dict[str, Any], message: str) -> None:
    pairs = freeze_rows(tiny, pair_rows(2), "preference")
    with pytest.raises(LamsimError, match=message):
        run_inline(tiny, "train", {**train_params(pairs, recipe=GENTLE), **change})
