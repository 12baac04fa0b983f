"""The tokenizer of a model without its weights: what a prompt is exactly, and what each token of a reply says.

It is opened only when it is provably the one that was used: model, adapter and chat template are those on record, by hash.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NamedTuple

from lamsim_core.errors import ModelError, NotFoundError
from lamsim_core.models.backend import Message
from lamsim_core.models.chat import control_tokens, render, template_hash
from lamsim_core.models.folder import file_sha256, read_manifest
from lamsim_core.models.loading import load_tokenizer
from lamsim_core.models.local import decoded
from lamsim_core.models.provision import DEFAULT_MODEL, models_folder
from lamsim_core.models.registry import ADAPTER_RECORD, adapter_folder, get_model
from lamsim_core.records import Adapter, PolicyInfo, ToolSchema
from lamsim_core.settings import Settings

TOOLS = ("<tools>", "</tools>")
"""What every chat template of this product puts around the tools; no other text can hold it."""
_BROKEN = "\N{REPLACEMENT CHARACTER}"
_WEIGHTS = ".safetensors"


class Piece(NamedTuple):
    """A part of a prompt."""

    kind: Literal["special", "text", "tools"]
    """A control token, ordinary text, or the part that describes the tools."""
    text: str
    tokens: int


class Vocabulary:
    """A tokenizer with its chat template. Threads may share it."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._special = frozenset(tokenizer.convert_tokens_to_ids(list(control_tokens(tokenizer))))
        self._lock = Lock()  # tokenizers are not made for several threads

    @property
    def template_hash(self) -> str:
        """Hash of the chat template."""
        return template_hash(self._tokenizer)

    def prompt(self, messages: Sequence[Message], tools: Sequence[ToolSchema]) -> list[int]:
        """The tokens a model is given to reply to this conversation.

        Raises:
            ModelError: the template cannot show it.
        """
        with self._lock:
            return render(self._tokenizer, messages, tools, add_generation_prompt=True)

    def is_special(self, token: int) -> bool:
        """Whether it is a control token."""
        return token in self._special

    def reply(self, ids: Sequence[int]) -> str:
        """The text of a reply's tokens, without control tokens."""
        with self._lock:
            return decoded(self._tokenizer, list(ids))

    def spelled(self, ids: Sequence[int]) -> str:
        """The text of tokens, control tokens included."""
        with self._lock:
            return str(self._tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))

    def texts(self, ids: Sequence[int]) -> list[str]:
        """What each token says by itself; where that is a part of a character only, how the vocabulary spells it."""
        with self._lock:
            known: dict[int, str] = {}
            for token in dict.fromkeys(ids):
                text = str(self._tokenizer.decode([token], clean_up_tokenization_spaces=False))
                known[token] = str(self._tokenizer.convert_ids_to_tokens(token)) if _BROKEN in text else text
            return [known[token] for token in ids]

    def pieces(self, ids: Sequence[int]) -> tuple[Piece, ...]:
        """A prompt in parts: every control token by itself, the tools apart, the text between."""
        found: list[Piece] = []
        run: list[int] = []
        for token in [*ids, None]:
            if token is not None and token not in self._special:
                run.append(token)
                continue
            found += self._text(run)
            run = []
            if token is not None:
                found.append(Piece("special", self.texts([token])[0], 1))
        return tuple(found)

    def _text(self, ids: list[int]) -> list[Piece]:
        if not ids:
            return []
        text = self.spelled(ids)
        # The words before the tools name the marks too, so what counts is the last opening mark before the closing ones.
        first = text.rfind(TOOLS[0], 0, text.find(f"\n{TOOLS[1]}") + 1)
        last = text.find(f"\n{TOOLS[1]}", first) + 1
        if first < 0 or last <= first:
            return [Piece("text", text, len(ids))]
        last += len(TOOLS[1])
        parts = [("text", text[:first]), ("tools", text[first:last]), ("text", text[last:])]
        counts = _counts([len(each) for each in self.texts(ids)], [len(part) for _, part in parts])
        return [
            Piece("tools" if kind == "tools" else "text", part, count)
            for (kind, part), count in zip(parts, counts, strict=True)
            if part
        ]


def _counts(tokens: Sequence[int], parts: Sequence[int]) -> list[int]:
    """How many tokens begin in each part, from their lengths in characters and the parts'."""
    counts, place, part, end = [0] * len(parts), 0, 0, parts[0]
    for length in tokens:
        while place >= end and part < len(parts) - 1:
            part += 1
            end += parts[part]
        counts[part] += 1
        place += length
    return counts


def open_vocabulary(settings: Settings, policy: PolicyInfo) -> Vocabulary:
    """The tokenizer a policy used. Fetches nothing and reads no weights; the first time takes some seconds.

    Raises:
        ModelError: it is not here, or is not provably the one that was used; says why in a sentence.
    """
    if policy.kind != "model":
        raise ModelError("No model of this machine wrote this, so there was no prompt.")
    if policy.device == "endpoint":
        raise ModelError("The server behind this model wrote the prompt itself; its exact form is not known here.")
    name = _proven_adapter(settings, policy).base if policy.adapter is not None else policy.name
    try:
        entry = get_model(settings, name)
    except NotFoundError as error:
        raise ModelError(f"The model {name} is not in the list of models any more.") from error
    folder = models_folder(settings) / (DEFAULT_MODEL if entry.package else entry.name)
    manifest = read_manifest(folder)
    if manifest is None:
        raise ModelError(f"The model {name} is not on this machine (there is none in {folder}).")
    if manifest.weights != policy.model_hash:
        raise ModelError(
            f"The model {name} on this machine is another one than was used: its weights have the hash"
            f" {manifest.weights[:12]}, those on record {str(policy.model_hash)[:12]}."
        )
    for file, about in manifest.files.items():
        if not file.endswith(_WEIGHTS) and (
            not (folder / file).is_file() or file_sha256(folder / file) != about.sha256
        ):
            raise ModelError(f"The file {folder / file} is missing or was changed since the model was placed there.")
    vocabulary = _opened(settings, entry.name, folder, manifest.content_hash())
    if vocabulary.template_hash != policy.template_hash:
        raise ModelError(
            f"The chat template is another one than was used: its hash is {vocabulary.template_hash}, that on record"
            f" {policy.template_hash}."
        )
    return vocabulary


def _proven_adapter(settings: Settings, policy: PolicyInfo) -> Adapter:
    try:
        folder = adapter_folder(settings, policy.adapter or "")
    except NotFoundError as error:
        raise ModelError(f"The adapter {policy.name} is not on this machine any more.") from error
    record = Adapter.model_validate_json((folder / ADAPTER_RECORD).read_bytes())
    if record.weights_sha256 != policy.adapter_hash:
        raise ModelError(f"The adapter {policy.name} on this machine has another hash than the one that was used.")
    return record


@lru_cache(maxsize=4)
def _opened(settings: Settings, name: str, folder: Path, manifest: str) -> Vocabulary:
    return Vocabulary(load_tokenizer(settings, get_model(settings, name), folder))
