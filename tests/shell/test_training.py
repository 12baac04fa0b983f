"""The command that trains: its recipe, its method, what it starts from, and jobs it goes on with."""

from typing import Any

import pytest

from lamsim_core.settings import Settings
from tests.pages.standing import standing_adapter, standing_dataset
from tests.shell.conftest import Shell
from tests.train.making import freeze_rows, pair_rows


def test_train_hands_the_whole_recipe_to_its_job(shell: Shell, home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from lamsim_core.shell import training

    asked: list[tuple[Any, ...]] = []

    def run(settings: Settings, kind: str, params: dict[str, Any], label: str) -> tuple[str, dict[str, Any]]:
        asked.append((kind, params, label))
        return "job_x", {"adapter": "ada_x", "name": params["name"]}

    monkeypatch.setattr(training, "run_in_foreground", run)
    monkeypatch.setattr(
        "lamsim_core.curate.datasets.find_dataset", lambda _, name: SimpleNamespace(id="ds_1", name=name, kind="sft")
    )
    data = shell(
        *(
            "train",
            "--dataset",
            "first",
            "--model",
            "smollm2-135m",
            "--name",
            "mine",
            "--epochs",
            "2",
            "--lora-rank",
            "8",
        ),
        *("--precision", "fp32", "--max-optimizer-steps", "5", "--json"),
    ).json
    assert data == {"job": "job_x", "adapter": "ada_x", "name": "mine"}
    kind, params, label = asked[0]
    assert (kind, params["dataset"], params["model"], params["name"]) == ("train", "ds_1", "smollm2-135m", "mine")
    recipe = params["recipe"]
    assert (recipe["epochs"], recipe["lora_rank"], recipe["precision"], recipe["max_optimizer_steps"]) == (
        2.0,
        8,
        "fp32",
        5,
    )
    assert recipe["batch_size"] == 4 and "mine" in label


def test_train_takes_its_method_from_the_dataset_and_its_start_from_an_adapter(
    shell: Shell, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lamsim_core.shell import training

    asked: list[dict[str, Any]] = []

    def run(settings: Settings, kind: str, params: dict[str, Any], label: str) -> tuple[str, dict[str, Any]]:
        asked.append(params)
        return "job_x", {"name": params["name"]}

    monkeypatch.setattr(training, "run_in_foreground", run)
    adapter = standing_adapter(home, standing_dataset(home))
    pairs = freeze_rows(home, pair_rows(2), "preference")
    given = ("train", "--dataset", pairs.id, "--name", "mine", "--json")
    assert shell(*given, "--from-adapter", "mine-1", "--beta", "0.3", "--preset", "quick").code == 0
    assert (asked[0]["from_adapter"], asked[0]["model"]) == (adapter.id, "smollm2-135m")
    recipe = asked[0]["recipe"]
    assert (recipe["method"], recipe["beta"], recipe["learning_rate"]) == ("dpo", 0.3, 5e-5)
    assert (recipe["max_optimizer_steps"], recipe["lora_rank"]) == (30, adapter.recipe.lora_rank)
    wrong = shell(*given, "--method", "sft")
    assert wrong.code == 1 and "Train on it with the method dpo" in wrong.json["error"]
    assert "no adapter named" in shell(*given, "--from-adapter", "nothing").json["error"]
    assert "beta" in shell(*given, "--beta", "0").json["error"]
    assert len(asked) == 1


def test_train_resumes_training_jobs_only(shell: Shell) -> None:
    job = shell("explore", "--model", "gold", "--tasks", "1", "--json").json["job"]
    found = shell("train", "--resume", job, "--json")
    assert found.code == 1 and "is a job of kind explore" in found.json["error"]
    assert shell("train", "--resume", "job_nope", "--json").json["kind"] == "NotFoundError"
