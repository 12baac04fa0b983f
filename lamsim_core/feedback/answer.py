"""What a closing message says, compared by type with what it must say.

The rules are strict on purpose: the agent is told to state only the answer, so a message that lists several candidate
values has not answered, even when one of them is right.
"""

import math
import re
import unicodedata

from lamsim_core.records import ExpectedAnswer

_DATE_OR_TIME = re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}:\d{2}\b")
_UNITS = "KB|MB|GB|TB|mm|cm|km|m|g|kg|ml|l|W|kW|Wh|kWh|s|min|h|C|F|K|mph|EUR|USD|GBP|x"
"""What may be written right behind a number."""
_NUMBER = re.compile(rf"(?<![\w.,])[-+]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?:(?=(?:{_UNITS})\b)|(?!\w|[.,]\d))")
_SPELLED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_WORDS = {word: float(number) for number, word in enumerate(_SPELLED.split())}
_NUMBER_WORD = re.compile(r"\b(" + "|".join(_WORDS) + r")\b")
_DECLINES = re.compile(
    r"\b(can ?not|can't|cant|unable|not able|not possible|impossible|isn't possible|not supported|not available|"
    r"no (?:\w+ ){0,2}(?:tool|function|way|means)|none of (?:the|my|these)|"
    r"(?:do not|don't|does not|doesn't) (?:have|offer|support|allow|fit|cover|let))\b"
)


_ASKS = re.compile(
    r"\?|\b(?:which|what|when|where|who|how (?:much|many|long|often)|please (?:tell|give|let|provide|specify|say|confirm)|"
    r"(?:tell|give) me|let me know|i(?:'d| would)? (?:still )?need|need to know|is missing|missing)\b"
)


def normalise(text: str) -> str:
    """Case, width, white space and surrounding punctuation do not matter when free text is compared."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    folded = re.sub(r"(?<=\d)t(?=\d\d:)", " ", folded)
    return re.sub(r"\s+", " ", folded).strip(" .,;:!?\"'`*")


def numbers_in(text: str) -> list[float]:
    """The distinct numbers a text states, dates and times left out; number words count when there are no digits."""
    rest = _DATE_OR_TIME.sub(" ", unicodedata.normalize("NFKC", text).replace("\u2212", "-"))
    found = [float(match.replace(",", "")) for match in _NUMBER.findall(rest)]
    found = [number for number in found if math.isfinite(number)]
    if not found:
        found = [_WORDS[word] for word in _NUMBER_WORD.findall(rest.casefold())]
    return list(dict.fromkeys(found))


def names(text: str, phrase: str) -> bool:
    """Whether a text holds a phrase, as whole words."""
    return _whole(phrase).search(normalise(text)) is not None


def _whole(phrase: str) -> re.Pattern[str]:
    """A phrase where it stands by itself, in normalised text."""
    return re.compile(rf"(?<!\w){re.escape(normalise(phrase))}(?!\w)")


def leaks(instruction: str, answer: ExpectedAnswer) -> bool:
    """Whether the request already gives its own answer away."""
    if answer.kind == "number":
        return _is_among(answer, numbers_in(instruction))
    if answer.kind in ("text", "list"):
        return any(names(instruction, value) for value in _values(answer))
    return False


def judge_answer(text: str, instruction: str, answer: ExpectedAnswer) -> str | None:
    """Why ``text`` is not the expected answer, in a sentence for the agent; None when it is."""
    if answer.kind == "decline":
        if _DECLINES.search(normalise(text)):
            return None
        return "None of the offered tools can do this; the closing message should say so."
    if answer.kind == "ask":
        return _judge_question(text, answer)
    if answer.kind == "number":
        known = numbers_in(instruction)
        stated = [number for number in numbers_in(text) if number not in known]
        if not stated:
            return "The closing message does not state the number that was asked for."
        if not _is_among(answer, stated):
            return f"The closing message states {_listed(stated)}, which is not the right number."
        if len(stated) > 1:
            return f"The closing message states several numbers ({_listed(stated)}); it should state only the answer."
        return None
    missing = [value for value in _values(answer) if not names(text, value)]
    if missing:
        return f"The closing message does not name {'the right value' if answer.kind == 'text' else 'all the right values'}."
    rest = normalise(text)
    for value in sorted(_values(answer), key=len, reverse=True):
        rest = _whole(value).sub(" ", rest)
    wrong = [
        rival
        for rival in answer.rivals
        if rival and names(rest, rival) and not names(instruction, rival) and rival not in _values(answer)
    ]
    if wrong:
        return f"The closing message also names {wrong[0]!r}; it should state only the answer."
    return None


def _judge_question(text: str, answer: ExpectedAnswer) -> str | None:
    if not _ASKS.search(normalise(text)) and "?" not in text:
        return "The request lacks a value that cannot be looked up; the closing message should ask the user for it."
    about = _values(answer)
    if not any(names(text, word) for word in about):
        return f"The closing message does not ask for what is missing ({about[0]})."
    known = [word for word in answer.rivals if names(text, word)]
    if known:
        return f"The closing message also asks about {known[0]!r}, which the request already says."
    return None


def _values(answer: ExpectedAnswer) -> list[str]:
    return [str(value) for value in answer.value] if isinstance(answer.value, list) else [str(answer.value)]


def _is_among(answer: ExpectedAnswer, numbers: list[float]) -> bool:
    if not isinstance(answer.value, int | float) or isinstance(answer.value, bool):
        return False  # nothing equals an answer that is not a number, 0 least of all
    return any(abs(number - answer.value) <= answer.tolerance for number in numbers)


def _listed(numbers: list[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers[:6])
