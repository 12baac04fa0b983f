"""Dates and times in free text, written in one form: ``2026-06-15``, ``10:00``, ``2026-06-15 10:00``.

What may mean two days (``05.06.2026``) is left as it is, and so is every word that only looks like a month: a month
counts with a number beside it, and ``may`` and ``march`` only with a capital.
"""

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"((?i:jan(?:uary)?|feb(?:ruary)?|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|"
    r"dec(?:ember)?)|Mar(?:ch)?|MAR(?:CH)?|May|MAY)\b\.?"
)
_WEEKDAY = re.compile(
    r"\b(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?\.?,? (?=\d{4}-\d\d-\d\d)", re.IGNORECASE
)
"""A day of the week before its date; the date says it all."""
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:(?:,\s*|\s+|-)((?:19|20)\d\d)\b(?!:))?"
_DAY_FIRST = re.compile(
    rf"(?:the\s)?(?<![\w./:,-]){_DAY}(?:(\s?-\s?|\s(?:to|or|and)\s)(?:the\s)?{_DAY})?\.?(?:\sof)?[\s-]{_MONTH}{_YEAR}"
)
_MONTH_FIRST = re.compile(
    rf"(?<![Ii]n\s)\b{_MONTH}\s(?:the\s)?{_DAY}(?!\w|[:.]\d|,\d{{3}}(?!\d))(?:(\s?-\s?|\sor\s)(?:the\s)?{_DAY}\b)?{_YEAR}"
)
"""``in June 5 people came`` states a number, not a day."""
_YEAR_FIRST = re.compile(r"(?<![\w./:,-])(\d{4})([./-])(\d{1,2})\2(\d{1,2})(?![\w/-])(?!\.\d)")
_NUMERIC = re.compile(r"(?<![\w./:,-])(\d{1,2})([./])(\d{1,2})\2(\d{4})(?![\w/])(?!\.\d)")
_TWELVE = re.compile(
    r"(?<![\w:.,])(?:(\d{1,2})(?::(\d\d))?(\s?-\s?|\s(?:to|or|and)\s))?(\d{1,2})(?:[:.](\d\d))?\s?([ap])\.?m\b\.?",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(?<![\w:.,])(\d{1,2}):(\d\d)(?::\d\d(?:\.\d+)?)?(?!\w|:\d)")
_WORDED = re.compile(r"(?:(?<=\bat )|(?<=\bby )|(?<=\buntil )|\b12 )(noon|midnight)\b", re.IGNORECASE)
_HOUR = re.compile(r"(?<![\w:.,])(\d{1,2}) o'clock\b", re.IGNORECASE)
_ISO, _TIME = r"(\d{4}-\d\d-\d\d)", r"(\d\d:\d\d)\b"
_TOGETHER = re.compile(
    rf"\b{_ISO}(?:\s?,)?\s(?:(?:at|@)\s)?{_TIME}(?!\son\s\d{{4}}-)|"
    rf"\b{_TIME}(?:\son\s{_ISO}\b|,?\s{_ISO}\b(?!(?:\s?,)?\s(?:(?:at|@)\s)?\d\d:\d\d))"
)
_MOMENT = re.compile(rf"(?<![\w-]){_ISO}(?![\w-])|(?<![\w:]){_TIME}")
_IN_NUMBERS = re.compile(r"\d[./-]\d\d?[./-]\d")
_ANY = re.compile(r"\d|\b(?:noon|midnight)\b", re.IGNORECASE)
_UNCLEAR = re.compile(r"(?<![\w.,])\d{1,2}([./])\d{1,2}\1\d{4}(?!\w|[.,]\d)|(?<!\w)\d{1,2}(?::\d\d)+(?!\w)")
"""What is a date or time, though not clear which."""
IS_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[ Tt]\d\d:\d\d)?|\d\d:\d\d")
"""A text that is a day, a time or both, as tools write them."""


def one_form(text: str, like: tuple[str, ...] = ()) -> str:
    """A text with its dates and times as ``YYYY-MM-DD``, ``HH:MM``, and both together when they stand together.

    Args:
        text: any text with plain hyphens and white space (``phrases.straight``).
        like: texts whose dates give a date without a year its own: that of the same day, else of the first. Without
            any, the year is 0000.
    """
    if not _ANY.search(text):
        return text
    years, lower = _years(like), text.lower()  # most texts have few of these, so each is looked for only when it may be
    if "m" in lower:
        text = _TWELVE.sub(_twelve, text)
    if "noon" in lower or "midnight" in lower:
        text = _WORDED.sub(lambda found: "12:00" if found[1].lower() == "noon" else "00:00", text)
    if "o'clock" in lower:
        text = _HOUR.sub(lambda found: _clock(found[1], "00") or found[0], text)
    if ":" in text:
        text = re.sub(r"(?<=\d)[Tt](?=\d\d:)", " ", text)
        text = _CLOCK.sub(lambda found: _clock(found[1], found[2]) or found[0], text)
    if _IN_NUMBERS.search(text):
        text = _YEAR_FIRST.sub(lambda found: years.day(found[1], found[3], found[4]) or found[0], text)
        text = _NUMERIC.sub(lambda found: _numeric(found, years) or found[0], text)
    if any(month in lower for month in _MONTHS):
        text = _DAY_FIRST.sub(
            lambda found: _named(found, years, found[4], found[5], found[1], found[3], found[2]), text
        )
        text = _MONTH_FIRST.sub(
            lambda found: _named(found, years, found[1], found[5], found[2], found[4], found[3]), text
        )
    if "-" in text:
        text = _WEEKDAY.sub("", text)
        text = _TOGETHER.sub(lambda found: f"{found[1] or found[4] or found[5]} {found[2] or found[3]}", text)
    return text


def moments_in(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The days and the times of day in a text that is in the one form."""
    found = _MOMENT.findall(text)
    return frozenset(day for day, _ in found if day), frozenset(time for _, time in found if time)


def without_moments(text: str) -> str:
    """A text without its dates and times."""
    text = one_form(text)
    if _IN_NUMBERS.search(text) or ":" in text:
        return _UNCLEAR.sub(" ", _MOMENT.sub(" ", text))
    return text


class _Years:
    """The years that days without one belong to."""

    def __init__(self, like: Iterable[str]) -> None:
        self._of_day: dict[tuple[int, int], str] = {}
        self._first = "0000"
        for text in like:
            for year, month, day in re.findall(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?!\d)", text):
                if self._first == "0000":
                    self._first = year
                self._of_day.setdefault((int(month), int(day)), year)

    def day(self, year: str | None, month: str | int, day: str) -> str | None:
        """A day in its form; None when there is no such day."""
        key = int(month), int(day)
        year = year or self._of_day.get(key, self._first)
        try:
            date(int(year) or 2000, *key)
        except ValueError:
            return None
        return f"{year}-{key[0]:02}-{key[1]:02}"


@lru_cache(maxsize=256)
def _years(like: tuple[str, ...]) -> _Years:
    """The years of the answers of one task, which are asked for with each attempt."""
    return _Years(like)


def _named(
    found: re.Match[str], years: _Years, month: str, year: str | None, first: str, last: str | None, between: str | None
) -> str:
    """One or two days of a month that has its name."""
    number = _MONTHS.index(month[:3].lower()) + 1
    days = [years.day(year, number, day) for day in (first, last) if day]
    return found[0] if None in days else (between or "").replace("-", " - ").join(day for day in days if day)


def _numeric(found: re.Match[str], years: _Years) -> str | None:
    """A date in numbers, unless it may mean two days."""
    one, other = int(found[1]), int(found[3])
    if one == other or one > 12 >= other:
        return years.day(found[4], other, found[1])
    return years.day(found[4], one, found[3]) if other > 12 >= one else None


def _twelve(found: re.Match[str]) -> str:
    """A time before or after noon, or two times of which the second says so."""
    half = found[6].lower()
    last = _of_half(found[4], found[5] or "00", half)
    first = _of_half(found[1], found[2] or "00", half) if found[1] else ""
    if last is None or first is None:
        return found[0]
    return f"{first}{found[3].replace('-', ' - ')}{last}" if first else last


def _of_half(hour: str, minute: str, half: str) -> str | None:
    number = int(hour)
    if number > 12:
        return _clock(hour, minute) if half == "p" else None
    return _clock(str(number % 12 + 12 * (half == "p")), minute) if number else None


def _clock(hour: str, minute: str) -> str | None:
    """A time of day in its form; None when there is no such time."""
    return f"{int(hour):02}:{minute}" if int(hour) < 24 and int(minute) < 60 else None
