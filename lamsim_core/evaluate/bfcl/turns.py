"""Whether a conversation reaches what the reference reaches: the benchmark's own rules, checked after every turn.

Source: ``bfcl_eval/eval_checker/multi_turn_eval/multi_turn_checker.py`` of bfcl-eval 2026.3.23 (Apache-2.0).
"""

import ast
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from lamsim_core.evaluate.bfcl.environments import Environment
from lamsim_core.evaluate.bfcl.items import Conversation
from lamsim_core.evaluate.bfcl.rules import Call, Fault


class GoldCall(NamedTuple):
    """One call of the reference."""

    name: str
    positional: tuple[Any, ...]
    arguments: dict[str, Any]


def read_gold(text: str) -> GoldCall:
    """Read a call of the reference, ``mv(source='a', destination='b')``, whose values are literals. Nothing is evaluated.

    Raises:
        ValueError: it is no such call.
    """
    call = ast.parse(text, mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ValueError(f"not a call of the reference: {text!r}")
    return GoldCall(
        call.func.id,
        tuple(ast.literal_eval(value) for value in call.args),
        {str(each.arg): ast.literal_eval(each.value) for each in call.keywords},
    )


class Match:
    """A model's objects beside those of the reference, turn by turn (``multi_turn_checker``)."""

    def __init__(self, pack: Path, conversation: Conversation) -> None:
        self._gold = conversation.gold
        self._model = Environment(pack, conversation)
        self._reference = Environment(pack, conversation)
        self._seen: list[str] = []
        self._acted = False
        self._turn = 0

    def call(self, call: Call) -> str:
        """Carry out a call of the model; what it is told."""
        return self._carried_out(GoldCall(call[0], (), call[1]))

    def replay(self, call: GoldCall) -> str:
        """Carry out a call of the reference as if the model had made it."""
        return self._carried_out(call)

    def _carried_out(self, call: GoldCall) -> str:
        result = self._model.call(call.name, call.arguments, call.positional)
        self._seen.append(result)
        self._acted = True
        return result

    def end_turn(self) -> Fault | None:
        """Let the reference take its turn, and compare; None when the model is where it should be.

        A turn in which the reference does nothing is not compared: what the model did there shows in the next.
        """
        results = [
            self._reference.call(call.name, call.arguments, call.positional)
            for call in map(read_gold, self._gold[self._turn])
        ]
        turn, acted = self._turn, self._acted
        self._turn, self._acted = turn + 1, False
        if not results:
            return None
        if not acted:
            return Fault("multi_turn:empty_turn_model_response", f"Turn {turn + 1}: no call was made.")
        return self._state_fault(turn) or self._response_fault(turn, results)

    def _state_fault(self, turn: int) -> Fault | None:
        """Every public attribute of every object is the same (``state_checker``)."""
        model = self._model.state()
        for name, attributes in self._reference.state().items():
            different = [key for key, value in attributes.items() if model[name].get(key, _NOTHING) != value]
            if different:
                return Fault(
                    "multi_turn:instance_state_mismatch",
                    f"Turn {turn + 1}: {name} is in another state: {', '.join(different)}.",
                )
        return None

    def _response_fault(self, turn: int, results: list[str]) -> Fault | None:
        """The model has seen all that the reference sees in this turn, in any order and turn (``response_checker``)."""
        missing = Counter(results) - Counter(self._seen)
        if not missing:
            return None
        return Fault(
            "multi_turn:execution_response_mismatch",
            f"Turn {turn + 1}: a result of the reference was not seen: {next(iter(missing))[:300]}",
        )


_NOTHING = object()
"""Stands for an attribute that is not there."""
