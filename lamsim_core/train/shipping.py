"""Making a trained adapter part of the product: its folder in data/models, small and complete.

A shipped adapter holds its weights in 16 bits, its record, where it comes from, its model card and the card of its dataset.
It has no tokenizer: that of its base is the one it was trained with.
"""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lamsim_core.canonical import canonical_json, new_id
from lamsim_core.curate.folder import CARD, dataset_folder
from lamsim_core.errors import InvalidInputError, ModelError
from lamsim_core.files import publish_folder
from lamsim_core.models.folder import file_sha256, refuse_unsafe
from lamsim_core.models.listing import NAME_PATTERN
from lamsim_core.models.loading import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from lamsim_core.models.registry import (
    ADAPTER_RECORD,
    find_adapter,
    is_shipped,
    list_models,
    shipped_folder,
    shipped_models,
)
from lamsim_core.records import Adapter
from lamsim_core.settings import Settings
from lamsim_core.train.measured import Measured

MODEL_CARD, DATASET_CARD, PROVENANCE = "README.md", "DATASET.md", "provenance.json"
FILES = frozenset({ADAPTER_RECORD, ADAPTER_CONFIG, ADAPTER_WEIGHTS, MODEL_CARD, DATASET_CARD, PROVENANCE})
"""What the folder of a shipped adapter holds, no less and no more."""
LARGEST = 25_000_000
"""Bytes that its weights may take."""
SECTIONS = ("## What training changed", "## How well it acts", "## Data", "## Use and limits")
"""What its model card has to say."""

_OF_A_MACHINE = re.compile(r"/(?:home|root|tmp|work|mnt|Users)/")


def ship(
    settings: Settings,
    name: str,
    new_name: str,
    results: Sequence[Measured] = (),
    *,
    remarks: str = "",
    replace: bool = False,
) -> tuple[Path, Adapter]:
    """Write a trained adapter into data/models under another name, whole or not at all.

    The same weights shipped again keep their id, so that what was measured of the shipped one can enter its card.

    Args:
        settings: where it lies and where it goes.
        name: the trained adapter.
        new_name: what it is called in the product.
        results: what it was measured at, for its card.
        remarks: what else is to be said there of how it acts, as Markdown: other benchmarks, what it does badly.
        replace: whether one of that name may be replaced.

    Returns:
        Its new folder and record.

    Raises:
        NotFoundError: there is no such adapter, or its dataset is not here.
        InvalidInputError: it cannot be shipped; says why.
        ModelError: its weights are not those that were published.
    """
    source, trained = find_adapter(settings, name)
    if not re.match(NAME_PATTERN, new_name):
        raise InvalidInputError(
            f"{new_name[:100]!r} is no name for an adapter: it has 1 to 80 letters, digits and . _ -, and begins with a letter"
            " or digit."
        )
    target = shipped_folder(settings) / new_name
    _require_fit(settings, source, trained, target, replace=replace)
    draft = target.with_name(f".partial-{new_name}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        _halve(source / ADAPTER_WEIGHTS, draft / ADAPTER_WEIGHTS)
        shutil.copyfile(source / ADAPTER_CONFIG, draft / ADAPTER_CONFIG)
        shutil.copyfile(dataset_folder(settings, trained.dataset) / CARD, draft / DATASET_CARD)
        digest = file_sha256(draft / ADAPTER_WEIGHTS)
        adapter = trained.model_copy(
            update={"id": _id_of(target, digest), "name": new_name, "weights_sha256": digest, "job": None}
        )
        (draft / PROVENANCE).write_text(_provenance(source, trained, adapter), encoding="utf-8")
        (draft / MODEL_CARD).write_text(_card(source, trained, adapter, results, remarks), encoding="utf-8")
        (draft / ADAPTER_RECORD).write_text(canonical_json(adapter.model_dump(mode="json")) + "\n", encoding="utf-8")
        if problems := problems_of(settings, draft, new_name):
            raise InvalidInputError(f"{name} cannot be shipped. {' '.join(problems)}")
        publish_folder(draft, target)
    except OSError as error:
        raise InvalidInputError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target, adapter


def _require_fit(settings: Settings, source: Path, trained: Adapter, target: Path, *, replace: bool) -> None:
    if is_shipped(settings, source):
        raise InvalidInputError(f"{trained.name} is part of the product already.")
    if target.exists() and not replace:
        raise InvalidInputError(f"An adapter is shipped as {target.name} already. Replace it: --replace.")
    if not target.exists() and target.name in {entry.name for entry in list_models(settings, hidden=True)}:
        raise InvalidInputError(f"There already is a model named {target.name!r}. Choose another name.")
    if not (dataset_folder(settings, trained.dataset) / CARD).is_file():
        raise InvalidInputError(f"The dataset {trained.dataset} is not here, so its card cannot be shipped.")
    if file_sha256(source / ADAPTER_WEIGHTS) != trained.weights_sha256:
        raise ModelError(f"The weights of {trained.name} are not those that were published. Train the adapter again.")


def _halve(source: Path, target: Path) -> None:
    """Write an adapter's weights in 16 bits."""
    import torch
    from safetensors.torch import load_file, save_file

    held = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in load_file(source).items()}
    save_file(held, target, metadata={"format": "pt"})
    target.chmod(0o644)


def record_in(folder: Path) -> Adapter | None:
    """The record in an adapter's folder, or None when there is none that can be read."""
    try:
        return Adapter.model_validate_json((folder / ADAPTER_RECORD).read_bytes())
    except (OSError, ValidationError):
        return None


def ids_of(folder: Path, trained: Adapter) -> set[str]:
    """The ids under which an adapter was measured: its own, and that of what is shipped in ``folder`` if made from it."""
    before = record_in(folder)
    if before is None:
        return {trained.id}
    try:
        source = json.loads((folder / PROVENANCE).read_bytes())["made_from"]["id"]
    except (OSError, ValueError, KeyError, TypeError):
        return {trained.id}
    return {trained.id, before.id} if source == trained.id else {trained.id}


def _id_of(target: Path, digest: str) -> str:
    """The id it has already, when the same weights are shipped again; else a new one."""
    before = record_in(target)
    return before.id if before is not None and before.weights_sha256 == digest else new_id("adp")


def _provenance(source: Path, trained: Adapter, adapter: Adapter) -> str:
    known: dict[str, Any] = json.loads((source / PROVENANCE).read_bytes())
    made_from = {"id": trained.id, "name": trained.name, "weights_sha256": trained.weights_sha256}
    return (
        json.dumps(
            {**known, "adapter": adapter.model_dump(mode="json"), "made_from": made_from, "weights_in": "bf16"},
            indent=2,
            sort_keys=True,
        )
        + "\n"
    )


def _card(source: Path, trained: Adapter, adapter: Adapter, results: Sequence[Measured], remarks: str) -> str:
    """The card of the trained adapter, under its new name, and what a card of the product has to say beside that."""
    written = (source / MODEL_CARD).read_text(encoding="utf-8").rstrip()
    body = re.sub(rf"^# {re.escape(trained.name)}$", f"# {adapter.name}", written, count=1, flags=re.MULTILINE)
    rows = "\n".join(_result(each) for each in results)
    table = (
        f"| tried on | passed | base model | difference |\n| --- | --- | --- | --- |\n{rows}"
        if rows
        else "Not measured."
    )
    said = f"\n{remarks.strip()}\n" if remarks.strip() else ""
    return f"""{body}

## How well it acts

{table}

Intervals are 95 %: Wilson for a rate, paired bootstrap for a difference. p is the exact McNemar test on the same attempts.
Tasks of unseen instances, tools and categories are held out: none of them is in the training data.
{said}
## Data

[{DATASET_CARD}]({DATASET_CARD}) describes the dataset: how its rows were chosen, what was left out, and the hash of all of
them. The rows are attempts at simulated tasks that this product makes and judges itself. They hold no data of real people.

## Use and limits

It is made to try this product with, and to be trained further on simulated tasks. It calls the tools it is shown, in the form
it was trained on. It has seen simulated worlds only, in English; it makes up values, picks wrong tools and says it is done when
it is not, as the rates above say. Do not let it act on anything real without a check of every call.

The weights are held in 16 bits (bf16), rounded from those that were trained (sha256 {trained.weights_sha256[:16]}).
"""


def _result(each: Measured) -> str:
    row, base, compared = each.row, each.base, each.comparison
    passed = f"{row.passed} of {row.planned} ({row.pass_rate:.1%}; {row.low:.1%} to {row.high:.1%})"
    plain = "not tried" if base is None else f"{base.passed} of {base.planned} ({base.pass_rate:.1%})"
    gain = (
        "not compared"
        if compared is None
        else f"{compared.difference:+.1%} ({compared.low:+.1%} to {compared.high:+.1%}), p = {compared.p_value:.2g}"
    )
    held = "" if row.policy.sampling is None or not row.policy.sampling.constrained else ", calls constrained"
    return f"| {each.attempts}{held} | {passed} | {plain} | {gain} |"


def problems_of(settings: Settings, folder: Path, name: str) -> list[str]:
    """What is wrong with the folder of an adapter that is shipped under ``name``: a sentence each."""
    names = {path.name for path in folder.iterdir()}
    if names != FILES:
        return [f"It holds {', '.join(sorted(names ^ FILES))} too much or too little."]
    try:
        refuse_unsafe(folder)
        adapter = Adapter.model_validate_json((folder / ADAPTER_RECORD).read_bytes())
        config = json.loads((folder / ADAPTER_CONFIG).read_bytes())
        # Read as a record, so that what records have learnt to say since then does not matter.
        of = Adapter.model_validate(json.loads((folder / PROVENANCE).read_bytes()).get("adapter"))
        texts = {each: (folder / each).read_text(encoding="utf-8") for each in names if each != ADAPTER_WEIGHTS}
    except (ModelError, AttributeError, ValueError) as error:
        return [f"It cannot be read: {str(error)[:300]}"]
    weights, bases = folder / ADAPTER_WEIGHTS, {m.name for m in shipped_models(settings) if m.kind == "local"}
    card = texts[MODEL_CARD]
    missing = [section for section in SECTIONS if f"\n{section}\n" not in card]
    found = {
        f"Its name is {adapter.name} and not {name}.": adapter.name != name,
        f"Its weights take {weights.stat().st_size:,} bytes; {LARGEST:,} are allowed.": weights.stat().st_size
        > LARGEST,
        "Its weights have another hash than its record says.": file_sha256(weights) != adapter.weights_sha256,
        "Its weights are not in 16 bits.": _types(weights) != {"BF16"},
        f"Its base {adapter.base} is no local model of data/models.yaml.": adapter.base not in bases,
        "Its configuration names another base, or another rank than its recipe.": (
            (config.get("base_model_name_or_path"), config.get("r")) != (adapter.base, adapter.recipe.lora_rank)
        ),
        "Its provenance is that of another adapter.": of != adapter,
        f"Its card does not say {', '.join(missing)}.": bool(missing),
        "Its card is that of another adapter.": f"\n# {name}\n" not in card or adapter.dataset_hash not in card,
        "The card of its dataset is that of another dataset.": adapter.dataset_hash not in texts[DATASET_CARD],
        "It names a folder of the machine it was made on.": any(map(_OF_A_MACHINE.search, texts.values())),
    }
    return [sentence for sentence, wrong in found.items() if wrong]


def _types(weights: Path) -> set[str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as file:
            return {str(file.get_slice(name).get_dtype()) for name in file.keys()}  # noqa: SIM118
    except SafetensorError:
        return set()
