"""The official checker of calls, asked in a process of its own. Run as a file by ``proof``; nothing imports it.

It is loaded from the pack. Of the list of models that it imports, and that drags in a dozen client libraries, it wants only
whether a model writes ``_`` for ``.`` in names; so that list is one that says no for every model.

    python -I official.py PACK < tasks.jsonl > verdicts.jsonl

Each line in: ``category``, ``functions``, ``accepted``, and ``answers``, a list of lists of ``[name, arguments]``. Each line
out: for every answer null when it is right, else the kind of fault, or ``raised:`` and the exception the checker broke with.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

_MODELS = "bfcl_eval.constants.model_config"


def _checker(pack: str) -> Any:
    models = ModuleType(_MODELS)
    vars(models)["MODEL_CONFIG_MAPPING"] = defaultdict(lambda: SimpleNamespace(underscore_to_dot=False))
    sys.modules[_MODELS] = models
    sys.path.insert(0, pack)
    return import_module("bfcl_eval.eval_checker.ast_eval.ast_checker")


def verdicts(checker: Any, task: dict[str, Any]) -> Iterable[str | None]:
    """What the official checker says of each answer to a task."""
    python = next(each for each in checker.Language if each.value == "python")
    for answer in task["answers"]:
        calls = [{name: arguments} for name, arguments in answer]
        try:
            found = checker.ast_checker(task["functions"], calls, task["accepted"], python, task["category"], "any")
        except Exception as error:  # that it breaks is what is to be known
            yield f"raised:{type(error).__name__}"
            continue
        yield None if found["valid"] else found["error_type"]


if __name__ == "__main__":
    official = _checker(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(list(verdicts(official, json.loads(line)))))
