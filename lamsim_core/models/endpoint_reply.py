"""From a server's deltas to the raw reply as the product knows it: what is said, then its calls as ``<tool_call>`` blocks.

So parsing, verdicts and training rows need not know that a server had split the reply. Nothing is mended on the way: calls
whose arguments are no JSON object are written as they came, and are found broken where every other call is.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from lamsim_core.models.backend import CallMessage
from lamsim_core.models.chat import reply_text
from lamsim_core.models.endpoint_messages import CLOSE, OPEN

MAX_CHARACTERS = 400_000
"""Characters read of one reply: more than any limit on tokens lets through."""


@dataclass
class _Call:
    index: int | None
    id: str | None
    name: str = ""
    arguments: str = ""


class ReplyWriter:
    """Puts one reply together."""

    def __init__(self) -> None:
        self.text = ""
        """What was written so far."""
        self.characters = 0
        """How much was read, calls included."""
        self._calls: list[_Call] = []
        self._half = ""

    def say(self, delta: str) -> str:
        """Add a piece of text; returns what can be shown of it.

        Servers that write JSON escapes may cut a character outside the basic plane into halves, one in each delta.
        """
        self.characters += len(delta)
        delta, self._half = self._half + delta, ""
        if delta and "\ud800" <= delta[-1] <= "\udbff":
            delta, self._half = delta[:-1], delta[-1]
        piece = _joined(delta)
        self.text += piece
        return piece

    def call(self, index: int | None, call_id: str | None, name: str | None, arguments: str | None) -> None:
        """Add a piece of a call.

        Servers number the calls of a reply; some leave the number out, or give every call the number 0 and a new id.
        """
        self.characters += len(name or "") + len(arguments or "")
        found = next((call for call in reversed(self._calls) if call.index == index), None)
        if found is None or (name and found.name and call_id and call_id != found.id) or (index is None and name):
            found = _Call(index, call_id)
            self._calls.append(found)
        found.name += name or ""
        found.arguments += arguments or ""

    def end(self, finish: Literal["end", "length"]) -> str:
        """Write what is left: half a character, and the calls. Returns what was added."""
        added = "\ufffd" if self._half else ""
        for place, call in enumerate(self._calls):
            cut = finish == "length" and place == len(self._calls) - 1
            block = call_block(_joined(call.name), _joined(call.arguments), cut=cut)
            added += f"\n{block}" if self.text + added else block
        self.text += added
        return added


def call_block(name: str, arguments: str, *, cut: bool = False) -> str:
    """A call in the form agents write it.

    Args:
        name: the tool's name as it came.
        arguments: JSON text as it came; nothing at all means no arguments.
        cut: whether the reply met its limit here, so that nothing at all means nothing yet.
    """
    try:
        values = json.loads(
            arguments if arguments.strip() or cut else "{}", object_pairs_hook=_unique, parse_constant=_refuse
        )
        if isinstance(values, dict):
            json.dumps(values, allow_nan=False)
            block = reply_text("", [CallMessage(name=name, arguments=values)])
            return block if block.count(OPEN) == block.count(CLOSE) == 1 else _marks_hidden(block)
    except (ValueError, RecursionError):
        pass
    return f'{OPEN}\n{{"name": {json.dumps(name, ensure_ascii=False)}, "arguments": {arguments}}}\n{CLOSE}'


def _marks_hidden(block: str) -> str:
    """The same JSON, with the marks of a call that stand within its values spelt in a way that is not taken for one."""
    body = block.removeprefix(OPEN).removesuffix(CLOSE)
    return OPEN + body.replace(OPEN, "\\u003c" + OPEN[1:]).replace(CLOSE, "\\u003c" + CLOSE[1:]) + CLOSE


def _joined(text: str) -> str:
    """Halves of characters put together; a half without its other becomes the replacement character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
