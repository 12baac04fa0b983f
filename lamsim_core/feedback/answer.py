"""What a closing message says, compared by type with what it must say.

The rules are strict on purpose: the agent is told to state only the answer, so a message that lists several candidate
values has not answered, even when one of them is right. How the right value is written does not matter: units are
converted, dates and times brought into one form, names compared without case and accents.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from lamsim_core.feedback.moments import IS_MOMENT, moments_in
from lamsim_core.feedback.phrases import LONGEST, Wording, mentions, names, normalise
from lamsim_core.feedback.quantities import UNITS, Quantity, amounts_to, numbers_in, quantities_in
from lamsim_core.records import ExpectedAnswer

_DECLINES = re.compile(
    r"\b(can ?not|can't|cant|unable|not able|not possible|impossible|isn't possible|not supported|not available|"
    r"no (?:\w+ ){0,2}(?:tool|function|way|means)|none of (?:the|my|these)|"
    r"(?:do not|don't|does not|doesn't) (?:have|offer|support|allow|fit|cover|let))\b"
)
_ASKS = re.compile(
    r"\?|\b(?:which|what|when|where|who|how (?:much|many|long|often)|please (?:tell|give|let|provide|specify|say|confirm)|"
    r"(?:tell|give) me|let me know|i(?:'d| would)? (?:still )?need|need to know|is missing|missing)\b"
)

_NUMBERED = re.compile(r"^\s*\d{1,2}[.)]\s+", re.MULTILINE)
"""What a numbered list puts before each of its lines."""
_SENTENCES = re.compile(r"[^.!?\n]+[.!?]*")
_PLAINLY = re.compile(r"(?:no,? |sorry,? )*i(?: can ?not|(?: a|')m unable| can't)(?: do (?:it|that|this))?")


def leaks(instruction: str, answer: ExpectedAnswer) -> bool:
    """Whether the request already gives its own answer away. A number in it counts whatever its unit."""
    if _is_numeric(answer):
        asked = numbers_in(instruction)
        return any(abs(each - value) <= answer.tolerance for value in _numbers(answer) for each in asked)
    if answer.kind in ("text", "list"):
        return any(names(instruction, value) for value in _values(answer))
    return False


def judge_answer(text: str, instruction: str, answer: ExpectedAnswer) -> str | None:
    """Why ``text`` is not the expected answer, in a sentence for the agent; None when it is."""
    text = text[:LONGEST]
    if answer.kind == "decline":
        if _DECLINES.search(_own_words(text, instruction)):
            return None
        return "None of the offered tools can do this; the closing message should say so."
    if answer.kind == "ask":
        return _judge_question(_own_words(text, instruction), answer)
    if _is_numeric(answer):
        return _judge_numbers(text, instruction, answer)
    return _judge_names(text, instruction, answer)


def _own_words(text: str, instruction: str) -> str:
    """What a message says, normalised, without the sentences that only repeat words of the request.

    "Can't come" in answer to a request that says so declines nothing, and its own question asks for nothing. "I can't."
    declines all the same.
    """
    request = _words(instruction[:LONGEST])
    own = []
    for sentence in _SENTENCES.findall(text):
        said = normalise(sentence)
        if said and (_words(said) not in request or _PLAINLY.fullmatch(said)):
            own.append(said + sentence[-1])
    return " ".join(own)


def _words(text: str) -> str:
    """The words of a text with a blank around each, so that whole words are found in whole words."""
    plain = re.sub(r"[^\w']+", " ", normalise(text)).strip()
    return f" {plain} "


def _judge_question(text: str, answer: ExpectedAnswer) -> str | None:
    if not _ASKS.search(text):
        return "The request lacks a value that cannot be looked up; the closing message should ask the user for it."
    about = _values(answer)
    if not any(names(text, word) for word in about):
        return f"The closing message does not ask for what is missing ({about[0]})."
    known = [word for word in answer.rivals if names(text, word)]
    if known:
        return f"The closing message also asks about {known[0]!r}, which the request already says."
    return None


def _judge_numbers(text: str, instruction: str, answer: ExpectedAnswer) -> str | None:
    """A number, or each of several, is stated and no other but those of the request."""
    values, unit = _numbers(answer), UNITS.get(answer.unit or "")
    several = "all the numbers that were asked for" if len(values) > 1 else ""
    known = _asked(instruction)
    right, others = [], []
    stated: list[float] = []
    for each in quantities_in(_NUMBERED.sub("", text) if several else text):
        meant = [value for value in values if amounts_to(each, value, unit, answer.tolerance)]
        if meant:
            same_unit = unit is None or not each.units or unit in each.units
            if not any(each.number == one.number and (same_unit or each.units == one.units) for one in known):
                right.append(each)
                stated += meant
        elif not _is_known(each, known):
            others.append(each)
    if right and others:
        said = _listed([*right, *others])
        return f"The closing message states several numbers ({said}); it should state only the answer."
    if right:
        if not set(values).issubset(stated):
            return f"The closing message does not state {several}."
        if answer.ordered and sorted(set(values), key=stated.index) != list(dict.fromkeys(values)):
            return "The closing message states the right numbers, but not in the order that was asked for."
        return None
    if not others:
        return f"The closing message does not state {several or 'the number that was asked for'}."
    foreign = [each for each in others if unit is not None and each.units and each.unit_in(unit.dimension) is None]
    if unit is not None and foreign == others:
        return f"The closing message states {_listed(others)}; the answer is a quantity in {unit.name}."
    wrong = "are not the right numbers" if several else "is not the right number"
    return f"The closing message states {_listed(others)}, which {wrong}."


def _judge_names(text: str, instruction: str, answer: ExpectedAnswer) -> str | None:
    values = _values(answer)
    wording = Wording([*values, *answer.rivals])
    wanted = list(dict.fromkeys(wording.phrase(value) for value in values))
    rivals = {wording.phrase(rival): rival for rival in answer.rivals}
    said = wording(text)
    places = mentions(said, [*wanted, *rivals])
    if any(value not in places for value in wanted):
        return f"The closing message does not name {'the right value' if answer.kind == 'text' else 'all the right values'}."
    others = [each for each in places if each not in wanted]
    if all(IS_MOMENT.fullmatch(value) for value in wanted):
        others += _other_moments(said, wanted)
    if others:
        asked = wording(instruction)
        wrong = next((each for each in others if not mentions(asked, [each])), None)
        if wrong is not None:
            return f"The closing message also names {rivals.get(wrong, wrong)!r}; it should state only the answer."
    if answer.ordered and sorted(wanted, key=places.__getitem__) != wanted:
        return "The closing message names the right values, but not in the order that was asked for."
    return None


def _other_moments(said: str, wanted: Sequence[str]) -> list[str]:
    """Days and times that are not the answer, when the answer is a day or a time."""
    found = zip(moments_in(said), moments_in(" ".join(wanted)), strict=True)
    return [other for stated, right in found if right for other in sorted(stated - right)]


@lru_cache(maxsize=256)
def _asked(instruction: str) -> tuple[Quantity, ...]:
    """The quantities of a request, of which there are many attempts."""
    return tuple(quantities_in(instruction))


def _is_known(said: Quantity, known: Sequence[Quantity]) -> bool:
    """Whether a quantity that is not the answer repeats one of the request, in the same or another unit."""
    return any(
        said.number == one.number or any(amounts_to(said, one.number, unit, 0.0) for unit in one.units if said.units)
        for one in known
    )


def _is_numeric(answer: ExpectedAnswer) -> bool:
    """Whether the answer is a number, or a list of nothing but numbers."""
    return answer.kind == "number" or (answer.kind == "list" and len(_numbers(answer)) == len(_values(answer)))


def _numbers(answer: ExpectedAnswer) -> list[float]:
    """The numbers to state. What is none is left out, so that nothing equals it, 0 least of all."""
    values = answer.value if isinstance(answer.value, list) else [answer.value]
    return [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]


def _values(answer: ExpectedAnswer) -> list[str]:
    return [str(value) for value in answer.value] if isinstance(answer.value, list) else [str(answer.value)]


def _listed(quantities: Sequence[Quantity]) -> str:
    return ", ".join(each.written[:40] for each in quantities[:6])
