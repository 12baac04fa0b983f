"""The objects that conversations of the benchmark act on, and the one way to call them.

The eight classes come out of the hash-checked pack and are used as they are. A call names one of their public methods and
gives JSON arguments: the name is looked up in a table made of the classes alone, so no text of a model is ever evaluated, and
nothing outside the table can be reached. The official runner evaluates such text instead, and keeps objects in globals.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from lamsim_core.evaluate.bfcl.categories import CLASSES, STATELESS
from lamsim_core.evaluate.bfcl.items import Conversation
from lamsim_core.evaluate.bfcl.pack import SOURCES

_ONE_AT_A_TIME = Lock()
"""The classes share module state (the precision of mpmath), and importing them touches the search path."""
_LARGEST = 10**40
"""A larger number in a call is refused: some methods work as long as the number says."""
_LIMITS = {"precision": 10_000, "exponent": 10_000}
"""The same for arguments that set the size of a result."""


class Environment:
    """The objects of one conversation, as they are after the calls so far."""

    def __init__(self, pack: Path, conversation: Conversation) -> None:
        """Make the objects in their initial state.

        Args:
            pack: from ``ensure_pack``.
            conversation: says which, and how they begin.
        """
        self._objects: dict[str, Any] = {}
        self._table: dict[str, tuple[Any, Callable[..., Any]]] = {}
        with _ONE_AT_A_TIME:
            known = _classes(pack)
            for name in conversation.classes:
                made = known[name]()
                if name not in STATELESS:
                    initial = deepcopy(conversation.initial.get(name, {}))
                    made._load_scenario(initial, long_context=conversation.long_context)
                self._objects[name] = made
                for method, function in vars(known[name]).items():
                    if callable(function) and not method.startswith("_"):
                        self._table[method] = made, function

    def call(self, name: str, arguments: Mapping[str, Any], positional: Sequence[Any] = ()) -> str:
        """Call a method and return its result as text, an error too (``execute_multi_turn_func_call``).

        Args:
            name: of the method; one that is not in the table is an error, as any other.
            arguments: by name.
            positional: before them; only the reference gives some.
        """
        try:
            if name not in self._table:
                raise NameError(f"name {name!r} is not defined")
            _refuse_excess(arguments)
            made, function = self._table[name]
            with _ONE_AT_A_TIME:
                return _text(function(made, *positional, **arguments))
        except Exception as error:  # whatever the class raises is what the agent is told
            return f"Error during execution: {error}"

    def state(self) -> dict[str, dict[str, Any]]:
        """The public attributes of every object, by class. Not a copy."""
        return {
            name: {key: value for key, value in vars(made).items() if not key.startswith("_")}
            for name, made in self._objects.items()
        }


def _refuse_excess(value: Any, limit: int = _LARGEST) -> None:
    """Refuse numbers a method would work on for ever.

    Raises:
        ValueError: there is one.
    """
    if isinstance(value, int | float) and abs(value) > limit:
        raise ValueError("a number in this call is too large")
    if isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_excess(item, _LIMITS.get(key, _LARGEST))
    elif isinstance(value, list):
        for item in value:
            _refuse_excess(item)


def _text(result: Any) -> str:
    """A result as the official runner writes it."""
    if isinstance(result, dict):
        try:
            return json.dumps(result)
        except (TypeError, ValueError):  # holds an object JSON has no form for
            return str(result)
    return str(result)


@lru_cache(maxsize=2)
def _classes(pack: Path) -> dict[str, type[Any]]:
    """The classes, imported from the pack; it is on the search path only while that is done."""
    sys.path.insert(0, str(pack))
    try:
        modules = {name: import_module(f"{SOURCES.replace('/', '.')}.{module}") for name, module in CLASSES.items()}
    finally:
        sys.path.remove(str(pack))
    return {name: vars(module)[name] for name, module in modules.items()}
