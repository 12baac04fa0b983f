"""What needs torch and is wanted by the app, asked of a child process: the app's own process stays light and quick.

The child reads one question from its standard input and prints one answer, both JSON; what libraries print goes to the log.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from lamsim_core.errors import InvalidInputError, LamsimError, ModelError, TrainingError
from lamsim_core.records import Recipe, Record
from lamsim_core.settings import REPOSITORY, Settings, get_settings
from lamsim_core.train.doctor import Examination, examine_model
from lamsim_core.train.preflight import Preflight, preflight
from lamsim_core.train.sheet import Sheet, read_sheet

_ERRORS: Mapping[str, type[LamsimError]] = {
    kind.__name__: kind for kind in (InvalidInputError, ModelError, TrainingError)
}
"""Errors that come back as what they were; any other comes back as a ``LamsimError`` with its sentence."""


def preflight_apart(settings: Settings, dataset: str, model: str, recipe: Recipe) -> Preflight:
    """``preflight`` in a process of its own; raises what it raises."""
    said = _ask(settings, "preflight", dataset=dataset, model=model, recipe=recipe.model_dump(mode="json"))
    return Preflight.model_validate_json(said)


def sheet_apart(settings: Settings, dataset: str, model: str) -> Sheet:
    """``read_sheet`` in a process of its own; raises what it raises."""
    return Sheet.model_validate_json(_ask(settings, "sheet", dataset=dataset, model=model))


def examine_apart(settings: Settings, model: str) -> Examination:
    """``examine_model`` in a process of its own; raises what it raises."""
    return Examination.model_validate_json(_ask(settings, "doctor", model=model))


_ANSWERS: Mapping[str, Callable[[Settings, dict[str, Any]], Record]] = {
    "preflight": lambda settings, asked: preflight(
        settings, asked["dataset"], asked["model"], Recipe.model_validate(asked["recipe"])
    ),
    "sheet": lambda settings, asked: read_sheet(settings, asked["dataset"], asked["model"]),
    "doctor": lambda settings, asked: examine_model(settings, asked["model"]),
}


def _ask(settings: Settings, what: str, **asked: Any) -> str:
    """The answer of a child, as JSON.

    Raises:
        LamsimError: what the child was asked for cannot be had, or it died.
    """
    offline = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    try:
        child = subprocess.run(
            [sys.executable, "-m", "lamsim_core.train.apart"],
            cwd=REPOSITORY,
            env={**os.environ, **settings.environment(), **offline},
            input=json.dumps({"what": what, **asked}).encode(),
            stdout=subprocess.PIPE,
            check=False,
        )
        told = json.loads(child.stdout)
    except (OSError, ValueError) as error:
        raise LamsimError(
            "The process that was to count this ended without an answer. The log of the app says why."
        ) from error
    if "error" in told:
        raise _ERRORS.get(told["kind"], LamsimError)(told["error"])
    return str(told["answer"])


def _answer(asked: dict[str, Any]) -> dict[str, str]:
    try:
        return {"answer": _ANSWERS[asked["what"]](get_settings(), asked).model_dump_json()}
    except LamsimError as error:
        return {"error": str(error), "kind": type(error).__name__}


def _main() -> None:
    spoken = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not get into the answer
    with os.fdopen(spoken, "w", encoding="utf-8") as out:
        json.dump(_answer(json.load(sys.stdin)), out)


if __name__ == "__main__":
    _main()
