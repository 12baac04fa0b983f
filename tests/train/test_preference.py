"""DPO and KTO: TRL's own loss on our tokens, learned from, resumed as if never stopped to the byte."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lamsim_core.errors import StoppedError
from lamsim_core.models.folder import file_sha256
from lamsim_core.records import Method, Recipe
from lamsim_core.train import preference
from lamsim_core.train.callbacks import measures
from lamsim_core.train.methods import tokenize
from lamsim_core.train.order import order
from lamsim_core.train.preference import others
from lamsim_core.train.running import Trained, arguments, model_and_adapter
from tests.train.making import QUICK, label_rows, pair_rows

GENTLE = {"learning_rate": 5e-3, "beta": 0.3}
REFERENCE = "reference-0.jsonl"
RECIPES = {method: QUICK.model_copy(update={"method": method, **GENTLE}) for method in ("dpo", "kto")}


class Training:
    """Runs preference trainings of the tiny model in one folder."""

    def __init__(self, work: Path, base: Path, tokenizer: Any, method: Method) -> None:
        self.work, self.base, self.tokenizer = work, base, tokenizer
        work.mkdir(parents=True)
        self.recipe = RECIPES[method]
        made = pair_rows(4) if method == "dpo" else label_rows(4)
        self.rows: Sequence[Any] = tokenize(method, tokenizer, made, 4096).rows
        self.steps: list[dict[str, float]] = []
        self.said: list[str] = []

    def __call__(self, stop_after: int | None = None, start: Path | None = None, **changes: Any) -> Trained:
        asked = iter(range(10_000))
        return preference.train(
            self.rows,
            self.base,
            self.tokenizer,
            self.recipe.model_copy(update=changes),
            self.work,
            run="r",
            should_stop=lambda: stop_after is not None and next(asked) >= stop_after,
            report=self.steps.append,
            start=start,
            say=self.said.append,
        )


Make = Callable[..., Training]


@pytest.fixture(params=["dpo", "kto"])
def make(request: pytest.FixtureRequest, tmp_path: Path, tiny_folder: Path, tokenizer: Any) -> Make:
    return lambda name="work": Training(tmp_path / name, tiny_folder, tokenizer, request.param)


def weights(trained: Trained) -> str:
    return file_sha256(trained.adapter / "adapter_model.safetensors")


def test_it_learns_which_answers_are_better(make: Make) -> None:
    training = make()
    trained = training(epochs=6.0)
    first, last = training.steps[0], training.steps[-1]
    assert [numbers["step"] for numbers in training.steps] == list(range(1, 13))
    if training.recipe.method == "dpo":
        assert first["loss"] == pytest.approx(0.6931, abs=2e-3)
        assert first["margin"] == pytest.approx(0, abs=5e-3)
        assert last["loss"] < 0.3 and last["margin"] > 1 and last["accuracy"] == 1
    else:
        assert first["loss"] == pytest.approx(0.5, abs=2e-3)
        assert last["loss"] < 0.4 and trained.metrics["accuracy"] > 0.9
    assert trained.metrics["loss"] < trained.metrics["loss_first"]
    assert trained.metrics["accuracy"] >= trained.metrics["accuracy_first"]
    assert set(last) >= {"step", "steps", "loss", "accuracy", "tokens_per_second", "learning_rate"}
    assert not (trained.adapter / "ref").exists()


def stock(training: Training, start: Path | None) -> list[dict[str, float]]:
    """The same training by TRL's own trainer: every row read whole, the reference asked at every step."""
    import torch
    import trl
    from datasets import Dataset
    from transformers import PrinterCallback

    recipe = training.recipe
    name = recipe.method.upper()
    plan = (preference._plan_dpo if recipe.method == "dpo" else preference._plan_kto)(training.rows, recipe)  # type: ignore[operator]
    rows = plan.ready([(0.0, 0.0)] * len(plan.asked["prompt_ids"]))
    stock_class = type("Stock", (getattr(trl, f"{name}Trainer"),), {"_prepare_dataset": lambda _, rows, *__: rows})
    work, count = training.work / "stock", len(training.rows)
    settings = arguments(recipe, work, count, recompute=False, mixed=recipe.precision != "fp32", device="cpu")
    trainer = stock_class(
        **model_and_adapter(training.base, recipe, start, "cpu"),
        args=getattr(trl, f"{name}Config")(**settings, beta=recipe.beta, **plan.settings),
        train_dataset=Dataset.from_dict({key: column for key, column in rows.items() if not key.startswith("ref_")}),
        processing_class=training.tokenizer,
    )
    assert not trainer.precompute_ref_logps and torch.is_grad_enabled()
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return [measures(entry) for entry in trainer.state.log_history if "loss" in entry]


def test_the_numbers_are_those_of_trl(make: Make) -> None:
    start = make("before")(learning_rate=2e-2).adapter
    training = make()
    training(start=start)
    theirs = stock(training, start)
    assert len(theirs) == 4 and theirs[-1]["loss"] != pytest.approx(theirs[0]["loss"], rel=1e-2)
    for ours, other in zip(training.steps, theirs, strict=True):
        for name, value in other.items():
            assert ours[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name


def test_a_model_whose_attention_takes_no_mask_of_ours_learns_the_same(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = make()
    fast(epochs=1.0)
    monkeypatch.setattr(preference, "can_share", lambda _: False)
    plain = make("plain")
    plain(epochs=1.0)
    for ours, theirs in zip(fast.steps, plain.steps, strict=True):
        for name in ("loss", "accuracy"):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-3, abs=1e-4), name


@pytest.mark.parametrize("after", [1, 5])
def test_stopped_and_resumed_is_as_if_never_stopped(make: Make, after: int) -> None:
    """Asked before each batch of the reference, before the first step, and after each step."""
    training = make()
    with pytest.raises(StoppedError):
        training(stop_after=after)
    kept = (training.work / REFERENCE).read_bytes()
    assert kept
    training.said.clear()
    resumed = training()
    assert (training.work / REFERENCE).read_bytes().startswith(kept)
    batches = 2 if training.recipe.method == "dpo" else 4
    assert len(training.said) == max(0, batches - after), "what is known is not computed again"
    assert [numbers["step"] for numbers in training.steps] == [1, 2, 3, 4]
    whole = make("whole")
    assert weights(resumed) == weights(whole())
    assert resumed.metrics["loss"] == pytest.approx(whole.steps[-1]["loss"])


def test_a_torn_reference_is_computed_again(make: Make) -> None:
    training = make()
    with pytest.raises(StoppedError):
        training(stop_after=2)
    path = training.work / REFERENCE
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + b"\n{}\n[1]\n")
    training.said.clear()
    with pytest.raises(StoppedError):
        training(stop_after=1)
    assert len(training.said) == 1
    assert path.read_bytes().rstrip().endswith(whole.rstrip().rpartition(b"\n")[2])


def test_it_goes_on_from_an_adapter_which_is_then_the_reference(make: Make) -> None:
    before = make("before")(precision="nf4").adapter
    training = make()
    trained = training(start=before, precision="nf4", learning_rate=1e-9, epochs=0.5)
    assert training.steps[0]["loss"] == pytest.approx(0.693 if training.recipe.method == "dpo" else 0.5, abs=2e-2)
    from safetensors.torch import load_file

    old, new = (load_file(folder / "adapter_model.safetensors") for folder in (before, trained.adapter))
    assert old.keys() == new.keys()
    assert all((new[name].float() - old[name].float()).abs().max() < 1e-5 for name in old)


def test_every_answer_is_compared_with_another_of_its_batch() -> None:
    assert others([5, 6, 7, 8, 9], 2) == [6, 5, 8, 7, 8]
    assert others([5, 6, 7], 3) == [7, 5, 6]
    recipe = Recipe(epochs=3, batch_size=4)
    chosen = order([10, 20, 30, 40, 50, 60, 70], recipe)
    assert all(one != other for one, other in zip(chosen, others(chosen, 4), strict=True))


def test_with_the_prompt_taken_as_given_it_learns_too(make: Make) -> None:
    training = make()
    trained = training(epochs=6.0, through_prompt=False)
    assert trained.metrics["loss"] < trained.metrics["loss_first"] - 0.1
