"""Opening a model's folder: tokenizer, weights, quantisation, adapter. Used to run a model and to train one."""

import logging
import os
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args

from lamsim_core.errors import InvalidInputError, ModelError
from lamsim_core.models.arithmetic import fastest_dtype
from lamsim_core.models.attention import can_attend_rows, use_grouped_attention
from lamsim_core.models.batched import BatchedBackend
from lamsim_core.models.chat import template_hash
from lamsim_core.models.folder import Manifest, file_sha256, read_manifest, refuse_unsafe, verify, write_manifest
from lamsim_core.models.local import LocalBackend
from lamsim_core.models.provision import ensure_default_model, models_folder
from lamsim_core.models.registry import ADAPTER_RECORD, ModelEntry, adapter_folder, get_model
from lamsim_core.records import Adapter, PolicyInfo
from lamsim_core.settings import Settings

Quantisation = Literal["nf4", "bf16", "fp32"]
"""How weights are held: 4-bit normal float, or 16 or 32 bits."""

ADAPTER_WEIGHTS = "adapter_model.safetensors"
"""The one file an adapter's weights are read from."""
ADAPTER_CONFIG = "adapter_config.json"
"""What PEFT has to know to use them."""

_SMALL_BYTES = 4 * 2**30
_MARKS_OF_4_BITS = ("is_loaded_in_4bit", "is_quantized", "quantization_method", "hf_quantizer")
"""By these other libraries know a model in 4 bits, of which some convert an adapter's weights to 16 bits."""
_WIDENED_BYTES = 2**30
"""What a model in 4 bits may take to be held wider on a CPU, where it writes many replies or is trained."""


def model_folder(settings: Settings, entry: ModelEntry) -> tuple[Path, Manifest]:
    """Folder and manifest of a local model's weights, fetched when they can be.

    Raises:
        ModelError: the weights are missing, damaged, or not of a kind that is read.
    """
    if entry.package:
        folder = ensure_default_model(settings)
    else:
        folder = models_folder(settings) / entry.name
        if not folder.is_dir():
            raise ModelError(f"The model {entry.name} is not available: there is no folder {folder}.")
    refuse_unsafe(folder)
    if read_manifest(folder) is None:
        write_manifest(folder, source=entry.source)
    return folder, verify(folder)


def load_tokenizer(settings: Settings, entry: ModelEntry, folder: Path) -> Any:
    """The tokenizer of a model, with the chat template its entry names.

    Raises:
        ModelError: it cannot be read, or has no chat template.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"The tokenizer in {folder} cannot be read: {error}") from error
    if entry.template != "own":
        tokenizer.chat_template = (settings.data / "templates" / f"{entry.template}.jinja").read_text(encoding="utf-8")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    template_hash(tokenizer)
    return tokenizer


def load_weights(
    folder: Path, quantisation: Quantisation, adapter: Path | None = None, trained_in: str | None = None
) -> tuple[Any, str]:
    """The model of a folder, ready to run, and an honest name for how its weights are held.

    An adapter that was trained on an NF4 base and runs on one stays beside it (``nf4+lora``): it has learnt to make up
    for exactly the rounding of that base. Any other adapter of a small model is merged into the weights before they are
    quantised, so that it costs nothing while decoding; beside them it takes about 1.4 times as long per token. A large
    model is quantised while it is read, since it may not fit otherwise, and keeps its adapter beside it too.

    Args:
        folder: the base model.
        quantisation: how its weights are held.
        adapter: folder of the adapter, or None.
        trained_in: how the base was held while the adapter was trained.

    Raises:
        ModelError: the weights cannot be read or do not fit into memory.
    """
    import torch

    quiet()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    small = sum(path.stat().st_size for path in folder.glob("*.safetensors")) <= _SMALL_BYTES
    try:
        if not small or (adapter is not None and quantisation == trained_in == "nf4"):
            model = read_quantised(folder, quantisation, device)
            use_grouped_attention(model)
            return (model, quantisation) if adapter is None else (_wrap(model, adapter), f"{quantisation}+lora")
        model = read_base(folder, torch.bfloat16 if adapter is None and quantisation != "fp32" else torch.float32)
        if adapter is not None:
            model = _wrap(model, adapter).merge_and_unload()
        for weight in model.parameters():
            # Not model.to(): that would also round the rotary frequencies, which models keep in 32 bits.
            weight.data = weight.data.to(torch.float32 if quantisation == "fp32" else torch.bfloat16)
        if quantisation == "nf4":
            to_nf4(model)
        model = model.to(device).eval().requires_grad_(False)
        use_grouped_attention(model)
        return model, quantisation
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise ModelError(f"The model in {folder} could not be loaded: {str(error)[:400]}") from error


def read_base(folder: Path, dtype: Any, **how: Any) -> Any:
    """Read a model's safetensors, never anything else, running no code that came with it."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False, **how
    )


def read_quantised(folder: Path, quantisation: Quantisation, device: str) -> Any:
    """Read a model straight to its device, quantised on the way."""
    import torch
    from transformers import BitsAndBytesConfig

    how: dict[str, Any] = {"device_map": {"": device}}
    if quantisation == "nf4":
        how["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
    return read_base(folder, torch.float32 if quantisation == "fp32" else torch.bfloat16, **how).eval()


def _wrap(model: Any, adapter: Path) -> Any:
    from peft import PeftModel

    return PeftModel.from_pretrained(model, str(adapter), local_files_only=True).eval()


def to_nf4(model: Any) -> None:
    """Hold every linear layer but the output head as 4-bit normal floats, in place."""
    import bitsandbytes
    import torch

    head = model.get_output_embeddings()
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is not torch.nn.Linear or layer is head:
                continue
            held = bitsandbytes.nn.Linear4bit(
                layer.in_features,
                layer.out_features,
                bias=layer.bias is not None,
                compute_dtype=torch.bfloat16,
                quant_type="nf4",
                device="meta",
            )
            held.weight = bitsandbytes.nn.Params4bit(
                layer.weight.data, requires_grad=False, compress_statistics=False, quant_type="nf4", module=held
            )
            held.bias = layer.bias
            setattr(parent, name, held.to(layer.weight.device))


def widen_nf4(model: Any, dtype: Any) -> Any:
    """Hold a model in 4 bits as ``dtype``: the same weights up to rounding.

    In 16 bits that is 2.5 times the memory, and on a CPU many tokens in one pass are multiplied about twice as fast, few not
    more slowly. An adapter beside them is added to the 4-bit layers' values, as they are, before these are rounded. Before
    the first pass only: that packs 4-bit weights anew.

    Returns:
        The model, without its adapter's wrapping.
    """
    import bitsandbytes
    import torch

    if hasattr(model, "peft_config"):
        model = model.base_model.model
    for path, layer in list(model.named_modules()):
        adapted = hasattr(layer, "get_delta_weight")
        held = layer.get_base_layer() if adapted else layer
        if not isinstance(held, bitsandbytes.nn.Linear4bit) or path.endswith(".base_layer"):
            continue
        weight = bitsandbytes.functional.dequantize_4bit(held.weight.data, held.weight.quant_state).float()
        if adapted:
            for name in layer.active_adapters:
                weight += layer.get_delta_weight(name).float()
        wide = torch.nn.Linear(held.in_features, held.out_features, bias=held.bias is not None, device="meta")
        wide.weight = torch.nn.Parameter(weight.to(dtype), requires_grad=False)
        wide.bias = held.bias
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, wide)
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)
    for mark in _MARKS_OF_4_BITS:
        if hasattr(model, mark):
            delattr(model, mark)
    return model


def held_fastest(model: Any) -> Any:
    """A model in 4 bits as many tokens are computed fastest: a small one on a CPU wider, any other as it is."""
    small = model.device.type == "cpu" and model.get_memory_footprint() <= _WIDENED_BYTES
    return widen_nf4(model, fastest_dtype()) if small else model


def quiet() -> None:
    """Keep progress bars and remarks of the libraries out of logs; errors still come through."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def use_own_cores() -> None:
    """Let torch use no more threads than this process has cores; OMP_NUM_THREADS, when set, wins."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ and hasattr(os, "sched_getaffinity"):
        torch.set_num_threads(min(torch.get_num_threads(), len(os.sched_getaffinity(0))))


def check_adapter(folder: Path, base: Manifest) -> Adapter:
    """Read an adapter's record and prove that its weights are the published ones and belong to this base.

    Raises:
        ModelError: the folder holds more than data, or weights that are not the published ones, or another base's.
    """
    refuse_unsafe(folder)
    record = Adapter.model_validate_json((folder / ADAPTER_RECORD).read_bytes())
    weights = folder / ADAPTER_WEIGHTS
    if not weights.is_file() or file_sha256(weights) != record.weights_sha256:
        raise ModelError(f"The adapter file {weights} is missing or not what was published. Train the adapter again.")
    if record.base_hash != base.weights:
        raise ModelError(
            f"The adapter {record.name} was trained on other weights of {record.base} ({record.base_hash[:12]}) than are"
            f" here ({base.weights[:12]})."
        )
    return record


class Opened(NamedTuple):
    """A local model in memory, ready to be asked."""

    model: Any
    tokenizer: Any
    info: PolicyInfo


def open_model(settings: Settings, entry: ModelEntry, quantisation: str) -> Opened:
    """Load a local model, or an adapter and its base.

    Raises:
        InvalidInputError: an unknown quantisation.
        ModelError: something is missing, damaged or does not fit into memory.
    """
    if quantisation not in get_args(Quantisation):
        raise InvalidInputError(f"Unknown quantisation {quantisation!r}: choose {', '.join(get_args(Quantisation))}.")
    base = get_model(settings, entry.base) if entry.base else entry
    folder, manifest = model_folder(settings, base)
    adapter = adapter_folder(settings, entry.adapter) if entry.adapter else None
    record = check_adapter(adapter, manifest) if adapter else None
    tokenizer = load_tokenizer(settings, base, folder)
    use_own_cores()
    trained_in = record.recipe.precision if record else None
    model, held_as = load_weights(folder, cast(Quantisation, quantisation), adapter, trained_in)
    info = PolicyInfo(
        kind="model",
        name=entry.name,
        model_hash=manifest.weights,
        adapter=entry.adapter,
        adapter_hash=record.weights_sha256 if record else None,
        template_hash=template_hash(tokenizer),
        quantisation=held_as,
        device=str(model.device.type),
    )
    return Opened(model, tokenizer, info)


def load_backend(
    settings: Settings, entry: ModelEntry, quantisation: str, batch: int = 1
) -> LocalBackend | BatchedBackend:
    """Load a local model or an adapter and its base.

    With a ``batch`` of more than one, replies are written together when the model is of a kind that can; otherwise those
    who ask take turns.

    Raises:
        InvalidInputError: an unknown quantisation.
        ModelError: something is missing, damaged or does not fit into memory.
    """
    model, tokenizer, info = open_model(settings, entry, quantisation)
    if batch > 1 and can_attend_rows(model):
        if info.quantisation in ("nf4", "nf4+lora"):
            model = held_fastest(model)
        return BatchedBackend(model, tokenizer, info, max_prompt_tokens=settings.max_prompt_tokens, size=batch)
    return LocalBackend(model, tokenizer, info, max_prompt_tokens=settings.max_prompt_tokens)
