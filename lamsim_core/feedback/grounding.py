"""Whether an answer was looked up: what the results an agent saw hold, compared with where the answer comes from."""

import re
from collections.abc import Iterable, Iterator, Sequence

from pydantic import JsonValue

from lamsim_core.feedback.phrases import Wording, mentions, names, normalise
from lamsim_core.records import ExpectedAnswer, Step

_SMALL = 20
IDENTIFIER = re.compile(r"[A-Za-z]{1,12}[_-]\d{2,12}")
"""Ids of rows, as the worlds make them."""


def leaves(value: JsonValue) -> Iterator[JsonValue]:
    """The texts and numbers of a JSON value, one by one."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield value


def same_leaf(one: JsonValue, other: JsonValue) -> bool:
    """Whether two texts or numbers are the same."""
    return _form(one) == _form(other)


def why_ungrounded(answer: ExpectedAnswer, steps: Sequence[Step], instruction: str = "") -> str | None:
    """Why nothing an agent saw can have told it the answer, in a sentence for the agent; None when something can.

    A value that a result holds must have been seen; a value that has to be worked out needs a result it follows from.
    Other ways to the same knowledge count: only what was seen matters, not which tool told it. What the request says
    itself is no sign that anything was looked up.
    """
    seen = _seen(steps)
    if seen is None:
        return "The answer was given without looking anything up."
    whole = all(holds(seen, value) for value in values_of(answer))
    if whole and (answer.direct or not common_number(answer.value)):
        return None
    if answer.direct and answer.kind != "number":
        return "The answer was not looked up: no result that was seen holds it."
    forms = {_form(leaf) for leaf in seen}
    groups = [group if whole else _unsaid(_telling(group), instruction) for group in answer.sources]
    if all(not group or forms & {_form(leaf) for leaf in group} for group in groups):
        return None
    return "The answer was not looked up: no result that was seen holds what it follows from."


def recited(text: str, answer: ExpectedAnswer, steps: Sequence[Step], instruction: str) -> list[str]:
    """The values of results that a closing message names beside the answer; those the request says do not count."""
    said, asked = normalise(text), normalise(instruction)
    own = [normalise(str(value)) for value in values_of(answer)]
    seen = dict.fromkeys(filter(None, (normalise(str(leaf)) for leaf in _seen(steps) or ())))
    return [
        value
        for value in seen
        if value in said
        and value not in asked
        and names(said, value)
        and not any(v in value or value in v for v in own)
    ]


def _telling(group: tuple[JsonValue, ...]) -> tuple[JsonValue, ...]:
    """What of a source tells something: ids only lead to it, so they count where there is nothing else."""
    return tuple(leaf for leaf in group if not (isinstance(leaf, str) and IDENTIFIER.fullmatch(leaf))) or group


def _unsaid(group: tuple[JsonValue, ...], instruction: str) -> tuple[JsonValue, ...]:
    """What of a source the request does not say itself; all of it when it says everything."""
    return tuple(leaf for leaf in group if not holds([instruction], leaf)) or group


def told(value: JsonValue, steps: Sequence[Step]) -> bool:
    """Whether a result that was seen holds a value."""
    return holds(_seen(steps) or [], value)


def values_of(answer: ExpectedAnswer) -> list[JsonValue]:
    """The values an answer names."""
    return list(answer.value) if isinstance(answer.value, list) else [answer.value]


def _seen(steps: Sequence[Step]) -> list[JsonValue] | None:
    """Every text and number of the results of calls that ran; None when none ran."""
    results = [s.observation.content for s in steps if s.observation is not None and s.observation.ok]
    return list(leaves(results)) if results else None


def holds(seen: Iterable[JsonValue], value: JsonValue) -> bool:
    """Whether a value is among texts and numbers, or a whole phrase within one of the texts, a date in any writing."""
    wording = Wording((str(value),))
    phrase, form = wording.phrase(str(value)), _form(value)
    return any(
        _form(leaf) == form or (isinstance(leaf, str) and bool(mentions(wording(leaf), [phrase]))) for leaf in seen
    )


def common_number(value: JsonValue) -> bool:
    """Whether a value is a whole number so small that seeing it somewhere tells nothing."""
    return isinstance(value, int | float) and abs(value) <= _SMALL and float(value).is_integer()


def _form(leaf: JsonValue) -> str:
    if isinstance(leaf, int | float):
        return f"{float(leaf):.6f}"
    return normalise(str(leaf))
