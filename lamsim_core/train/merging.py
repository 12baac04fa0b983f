"""Base and adapter as one model of its own: a folder of safetensors that any program reads, without PEFT.

What is merged is what acts. An adapter that was trained on a base in 4 bits makes up for the rounding of that very base, so it
is added to the base's values as they are in 4 bits, and not to the unrounded ones. After writing, the folder is read again and
asked the same as the adapter was before.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from lamsim_core.errors import InvalidInputError, ModelError, StoppedError
from lamsim_core.files import publish_folder
from lamsim_core.models.folder import write_manifest
from lamsim_core.models.loading import (
    check_adapter,
    load_tokenizer,
    load_weights,
    model_folder,
    read_base,
    use_own_cores,
    widen_nf4,
)
from lamsim_core.models.local import release_memory
from lamsim_core.models.registry import find_adapter, get_model
from lamsim_core.records import Adapter, Record
from lamsim_core.settings import Settings
from lamsim_core.train.shipping import MODEL_CARD, PROVENANCE

Precision = Literal["bf16", "fp32"]
"""How the merged weights are written."""
STAGES = ("Asking the adapter.", "Adding the adapter.", "Writing.", "Reading it back.")

_ASKED = (
    "Move my meeting with Ana to Friday at ten, and tell me what else is on that day. Then cancel the call on Monday."
)
"""Something both are asked, token by token."""
_LEAST_SAME = 0.5
"""What is less alike was not merged rightly: rounding alone moves a few places."""


class Merged(Record):
    """A merged model and how near it is to the adapter it was made of."""

    folder: str
    bytes: int
    weights: str
    """Hash of the tensors, as in manifests."""
    same: float
    """Part of the places of a text at which both find the same next token likeliest."""
    farthest: float
    """The largest difference between the chances they give any token there."""


def merge(
    settings: Settings,
    name: str,
    target: Path,
    precision: Precision = "bf16",
    *,
    report: Callable[[int, str], None] = lambda done, message: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Merged:
    """Write base and adapter as one model into ``target``, whole or not at all; what is there is replaced.

    Args:
        settings: where models are.
        name: the adapter.
        target: the folder to write.
        precision: of the weights written.
        report: told how many stages are done, and what comes now.
        should_stop: asked between stages.

    Raises:
        NotFoundError: there is no such adapter, or its base is not in the registry.
        ModelError: they cannot be loaded, or the folder that was written does not read back.
        InvalidInputError: the folder cannot be written.
        StoppedError: a stop was asked for; nothing is left of it.
    """
    import torch

    def stage(number: int) -> None:
        if should_stop():
            raise StoppedError("Stopped before anything was written.")
        report(number, STAGES[number])

    stage(0)
    use_own_cores()
    place, adapter = find_adapter(settings, name)
    entry = get_model(settings, adapter.base)
    base, manifest = model_folder(settings, entry)
    check_adapter(place, manifest)
    tokenizer = load_tokenizer(settings, entry, base)
    held: Literal["nf4", "fp32"] = "nf4" if adapter.recipe.precision == "nf4" else "fp32"
    asked = tokenizer(_ASKED, return_tensors="pt").input_ids
    before = _chances(load_weights(base, held, place, held)[0], asked)
    release_memory()
    stage(1)
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    # Loaded again: to have been asked changes how weights in 4 bits are packed.
    state, config = _merged(load_weights(base, held, place, held)[0], held, dtype)
    stage(2)
    draft = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        _write(draft, state, config, dtype)
        del state
        release_memory()
        tokenizer.save_pretrained(draft)
        (draft / MODEL_CARD).write_text(_card(adapter, entry.licence, precision), encoding="utf-8")
        (draft / PROVENANCE).write_text(_provenance(adapter, precision), encoding="utf-8")
        stage(3)
        after = _chances(read_base(draft, dtype), asked)
        same = float((before.argmax(-1) == after.argmax(-1)).float().mean())
        if same < _LEAST_SAME:
            raise ModelError(
                f"What was written does not act as {adapter.name} does ({same:.0%} alike); nothing is kept of it."
            )
        written = write_manifest(draft, source=f"{adapter.base} with the adapter {adapter.name} merged into it")
        publish_folder(draft, target)
    except OSError as error:
        raise InvalidInputError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Merged(
        folder=str(target),
        bytes=sum(file.size for file in written.files.values()),
        weights=written.weights,
        same=same,
        farthest=float((before - after).abs().max()),
    )


def _merged(model: Any, held: str, dtype: Any) -> tuple[dict[str, Any], Any]:
    """The tensors of a model with its adapter added, and its configuration."""
    if held == "nf4":
        model = widen_nf4(model, dtype)
    elif hasattr(model, "peft_config"):
        model = model.merge_and_unload()
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    return {name: tensor.to("cpu", dtype) for name, tensor in model.state_dict().items()}, config


def _write(folder: Path, state: dict[str, Any], config: Any, dtype: Any) -> None:
    """Write tensors as a model of its own: what was loaded in 4 bits would say so of itself."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    model.save_pretrained(folder)


def _chances(model: Any, asked: Any) -> Any:
    """The chance of every token at every place of a text.

    Raises:
        ModelError: the model gives numbers that are none.
    """
    import torch

    with torch.inference_mode():
        numbers = model.eval()(asked.to(model.device)).logits[0].float().cpu()
    if not bool(torch.isfinite(numbers).all()):
        raise ModelError("The model gives numbers that are none (NaN); its weights are damaged.")
    return numbers.softmax(-1)


def _provenance(adapter: Adapter, precision: Precision) -> str:
    from lamsim_core import __version__

    made = {"lamsim": __version__, "adapter": adapter.model_dump(mode="json"), "weights_in": precision}
    return json.dumps(made, indent=2, sort_keys=True) + "\n"


def _card(adapter: Adapter, licence: str, precision: Precision) -> str:
    values = (
        "its values in 4 bits (nf4), on which the adapter was trained"
        if adapter.recipe.precision == "nf4"
        else "its weights"
    )
    return f"""---
license: {licence.split()[0].lower()}
tags: [tool-calling, lam-simulator]
---
# {adapter.name}, merged

{adapter.base} with the adapter {adapter.name} added to {values}. Written in {precision} by LAM Simulator.

| | |
| --- | --- |
| Base model | {adapter.base}, weights {adapter.base_hash} |
| Adapter | {adapter.id}, sha256 of its weights {adapter.weights_sha256} |
| Dataset | {adapter.dataset}, hash {adapter.dataset_hash} |
| Licence | that of the base model: {licence} |
"""
