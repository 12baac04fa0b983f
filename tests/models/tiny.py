"""A model so small that every unit test can afford it: two layers, its own little tokenizer with the real special tokens.

Its weights are random, so what it says means nothing; that it says the same whichever way it is asked is what is tested.
"""

import shutil
from pathlib import Path
from typing import Any

from lamsim_core.settings import REPOSITORY, Settings

SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>", "<filename>", "<gh_stars>",
    "<issue_start>", "<issue_comment>", "<issue_closed>", "<jupyter_start>", "<jupyter_text>", "<jupyter_code>",
    "<jupyter_output>", "<jupyter_script>", "<empty_output>",
]  # fmt: skip
"""The special tokens of SmolLM2."""

ENTRY = """
- name: tiny
  title: Tiny
  kind: local
  default: true
  source: made by the tests
  licence: none
  parameters: 300 thousand
  note: Random weights.
- name: scripted
  title: Scripted
  kind: scripted
  hidden: true
  source: tests
  licence: none
  parameters: none
  note: Says one sentence.
"""


def write_tokenizer(folder: Path) -> Any:
    """A byte-level tokenizer, trained on this repository's prompts, with TRL's tool template."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer
    from transformers import PreTrainedTokenizerFast
    from trl.chat_template_utils import qwen2_5_chat_template

    raw = Tokenizer(BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    raw.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=900,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([qwen2_5_chat_template * 3, ENTRY, __doc__ or ""], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
    )
    tokenizer.chat_template = qwen2_5_chat_template
    tokenizer.save_pretrained(folder)
    return tokenizer


def write_tiny_model(folder: Path, seed: int = 0) -> Path:
    """Write the tiny model's safetensors, config and tokenizer into ``folder``."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = write_tokenizer(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        initializer_range=0.12,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def tiny_settings(root: Path, model: Path) -> Settings:
    """Settings of an empty installation under ``root`` whose only model is a copy of the tiny one."""
    data, cache = root / "data", root / "cache"
    data.mkdir(parents=True)
    (data / "models.yaml").write_text(ENTRY, encoding="utf-8")
    shutil.copytree(REPOSITORY / "data" / "templates", data / "templates")
    shutil.copytree(model, cache / "models" / "tiny")
    return Settings(home=root / "var", data=data, cache=cache)
