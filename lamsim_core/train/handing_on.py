"""An adapter as a folder that PEFT and transformers load without this product: weights, configuration, tokenizer, cards."""

import io
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from lamsim_core.errors import InvalidInputError, ModelError
from lamsim_core.files import publish_folder
from lamsim_core.models.folder import file_sha256, refuse_unsafe
from lamsim_core.models.loading import ADAPTER_WEIGHTS
from lamsim_core.models.provision import DEFAULT_MODEL, models_folder
from lamsim_core.models.registry import find_adapter, get_model
from lamsim_core.records import Adapter
from lamsim_core.settings import Settings
from lamsim_core.train.shipping import MODEL_CARD

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
"""Files of a tokenizer. An adapter without any, as shipped ones are, has that of its base."""
_OWN_TEMPLATE = "own"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The one time that files in an archive have, so that the same adapter is the same archive."""


def export_folder(settings: Settings, name: str, target: Path) -> list[str]:
    """Write an adapter into a new or empty folder, whole or not at all.

    Returns:
        The names of the files written.

    Raises:
        NotFoundError: there is no such adapter.
        InvalidInputError: the folder is not empty, or cannot be written.
        ModelError: the adapter's files are damaged.
    """
    files = _files(settings, name)
    target = new_folder(target)
    draft = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for file, content in files.items():
            if isinstance(content, Path):
                shutil.copyfile(content, draft / file)
            else:
                (draft / file).write_text(content, encoding="utf-8")
        publish_folder(draft, target)
    except OSError as error:
        raise InvalidInputError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return sorted(files)


def export_zip(settings: Settings, name: str) -> bytes:
    """The same folder as one archive.

    Raises:
        NotFoundError: there is no such adapter.
        ModelError: the adapter's files are damaged.
    """
    held, files, adapter = io.BytesIO(), _files(settings, name), find_adapter(settings, name)[1]
    with zipfile.ZipFile(held, "w") as archive:
        for file, content in sorted(files.items()):
            # What is said about weights is short and packs well; the weights themselves do not.
            packing = zipfile.ZIP_STORED if file == ADAPTER_WEIGHTS else zipfile.ZIP_DEFLATED
            body = content.read_bytes() if isinstance(content, Path) else content.encode()
            archive.writestr(zipfile.ZipInfo(f"{adapter.name}/{file}", _EPOCH), body, packing)
    return held.getvalue()


def new_folder(target: Path) -> Path:
    """The absolute path of a folder that is to be written.

    Raises:
        InvalidInputError: something is there already.
    """
    target = target.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidInputError(f"{target} is not empty. Choose a new folder.")
    return target


def _files(settings: Settings, name: str) -> Mapping[str, Path | str]:
    """What an exported adapter consists of: name -> where it lies, or its text."""
    folder, adapter = find_adapter(settings, name)
    refuse_unsafe(folder)
    weights = folder / ADAPTER_WEIGHTS
    if not weights.is_file() or file_sha256(weights) != adapter.weights_sha256:
        raise ModelError(
            f"The weights of {adapter.name} are missing or not what was published. Train the adapter again."
        )
    files: dict[str, Path | str] = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    if not any(file in files for file in TOKENIZER):
        files |= _tokenizer_of_the_base(settings, adapter)
    card = (folder / MODEL_CARD).read_text(encoding="utf-8") if MODEL_CARD in files else f"# {adapter.name}\n"
    files[MODEL_CARD] = card.rstrip() + _how_to_use(adapter, with_tokenizer=TOKENIZER[0] in files)
    return files


def _tokenizer_of_the_base(settings: Settings, adapter: Adapter) -> dict[str, Path | str]:
    entry = get_model(settings, adapter.base)
    folder = models_folder(settings) / (DEFAULT_MODEL if entry.package else entry.name)
    found: dict[str, Path | str] = {file: folder / file for file in TOKENIZER if (folder / file).is_file()}
    if found and entry.template != _OWN_TEMPLATE:
        template = settings.data / "templates" / f"{entry.template}.jinja"
        found[TOKENIZER[-1]] = template.read_text(encoding="utf-8")
    return found


def _how_to_use(adapter: Adapter, *, with_tokenizer: bool) -> str:
    four_bits = ""
    if adapter.recipe.precision == "nf4":
        four_bits = """
It was trained on a base held in 4 bits and makes up for their rounding, so it acts best on such a base:
`from_pretrained("BASE", quantization_config=BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4",
bnb_4bit_compute_dtype=torch.bfloat16))`.
"""
    return f"""

## To use it without this product

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained("BASE")  # the folder of {adapter.base}
model = PeftModel.from_pretrained(base, "ADAPTER")  # this folder
tokenizer = AutoTokenizer.from_pretrained({'"ADAPTER"' if with_tokenizer else '"BASE"'})
```
{four_bits}
"""
