"""Names and phrases in free text: where they stand, whichever way they are written."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from lamsim_core.environment import folded
from lamsim_core.feedback.moments import IS_MOMENT, one_form

LONGEST = 20_000
"""Characters of a text that are looked at; no closing message comes near."""
_SHORT = 400
"""Texts up to this length are written anew once: the same results and requests are looked at again and again."""
_PLAIN = str.maketrans(
    {**dict.fromkeys("‐‑‒–—―−", "-"), **dict.fromkeys("‘’‚‛′´`", "'"), **dict.fromkeys("“”„‟″«»", '"')}
)
_PHONE = re.compile(r"\+\d{7,15}")
_INTEGER = re.compile(r"-?\d{1,15}")
_SPACE = re.compile(r"\s+")
_T_OF_MOMENT = re.compile(r"(?<=\d)t(?=\d\d:)")


def normalise(text: str) -> str:
    """Case, width, white space and surrounding punctuation do not matter when free text is compared."""
    return _normalised_once(text) if len(text) <= _SHORT else _normalised(text)


def _normalised(text: str) -> str:
    plain = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return _SPACE.sub(" ", _T_OF_MOMENT.sub(" ", plain)).strip(" .,;:!?\"'`*")


_normalised_once = lru_cache(maxsize=8192)(_normalised)


def straight(text: str) -> str:
    """The beginning of a text, with plain dashes, quotes and blanks for the typographic ones."""
    text = text[:LONGEST]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_PLAIN))
    return " ".join(text.split())


class Wording:
    """How texts are written before phrases are looked for: names without case and accents, and moments in one form.

    Dates and times are rewritten only when one of the phrases is one, so that a title that has one stays what it is.
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        self._moments = tuple(p for p in phrases if p[:2].isdigit() and IS_MOMENT.fullmatch(p))

    def __call__(self, text: str) -> str:
        """A text as it is compared."""
        write = _written_once if len(text) <= _SHORT else _written
        return write(text, self._moments)

    def phrase(self, phrase: str) -> str:
        """A phrase as it is compared, without punctuation around it."""
        return _phrase(phrase, self._moments)


def names(text: str, phrase: str) -> bool:
    """Whether a text holds a phrase, as whole words."""
    wording = Wording((phrase,))
    return bool(mentions(wording(text), [wording.phrase(phrase)]))


def mentions(text: str, phrases: Iterable[str]) -> dict[str, int]:
    """The phrases a text holds as whole words, and where each stands first; both already written as they are compared.

    A phrase that is part of a longer one does not count where the longer one stands: who says ``Room Aspen`` has not
    said ``Room``.
    """
    found: dict[str, int] = {}
    for phrase in sorted(set(phrases), key=len, reverse=True):
        literal, pattern = _pattern(phrase)
        if not phrase or (literal and phrase not in text):
            continue
        first = pattern.search(text)
        if first is not None:
            found[phrase] = first.start()
            text = pattern.sub(lambda match: "\0" * len(match[0]), text)
    return found


def _written(text: str, moments: tuple[str, ...]) -> str:
    plain = straight(text)
    if moments:
        plain = one_form(plain, moments)
    return plain.lower() if plain.isascii() else " ".join(folded(plain).split())


_written_once = lru_cache(maxsize=8192)(_written)


@lru_cache(maxsize=4096)
def _phrase(phrase: str, moments: tuple[str, ...]) -> str:
    written = _written(phrase, moments)
    return written.strip(" .,;:!?\"'*") or written


@lru_cache(maxsize=4096)
def _pattern(phrase: str) -> tuple[bool, re.Pattern[str]]:
    """What finds a phrase as whole words, and whether it stands in a text letter by letter.

    Numbers may have commas at the thousands and are no part of longer numbers; telephone numbers may have gaps.
    """
    if _PHONE.fullmatch(phrase):
        return False, re.compile(r"(?<!\w)\+" + r"[ ()/.-]{0,3}".join(phrase[1:]) + r"(?!\w)")
    if _INTEGER.fullmatch(phrase):
        size = len(phrase.removeprefix("-"))
        digits = re.sub(r"\B(?=(?:\d{3})+$)", ",?", phrase) if size > 3 else phrase
        before = r"(?<!\d,)" if size == 3 else ""
        return False, re.compile(rf"(?<!\w)(?<!\d\.){before}{digits}(?!\w|\.\d|,\d{{3}}(?!\d))")
    return True, re.compile(rf"(?<!\w){re.escape(phrase)}(?!\w)")
