"""With the prompt taken as given the loss is the same, only replies are gone back through, and training learns."""

from pathlib import Path
from typing import Any

import pytest

from lamsim_core.records import Recipe
from lamsim_core.train.as_given import read_prompt
from lamsim_core.train.rows import IGNORED, TokenRow, to_row, tokenize_rows
from lamsim_core.train.running import only_trained_tokens_scored
from lamsim_core.train.sft import train
from lamsim_core.train.shared_prompt import read_both
from tests.train.making import QUICK, gold

AS_GIVEN = QUICK.model_copy(update={"through_prompt": False})


@pytest.fixture(scope="module")
def rows(tokenizer: Any) -> list[TokenRow]:
    return tokenize_rows(tokenizer, [to_row(trajectory) for trajectory in gold(4)], 4096).rows


def batch(rows: list[TokenRow]) -> dict[str, Any]:
    import torch

    width = max(row.cost for row in rows)

    def padded(columns: list[list[int]], fill: int) -> Any:
        return torch.tensor([[*column, *[fill] * (width - len(column))] for column in columns])

    return {
        "input_ids": padded([row.input_ids for row in rows], 0),
        "attention_mask": padded([[1] * row.cost for row in rows], 0),
        "labels": padded([row.labels for row in rows], IGNORED),
    }


def adapted(folder: Path) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    recipe = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    return get_peft_model(AutoModelForCausalLM.from_pretrained(folder), recipe)


def gradients(model: Any, inputs: dict[str, Any], *, mixed: bool) -> tuple[float, dict[str, Any]]:
    import torch

    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        loss = model(**(read_prompt(model, inputs))).loss
    loss.backward()
    return loss.item(), {
        name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None
    }


def test_the_loss_is_the_same_and_its_gradient_that_of_the_replies(tiny_folder: Path, rows: list[TokenRow]) -> None:
    """Gradients are compared with those of a whole pass whose prompt is cut off from them, layer by layer."""
    import torch

    model, inputs = adapted(tiny_folder), batch(rows[:1])
    known = next(place for place, label in enumerate(rows[0].labels) if label != IGNORED) - 1
    loss, found = gradients(model, inputs, mixed=False)

    def cut(_: Any, __: Any, output: Any) -> Any:
        return torch.cat((output[:, :known].detach(), output[:, known:]), dim=1)

    hooks = [
        module.register_forward_hook(cut)
        for name, module in model.named_modules()
        if name.endswith(("k_proj", "v_proj"))
    ]
    model.zero_grad()
    whole = model(**inputs).loss
    whole.backward()
    for hook in hooks:
        hook.remove()
    assert loss == pytest.approx(whole.item(), rel=1e-5)
    expected = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    assert found.keys() == expected.keys()
    assert all(torch.allclose(found[name], expected[name], rtol=1e-3, atol=1e-6) for name in found)
    model.zero_grad()
    model(**inputs).loss.backward()
    assert any(
        not torch.allclose(found[name], weight.grad) for name, weight in model.named_parameters() if name in found
    )


def test_in_mixed_precision_the_adapter_still_gets_gradients(tiny_folder: Path, rows: list[TokenRow]) -> None:
    _, found = gradients(adapted(tiny_folder), batch(rows[:2]), mixed=True)
    assert found
    assert all(gradient.abs().sum() > 0 for gradient in found.values())


def test_rows_without_a_prompt_to_leave_out_are_left_as_they_are(tiny_folder: Path, rows: list[TokenRow]) -> None:
    inputs = batch(rows[:2])
    inputs["labels"][0, 1] = inputs["input_ids"][0, 1]
    assert read_prompt(adapted(tiny_folder), inputs) is inputs


@pytest.mark.parametrize("precision", ["fp32", "nf4"])
def test_it_learns(tmp_path: Path, tiny_folder: Path, tokenizer: Any, rows: list[TokenRow], precision: str) -> None:
    recipe = Recipe.model_validate({**AS_GIVEN.model_dump(), "epochs": 6.0, "precision": precision})
    trained = train(
        rows, tiny_folder, tokenizer, recipe, tmp_path, run="r", should_stop=lambda: False, report=lambda _: None
    )
    assert trained.metrics["loss"] < trained.metrics["loss_first"] - 0.5


def test_two_answers_to_a_prompt_are_scored_the_same_with_it_taken_as_given(
    tiny_folder: Path, rows: list[TokenRow]
) -> None:
    """Two pairs whose prompts differ in length: the shorter one's length is read beforehand of both."""
    import torch
    from trl.trainer.utils import add_fused_lm_head

    model = adapted(tiny_folder)
    add_fused_lm_head(model.get_base_model())
    prompts, answers = [rows[0].input_ids[:60], rows[1].input_ids[:85]], [rows[2].input_ids[:9], rows[3].input_ids[:14]]
    sides = [(prompt, answer) for answer in answers for prompt in prompts]
    both = batch([TokenRow(prompt + answer, [IGNORED] * len(prompt) + answer) for prompt, answer in sides])

    def read(*, through_prompt: bool) -> tuple[Any, list[Any]]:
        model.zero_grad()
        said = read_both(model, **both, through_prompt=through_prompt).log_probs
        (said[:2].sum() - said[2:].sum()).backward()
        return said.detach(), [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]

    with only_trained_tokens_scored():
        (whole, through), (found, replies) = read(through_prompt=True), read(through_prompt=False)
    assert torch.allclose(found, whole, rtol=1e-4, atol=1e-4)
    assert (whole != 0).sum() == 2 * (9 + 14)
    assert not all(torch.allclose(one, other) for one, other in zip(through, replies, strict=True))
