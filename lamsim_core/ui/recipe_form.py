"""How to train: a preset, and behind it every number of the recipe."""

import shutil
from typing import Any

import streamlit as st

from lamsim_core.records import Adapter, Method, Recipe
from lamsim_core.train.presets import PRESETS, PresetName, recipe_for

PRECISIONS = {"bf16": "bf16", "fp32": "fp32", "nf4": "nf4 (QLoRA)"}
BETA_HELP = (
    "How strongly the adapter is held to what it starts from. Smaller lets it move further and forget more; "
    "0.1 is usual, 0.05 to 0.5 is sensible."
)


def pick_recipe(method: Method, start: Adapter | None) -> Recipe:
    """A preset for the method, every part of which can be changed."""
    usual: PresetName = "gpu" if shutil.which("nvidia-smi") else "standard"
    preset = st.segmented_control(
        "Preset",
        list(PRESETS),
        default=usual,
        required=True,
        format_func=lambda name: PRESETS[name].title,
        key="train_preset",
        help=" ".join(f"**{each.title}**: {each.purpose}" for each in PRESETS.values()),
        width="stretch",
    )
    recipe = recipe_for(method, preset or usual, start)
    key = f"{method}.{preset}" + (f".{start.id}" if start else "")
    with st.expander("Advanced", icon=":material/tune:", type="compact"):
        return _advanced(recipe, key, start)


def _advanced(recipe: Recipe, key: str, start: Adapter | None) -> Recipe:
    """Every number of a recipe; keys carry what it is for, so that another preset brings its own numbers."""
    sft = recipe.method == "sft"
    left, right = st.columns(2)
    given: dict[str, Any] = {
        "epochs": left.number_input("Times through the data", 0.1, 100.0, recipe.epochs, 0.5, key=f"epochs.{key}"),
        "learning_rate": left.number_input(
            "Learning rate", 1e-7, 1e-1, recipe.learning_rate, 1e-5, format="%.1e", key=f"rate.{key}"
        ),
        "batch_size": left.number_input(
            "Rows at once", 1 if recipe.method != "kto" else 2, 256, recipe.batch_size, key=f"batch.{key}"
        ),
        "seed": right.number_input("Seed", 0, 2**31 - 1, recipe.seed, key=f"seed.{key}"),
        "gradient_accumulation": right.number_input(
            "Batches per step", 1, 256, recipe.gradient_accumulation, key=f"accumulate.{key}"
        ),
        "max_length": right.number_input(
            "Longest row",
            128,
            32_768,
            recipe.max_length,
            128,
            key=f"length.{key}",
            help="Tokens. Longer rows are dropped and counted, never cut.",
        ),
        "save_steps": right.number_input(
            "Save every", 1, 100_000, recipe.save_steps, key=f"save.{key}", help="Steps. A run goes on from there."
        ),
        "precision": left.selectbox(
            "Base weights in",
            list(PRECISIONS),
            index=list(PRECISIONS).index(recipe.precision),
            format_func=lambda name: PRECISIONS[name],
            key=f"precision.{key}",
        ),
    }
    if not sft:
        given["beta"] = left.number_input("Beta", 0.01, 10.0, recipe.beta, 0.05, key=f"beta.{key}", help=BETA_HELP)
    if start is None:
        given["lora_rank"] = left.number_input("LoRA rank", 1, 512, recipe.lora_rank, key=f"rank.{key}")
        given["lora_alpha"] = right.number_input("LoRA alpha", 1, 1024, recipe.lora_alpha, key=f"alpha.{key}")
    if sft:
        given["lora_dropout"] = left.number_input(
            "LoRA dropout", 0.0, 0.9, recipe.lora_dropout, 0.05, key=f"dropout.{key}"
        )
    steps = right.number_input(
        "Steps at most", 1, 1_000_000, recipe.max_optimizer_steps, key=f"steps.{key}", placeholder="No limit"
    )
    given["through_prompt"] = st.checkbox(
        "Learn through the prompt",
        recipe.through_prompt,
        key=f"prompt.{key}",
        help="Whether gradients go through tools and request, too. Without, a step takes about half the time.",
    )
    if start is not None:
        st.caption(f"Rank {recipe.lora_rank} and alpha {recipe.lora_alpha} are those of the adapter it starts from.")
    known = {name: value for name, value in given.items() if value is not None}
    return Recipe.model_validate({**recipe.model_dump(), **known, "max_optimizer_steps": steps})
