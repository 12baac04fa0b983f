"""Training learns, only from what is to be learnt, the same for the same seed, and goes on exactly where it stopped."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamsim_core.errors import StoppedError, TrainingError
from lamsim_core.models.folder import file_sha256
from lamsim_core.records import Recipe
from lamsim_core.train import running
from lamsim_core.train.callbacks import CHECKPOINT_MANIFEST, last_checkpoint, seal_checkpoint, sound
from lamsim_core.train.order import order
from lamsim_core.train.rows import TokenRow, to_row, tokenize_rows
from lamsim_core.train.running import Trained, finished_steps, optimizer_steps
from lamsim_core.train.sft import train
from tests.train.making import QUICK, gold


@pytest.fixture(scope="module")
def rows(tokenizer: Any) -> list[TokenRow]:
    return tokenize_rows(tokenizer, [to_row(trajectory) for trajectory in gold(4)], 4096).rows


class Training:
    """Runs trainings of the tiny model in one folder."""

    def __init__(self, work: Path, base: Path, tokenizer: Any, rows: list[TokenRow]) -> None:
        self.work, self.base, self.tokenizer, self.rows = work, base, tokenizer, rows
        self.steps: list[dict[str, float]] = []

    def __call__(self, recipe: Recipe = QUICK, stop_after: int | None = None, run: str = "r") -> Trained:
        asked = iter(range(10_000))
        return train(
            self.rows,
            self.base,
            self.tokenizer,
            recipe,
            self.work,
            run=run,
            # Asked before the first step and after each one.
            should_stop=lambda: stop_after is not None and next(asked) >= stop_after,
            report=self.steps.append,
        )


@pytest.fixture
def training(tmp_path: Path, tiny_folder: Path, tokenizer: Any, rows: list[TokenRow]) -> Training:
    return Training(tmp_path / "work", tiny_folder, tokenizer, rows)


def weights(trained: Trained) -> str:
    return file_sha256(trained.adapter / "adapter_model.safetensors")


def test_it_learns_and_reports_every_step(training: Training) -> None:
    trained = training(QUICK.model_copy(update={"epochs": 6.0}))
    assert [numbers["step"] for numbers in training.steps] == list(range(1, 13))
    assert trained.metrics["loss"] < trained.metrics["loss_first"] - 0.5
    assert trained.metrics["steps"] == 12
    for numbers in training.steps:
        assert set(numbers) >= {"step", "loss", "epoch", "tokens_per_second", "learning_rate", "token_accuracy"}
        assert numbers["tokens_per_second"] > 0
    assert training.steps[-1]["epoch"] == 6.0


def test_the_loss_is_that_of_the_trained_tokens_alone(training: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first loss equals cross-entropy computed by hand; TRL's own way of scoring gives the same training."""
    import contextlib

    import torch
    from transformers import AutoModelForCausalLM

    fast = training()
    chosen = order([len(row.input_ids) for row in training.rows], QUICK)[:2]
    model = AutoModelForCausalLM.from_pretrained(training.base)
    losses: list[float] = []
    for place in chosen:
        row = training.rows[place]
        logits = model(torch.tensor([row.input_ids])).logits[0, :-1].float().log_softmax(-1)
        labels = row.labels[1:]
        losses += [-float(logits[i, label].detach()) for i, label in enumerate(labels) if label != -100]
    assert training.steps[0]["loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-4)
    monkeypatch.setattr(running, "only_trained_tokens_scored", contextlib.nullcontext)
    other = Training(training.work / "other", training.base, training.tokenizer, training.rows)
    slow = other()
    assert [s["loss"] for s in other.steps] == pytest.approx([s["loss"] for s in training.steps], rel=1e-4)
    assert slow.metrics["token_accuracy"] == pytest.approx(fast.metrics["token_accuracy"])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(training: Training) -> None:
    first = weights(training())
    again = Training(training.work / "again", training.base, training.tokenizer, training.rows)
    assert weights(again()) == first
    other = Training(training.work / "other", training.base, training.tokenizer, training.rows)
    assert weights(other(QUICK.model_copy(update={"seed": 1}))) != first


@pytest.mark.parametrize("after", [1, 2, 3])
def test_stopped_and_resumed_is_as_if_never_stopped(training: Training, after: int) -> None:
    with pytest.raises(StoppedError, match=f"step {after} of 4"):
        training(stop_after=after)
    assert finished_steps(training.work, "r") == after
    resumed = training()
    assert [numbers["step"] for numbers in training.steps] == [1, 2, 3, 4]
    whole = Training(training.work / "whole", training.base, training.tokenizer, training.rows)
    assert weights(resumed) == weights(whole())
    assert resumed.metrics["loss"] == pytest.approx(training.steps[-1]["loss"])


def test_activations_are_computed_again_where_memory_is_short_and_change_nothing(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = weights(training())
    monkeypatch.setattr("lamsim_core.train.memory._SHARE", 0.0)
    short = Training(training.work / "short", training.base, training.tokenizer, training.rows)
    assert weights(short()) == kept


def test_a_stop_before_the_first_step_trains_nothing(training: Training) -> None:
    with pytest.raises(StoppedError, match="before its next step"):
        training(stop_after=0)
    assert training.steps == []


def test_a_stop_at_the_last_step_is_a_finish(training: Training) -> None:
    assert training(stop_after=4).metrics["steps"] == 4


def test_another_runs_checkpoints_are_not_resumed(training: Training) -> None:
    with pytest.raises(StoppedError):
        training(stop_after=2, run="one")
    training.steps.clear()
    training(run="two")
    assert [numbers["step"] for numbers in training.steps] == [1, 2, 3, 4]


@pytest.mark.parametrize("harm", ["cut", "changed", "missing", "added", "no manifest"])
def test_a_checkpoint_that_is_not_what_was_written_is_never_resumed(training: Training, harm: str) -> None:
    with pytest.raises(StoppedError):
        training(stop_after=3)
    folder = training.work / "checkpoints"
    newest = folder / "checkpoint-3"
    state = newest / "optimizer.pt"
    if harm == "cut":
        state.write_bytes(state.read_bytes()[:-1])
    elif harm == "changed":
        state.write_bytes(b"\x80\x04" + state.read_bytes()[2:])
    elif harm == "missing":
        state.unlink()
    elif harm == "added":
        (newest / "evil.bin").write_bytes(b"x")
    else:
        (newest / CHECKPOINT_MANIFEST).unlink()
    assert last_checkpoint(folder, "r") == folder / "checkpoint-2"
    assert not newest.exists()
    training.steps.clear()
    training()
    assert [numbers["step"] for numbers in training.steps] == [3, 4]


def test_checkpoints_hold_no_pickle_that_needs_trust(training: Training) -> None:
    """What torch reads when resuming loads with weights_only, and the adapter itself is safetensors."""
    import torch
    from transformers.trainer_pt_utils import safe_globals

    with pytest.raises(StoppedError):
        training(stop_after=2)
    newest = training.work / "checkpoints" / "checkpoint-2"
    names = {path.name for path in newest.iterdir()}
    assert "adapter_model.safetensors" in names and "adapter_model.bin" not in names
    pickled = [path for path in newest.iterdir() if path.suffix in (".pt", ".pth", ".bin")]
    assert {path.name for path in pickled} == {"optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"}
    for path in pickled:
        if path.name != "training_args.bin":
            with safe_globals():
                torch.load(path, weights_only=True)


def test_a_manifest_names_its_run(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1", encoding="utf-8")
    assert not sound(tmp_path, "r")
    seal_checkpoint(tmp_path, "r")
    assert sound(tmp_path, "r") and not sound(tmp_path, "s")
    (tmp_path / CHECKPOINT_MANIFEST).write_text("[]", encoding="utf-8")
    assert not sound(tmp_path, "r")


def test_a_loss_that_is_no_number_is_said(training: Training) -> None:
    with pytest.raises(TrainingError, match="smaller learning rate"):
        training(QUICK.model_copy(update={"learning_rate": 1e20}))


@pytest.mark.parametrize("precision", ["nf4", "bf16"])
def test_other_precisions_train_too(training: Training, precision: Any) -> None:
    trained = training(QUICK.model_copy(update={"precision": precision, "max_optimizer_steps": 2}))
    assert trained.metrics["steps"] == 2


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=40),
    st.floats(0.1, 4),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 9),
)
def test_every_row_comes_as_often_as_asked(
    lengths: list[int], epochs: float, batch: int, accumulation: int, seed: int
) -> None:
    recipe = Recipe(epochs=epochs, batch_size=batch, gradient_accumulation=accumulation, seed=seed)
    chosen = order(lengths, recipe)
    assert len(chosen) == round(len(lengths) * epochs)
    assert chosen == order(lengths, recipe)
    times = Counter(chosen)
    for place in range(len(lengths)):
        assert int(epochs) <= times[place] <= int(epochs) + 1
    steps = optimizer_steps(len(lengths), recipe)
    assert max(0, steps - 1) * batch * accumulation <= max(len(chosen), 1) <= max(1, steps * batch * accumulation)


def test_rows_of_like_length_share_a_batch() -> None:
    lengths = [10, 1000] * 20
    chosen = order(lengths, Recipe(batch_size=4))
    batches = [chosen[start : start + 4] for start in range(0, 40, 4)]
    assert all(len({lengths[place] for place in batch}) == 1 for batch in batches)
    assert [lengths[batch[0]] for batch in batches] != sorted((lengths[batch[0]] for batch in batches), reverse=True)
