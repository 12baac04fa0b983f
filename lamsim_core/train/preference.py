"""DPO and KTO with TRL's trainers, on rows that are tokenized already, each prompt read once for both its answers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lamsim_core.models.loading import quiet, use_own_cores
from lamsim_core.records import Recipe
from lamsim_core.train.callbacks import Report, make_callback
from lamsim_core.train.order import order
from lamsim_core.train.pairs import LabelRow, PairRow
from lamsim_core.train.pieces import can_share
from lamsim_core.train.reference import Said, ask_reference
from lamsim_core.train.running import Trained, assemble, run_to_end
from lamsim_core.train.shared_prompt import Halves, Pairs, Whole

Columns = dict[str, list[Any]]


class _Plan(NamedTuple):
    """What differs between DPO and KTO."""

    trainer: type[Any]
    config: type[Any]
    settings: dict[str, Any]
    asked: Columns
    """Rows on which the reference is asked."""
    batch: int
    """So many of them at once."""
    ready: Callable[[Sequence[Said]], Columns]
    """From what the reference says to the rows in the order of training."""


def train(
    rows: Sequence[PairRow] | Sequence[LabelRow],
    base: Path,
    tokenizer: Any,
    recipe: Recipe,
    work: Path,
    *,
    run: str,
    should_stop: Callable[[], bool],
    report: Report,
    start: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train an adapter by DPO on pairs or by KTO on labels, going on from what ``work`` holds of the same run.

    What the adapter is held to, its reference, is what it starts from. What that says of the rows is computed once,
    before the first step, and kept in ``work``.

    Args:
        rows: tokenized rows, none longer than the recipe allows.
        base: folder with the base model's safetensors.
        tokenizer: its tokenizer.
        recipe: how to train.
        work: folder for checkpoints and the finished adapter; only this run writes to it.
        run: names what is trained from what and how; nothing of another run is used.
        should_stop: asked before each batch of the reference and at every step.
        report: told the numbers of each step.
        start: folder of the adapter whose weights are the start; a new one without it.
        say: told in words how far the reference is.

    Raises:
        StoppedError: a stop was asked for; what was computed is kept.
        TrainingError: the loss is not a number any more.
    """
    from datasets import Dataset

    quiet()
    use_own_cores()
    plan = _plan_dpo(rows, recipe) if recipe.method == "dpo" else _plan_kto(rows, recipe)  # type: ignore[arg-type]
    held, common = assemble(rows, base, recipe, work, start)
    trainer = plan.trainer(
        **held,
        args=plan.config(**common, beta=recipe.beta, **plan.settings),
        train_dataset=Dataset.from_dict(plan.asked),
        processing_class=tokenizer,
        callbacks=[make_callback(run, recipe.epochs, should_stop, report)],
    )
    _hold_in_32_bits(trainer.model, start)
    said = ask_reference(trainer, plan.batch, work, run, should_stop, say)
    trainer.train_dataset = Dataset.from_dict(plan.ready(said))
    trainer.precompute_ref_logps = True
    return run_to_end(trainer, work, run, should_stop)


def _hold_in_32_bits(model: Any, start: Path | None) -> None:
    """TRL rounds the adapter of a 4-bit base to 16 bits, in which steps as small as these would be lost."""
    import torch
    from peft import load_peft_weights, set_peft_model_state_dict

    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.to(torch.float32)
    if start is not None:
        weights = load_peft_weights(str(start), device=str(model.device))
        set_peft_model_state_dict(model, weights, adapter_name="default")


def _plan_dpo(rows: Sequence[PairRow], recipe: Recipe) -> _Plan:
    from trl import DPOConfig

    chosen = order([row.cost for row in rows], recipe)
    by_length = sorted(range(len(rows)), key=lambda place: -rows[place].cost)

    def columns(places: Sequence[int]) -> Columns:
        return {
            "prompt_ids": [rows[place].prompt_ids for place in places],
            "chosen_ids": [rows[place].chosen_ids for place in places],
            "rejected_ids": [rows[place].rejected_ids for place in places],
        }

    def ready(said: Sequence[Said]) -> Columns:
        known = dict(zip(by_length, said, strict=True))
        better, worse = zip(*(known[place] for place in chosen), strict=True)
        return {**columns(chosen), "ref_chosen_logps": list(better), "ref_rejected_logps": list(worse)}

    return _Plan(_dpo_trainer(recipe.through_prompt), DPOConfig, {}, columns(by_length), recipe.batch_size, ready)


def _plan_kto(rows: Sequence[LabelRow], recipe: Recipe) -> _Plan:
    from trl import KTOConfig

    chosen = order([row.cost for row in rows], recipe)
    right = sum(row.label for row in rows)
    wrong = len(rows) - right
    asked: Columns = {
        "prompt_ids": [rows[place].prompt_ids for place in chosen],
        "completion_ids": [rows[place].completion_ids for place in chosen],
        "KL_completion_ids": [rows[place].completion_ids for place in others(chosen, recipe.batch_size)],
        "label": [rows[place].label for place in chosen],
    }

    def ready(said: Sequence[Said]) -> Columns:
        own, other = zip(*said, strict=True)
        return {**asked, "ref_logps": list(own), "ref_KL_logps": list(other)}

    # The rarer kind weighs more, so that both count the same in all (KTO, equation 8).
    weights = {"desirable_weight": max(1.0, wrong / right), "undesirable_weight": max(1.0, right / wrong)}
    return _Plan(_kto_trainer(recipe.through_prompt), KTOConfig, weights, asked, recipe.batch_size, ready)


def others(chosen: Sequence[int], batch: int) -> list[int]:
    """For each row of an order, another one of its batch, whose answer does not belong to its prompt: the one before it.

    Where the batch has no other, it is the last row of the batch before.
    """
    found: list[int] = []
    for start in range(0, len(chosen), batch):
        rows = chosen[start : start + batch]
        for place, row in enumerate(rows):
            before = (rows[place - back] for back in range(1, len(rows)))
            found.append(next((other for other in before if other != row), chosen[start - 1]))
    return found


def _dpo_trainer(through_prompt: bool) -> type[Any]:
    from trl import DPOTrainer

    class Preferences(DPOTrainer):  # type: ignore[misc]
        """TRL's trainer for rows of token ids."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

        def _reading(self, model: Any) -> Any:
            return Pairs(model, through_prompt=through_prompt) if can_share(self.model) else model

        def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
            return super().compute_ref_log_probs(self._reading(model), inputs)

        def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> Any:
            return super()._compute_loss(self._reading(model), inputs, return_outputs)

    return Preferences


def _kto_trainer(through_prompt: bool) -> type[Any]:
    from trl import KTOTrainer

    class Labels(KTOTrainer):  # type: ignore[misc]
        """TRL's trainer for rows of token ids, which also says how many answers it takes for what they are."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

        def _reading(self, model: Any, inputs: Any) -> Any:
            shared = can_share(self.model)
            return Halves(model, inputs, through_prompt=through_prompt) if shared else Whole(model)

        def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
            return super().compute_ref_log_probs(self._reading(model, inputs), inputs)

        def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> Any:
            reading = self._reading(model, inputs)
            reading.read()  # here and not when first asked for, which is where TRL wants no gradients
            loss = super()._compute_loss(reading, inputs, return_outputs)
            metrics = self._metrics["train" if self.model.training else "eval"]
            liked = reading.answers.log_probs.detach().sum(-1) - inputs["ref_logps"] > metrics["kl"][-1]
            right = (liked == inputs["label"]).float().mean()
            metrics["rewards/accuracies"].append(self.accelerator.gather(right).mean().item())
            return loss

    return Labels
