"""Rows laid in one say what they say apart, forward and back; what they begin with alike is read once."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lamsim_core.records import Recipe
from lamsim_core.train.order import order
from lamsim_core.train.pieces import can_share
from lamsim_core.train.rows import IGNORED, TokenRow
from lamsim_core.train.running import only_trained_tokens_scored
from lamsim_core.train.sft import train
from lamsim_core.train.together import Together, families, lay, seen
from tests.train.making import QUICK

BEGINNINGS = {"a": [1, *range(10, 40)], "b": [1, *range(40, 60)]}


def row(beginning: str, number: int, length: int = 9) -> TokenRow:
    """A row of a family: what it begins with, a request of its own, a reply."""
    asked, said = [60 + number, 61 + number], [70 + (number + place) % 20 for place in range(length)]
    prompt = [*BEGINNINGS[beginning], *asked]
    return TokenRow([*prompt, *said], [*[IGNORED] * len(prompt), *said])


MIXED = [row("a", 1), row("a", 2, 3), row("a", 3, 5), row("b", 1), row("b", 9, 4), row("a", 7, 2)]


def padded(rows: list[TokenRow]) -> dict[str, Any]:
    width = max(row.cost for row in rows)
    parts = [
        (row.input_ids + [0] * (width - row.cost), row.labels + [IGNORED] * (width - row.cost), row.cost)
        for row in rows
    ]
    return {
        "input_ids": torch.tensor([ids for ids, _, _ in parts]),
        "labels": torch.tensor([labels for _, labels, _ in parts]),
        "attention_mask": torch.tensor([[1] * cost + [0] * (width - cost) for _, _, cost in parts]),
    }


def adapted(folder: Path, *, pieces: bool) -> Any:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM
    from trl.trainer.utils import add_fused_lm_head

    from lamsim_core.train.pieces import use_pieces

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16 if pieces else torch.float32)
    if pieces:
        use_pieces(model)
    add_fused_lm_head(model)
    return get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))


def learnt(model: Any, read: Any, batch: dict[str, Any], *, mixed: bool) -> tuple[float, dict[str, Any]]:
    """The loss of all trained tokens, and its gradient."""
    model.zero_grad()
    with only_trained_tokens_scored(), torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        loss = -read(**batch, fused_lm_head=True).log_probs.sum()
    loss.backward()
    return loss.item(), {
        name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None
    }


@pytest.mark.parametrize("pieces", [False, True], ids=["fp32", "bf16, in pieces"])
def test_the_numbers_are_those_of_rows_read_apart(tiny_folder: Path, pieces: bool) -> None:
    model = adapted(tiny_folder, pieces=pieces)
    attention = model.config._attn_implementation
    assert (attention == "sdpa") != pieces and can_share(model)
    apart, wanted = learnt(model, model, padded(MIXED), mixed=pieces)
    loss, found = learnt(model, Together(model, attention), padded(MIXED), mixed=pieces)
    assert loss == pytest.approx(apart, rel=0.01 if pieces else 1e-5)
    assert found.keys() == wanted.keys()
    for name, gradient in found.items():
        assert gradient.norm() > 0
        assert (gradient - wanted[name]).norm() <= (0.1 if pieces else 1e-4) * wanted[name].norm(), name


def test_what_rows_begin_with_alike_stands_once() -> None:
    laid = lay(MIXED)
    assert [row for row, _, _ in laid.places] == [0, 0, 1, 2, 3, 3, 4, 5], "each family once, and a row by itself"
    shared = len(BEGINNINGS["a"])
    assert laid.places[0] == (0, 0, shared)
    assert sum(end - start for _, start, end in laid.places) == sum(row.cost for row in MIXED) - 2 * shared - len(
        BEGINNINGS["b"]
    )
    assert laid.places[-1] == (5, 0, MIXED[5].cost), "what follows another family does not go on from the first"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=8))
def test_every_token_sees_its_own_row_up_to_itself_and_nothing_else(made: list[tuple[str, int, int]]) -> None:
    rows = [row(*each) for each in made]
    places, spans = lay(rows)
    tokens = [(taken, place) for taken, start, end in places for place in range(start, end)]
    mask = seen(spans, len(tokens))[0, 0]
    trained = 0
    for at, (taken, place) in enumerate(tokens):
        before = [rows[tokens[other][0]].input_ids[tokens[other][1]] for other in mask[at].nonzero().flatten().tolist()]
        assert before == rows[taken].input_ids[: place + 1]
        trained += rows[taken].labels[place] != IGNORED
        if rows[taken].labels[place] != IGNORED:
            assert tokens[at - 1] == (taken, place - 1), "foretold by the token before it, in the same row"
    assert trained == sum(each.trained for each in rows), "each trained token stands once"


def test_a_family_fills_batches_and_what_is_left_joins_others() -> None:
    rows = [row(name, number % 10) for number in range(11) for name in "ab"]
    known = families(rows)
    assert len(set(known)) == 2
    chosen = order([each.cost for each in rows], Recipe(batch_size=4, epochs=2), known)
    assert sorted(chosen) == sorted([*range(22)] * 2)
    batches = [chosen[start : start + 4] for start in range(0, 44, 4)]
    assert sum(len({known[place] for place in batch}) == 1 for batch in batches) >= 8


def test_rows_that_only_share_a_few_words_are_no_family() -> None:
    one = row("a", 1)
    other = TokenRow([*one.input_ids[:5], *range(100, 140)], [*[IGNORED] * 40, *range(135, 140)])
    assert len(set(families([one, other]))) == 2
    assert families([one, one]) == [0, 0]


def test_training_by_families_learns_what_training_apart_learns(
    tmp_path: Path, tiny_folder: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same batches, with and without laying: the same losses, step by step."""
    recipe = QUICK.model_copy(update={"batch_size": 3, "epochs": 4.0})
    losses: dict[bool, list[float]] = {True: [], False: []}
    for together in losses:
        monkeypatch.setattr("lamsim_core.train.together.can_share", lambda _, may=together: may)

        def report(numbers: dict[str, float], told: list[float] = losses[together]) -> None:
            told.append(numbers["loss"])

        train(
            MIXED,
            tiny_folder,
            tokenizer,
            recipe,
            tmp_path / str(together),
            run="run",
            should_stop=lambda: False,
            report=report,
        )
    assert len(losses[True]) == len(losses[False]) > 2
    assert losses[True] == pytest.approx(losses[False], rel=0.02)
    assert losses[True][-1] < losses[True][0]
