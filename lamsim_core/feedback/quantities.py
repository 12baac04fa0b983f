"""Numbers in free text with the units behind them (or, for money, before them), and when two say the same.

A unit tells apart what cannot be the answer (``3 h`` is no length) and lets the same amount be said in other words
(``2 h 30 min`` for 150 minutes).
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from lamsim_core.feedback.moments import without_moments
from lamsim_core.feedback.phrases import LONGEST, straight


class Unit(NamedTuple):
    """A unit and what it is made of."""

    name: str
    dimension: str
    """What it measures; only units of one dimension are converted. Each currency is one of its own."""
    size: float
    """How many of the dimension's first unit it is."""
    zero: float = 0.0
    """Where its zero lies, in the dimension's first unit (for temperatures)."""

    @property
    def is_currency(self) -> bool:
        """Whether it is money."""
        return self.name == self.dimension


_TABLE: dict[str, tuple[tuple[str, float, str], ...]] = {
    "length": (
        ("m", 1, "metre meter"),
        ("mm", 0.001, "millimetre millimeter"),
        ("cm", 0.01, "centimetre centimeter"),
        ("km", 1000, "kilometre kilometer"),
        ("mi", 1609.344, "mile"),
        ("ft", 0.3048, "foot feet"),
        ("inch", 0.0254, "inches"),
    ),
    "mass": (
        ("g", 1, "gram gramme"),
        ("kg", 1000, "kilogram kilogramme kilo"),
        ("mg", 0.001, "milligram"),
        ("lb", 453.59237, "pound"),
        ("oz", 28.349523125, "ounce"),
    ),
    "volume": (("l", 1, "L litre liter"), ("ml", 0.001, "millilitre milliliter"), ("gal", 3.785411784, "gallon")),
    "time": (
        ("s", 1, "sec second"),
        ("min", 60, "m minute"),
        ("h", 3600, "hr hour"),
        ("day", 86400, ""),
        ("week", 604800, "wk"),
    ),
    # Drives and songs are counted in decimal megabytes here, as the SI has it and as disks are sold.
    "data": (
        ("MB", 1, "megabyte"),
        ("byte", 1e-6, ""),
        ("KB", 0.001, "kilobyte"),
        ("GB", 1000, "gigabyte"),
        ("TB", 1e6, "terabyte"),
        ("KiB", 0.001024, "kibibyte"),
        ("MiB", 1.048576, "mebibyte"),
        ("GiB", 1073.741824, "gibibyte"),
    ),
    "power": (("W", 1, "W watt"), ("kW", 1000, "kilowatt")),
    "energy": (("Wh", 1, "watthour"), ("kWh", 1000, "kilowatthour")),
    "percentage": (("%", 1, "percent pct"),),
}
_CURRENCIES = (
    "EUR USD GBP CHF SEK PLN HUF JPY CAD AUD INR BRL TRY NOK CZK MXN ZAR KRW ISK THB DKK NZD SGD HKD CNY RON BGN ILS"
)
_MONEY_WORDS = {
    "€": "EUR",
    "euro": "EUR",
    "$": "USD CAD AUD NZD SGD HKD MXN",
    "dollar": "USD CAD AUD NZD SGD HKD",
    "£": "GBP",
    "pound": "GBP",
    "¥": "JPY CNY",
    "yen": "JPY",
    "zloty": "PLN",
    "forint": "HUF",
}


def _known() -> tuple[dict[str, Unit], dict[str, tuple[Unit, ...]]]:
    """Every unit by its name, and what each word beside a number may stand for."""
    units = [(Unit(name, kind, size), words) for kind, rows in _TABLE.items() for name, size, words in rows]
    units += [(Unit("°C", "temperature", 1), "C celsius"), (Unit("°F", "temperature", 5 / 9, -160 / 9), "F fahrenheit")]
    meanings: dict[str, tuple[Unit, ...]] = {}
    for unit, spellings in units:
        for word in (unit.name.lower(), *spellings.split()):
            for form in (word, f"{word}s") if len(word) > 1 else (word,):
                meanings[form] = (*meanings.get(form, ()), unit)
    money = {code: Unit(code, code, 1) for code in _CURRENCIES.split()}
    meanings.update((code, (unit,)) for code, unit in money.items())  # capitals only: "try" is a word
    for word, codes in _MONEY_WORDS.items():
        for form in (word, f"{word}s"):
            meanings[form] = (*meanings.get(form, ()), *(money[code] for code in codes.split()))
    return {unit.name: unit for unit, _ in units} | money, meanings


UNITS, _MEANINGS = _known()
"""The units there are, by name; and the words for them."""
_BESIDE = frozenset(("x", "mph"))
"""What else may be written right behind a number."""
_SCALES = {"k": 1e3, "thousand": 1e3, "million": 1e6, "billion": 1e9, "bn": 1e9}

_DEGREES = re.compile(r" ?(?:\bdegrees?|°) ?(?=(?:celsius|fahrenheit|[cf])\b)", re.IGNORECASE)
_WORDS_IN_TWO = re.compile(
    r"\b(watt|per)[ -](?=hours?\b|cent\b)|(?<=watt)[ -](?=hours?\b)|\bUS (?=gallons?\b)", re.IGNORECASE
)
_CLOCKED = re.compile(
    r"(?<![\w.,])(\d{1,4})(?:h ?(\d\d?) ?(?:min|mins|minutes|m)\b|h(\d\d?)\b|(?<!at \d\d):(\d\d) ?(?:hours|hrs)\b)"
)
"""Durations written like times of day: ``2h30``, ``2h 30m``, ``2:30 hours``."""
_NUMBER = re.compile(
    r"(?<![\w.,])([-+]?)(?:(?P<before>[$€£¥]|(?:" + _CURRENCIES.replace(" ", "|") + r")\b ?|[$€£¥] ?)([-+]?))?"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3}(?: \d{3})+(?!\d)|\d+)(?P<fraction>\.\d+)?"
    r"(?:(?P<scale>[kK]|[ -](?:thousand|million|billion|bn))\b)?"
    r"(?:(?P<glued>[^\W\d_]++|[%$€£¥])(?!\w)|(?!\w|[.,]\d)(?:[ -](?P<apart>[^\W\d_]++|[%$€£¥])(?!\w))?)(?P<per>/(?=[a-z]))?"
)
_FRACTIONS = {"½": ".5", "¼": ".25", "¾": ".75"}
_HALVES = re.compile(r"(?:(?<!\d)(\d{1,9}) ?)?([½¼¾])")
_MARKS = str.maketrans({"º": "°", "—": " - ", **dict.fromkeys("⁰¹²³⁴⁵⁶⁷⁸⁹⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞", "_")})
"""What compatibility forms would make digits of: ``10²`` is not 102."""
_SPOKEN = re.compile(r"(?<=\d)( and a half)\b|\b(half an hour)\b|\ban hour(?= and \d)")
_MINUS = re.compile(r"\bminus (?=\d)", re.IGNORECASE)
_SPELLED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_WORDS = {word: str(number) for number, word in enumerate(_SPELLED.split())}
_NUMBER_WORD = re.compile(r"\b(" + "|".join(_WORDS) + r")\b", re.IGNORECASE)
_BETWEEN = re.compile(r",? ?(?:and |& ?)?")


class Quantity(NamedTuple):
    """A number a text states."""

    number: float
    units: tuple[Unit, ...]
    """What the word behind it may stand for; none when it is no unit that is known here."""
    step: float
    """What its last digit is worth."""
    digits: int
    """How many significant digits it is given with."""
    written: str

    def unit_in(self, dimension: str) -> Unit | None:
        """Its unit in a dimension."""
        return next((unit for unit in self.units if unit.dimension == dimension), None)


def quantities_in(text: str) -> list[Quantity]:
    """The distinct quantities a text states, dates and times left out.

    Number words count when there are no digits. Quantities of falling units beside each other are one (``2 h 30 min``).
    """
    if not text.isascii():
        text = _HALVES.sub(lambda found: f"{found[1] or 0}{_FRACTIONS[found[2]]}", text[:LONGEST]).translate(_MARKS)
    text = straight(text)
    found = list(_compounds(_plain(text)))
    if not found and _NUMBER_WORD.search(text):
        found = list(_compounds(_plain(_NUMBER_WORD.sub(lambda word: _WORDS[word[0].lower()], text))))
    distinct: dict[tuple[float, tuple[Unit, ...]], Quantity] = {}
    for each in found:
        distinct.setdefault((each.number, each.units), each)
    return list(distinct.values())


def numbers_in(text: str) -> list[float]:
    """The distinct numbers a text states."""
    return list(dict.fromkeys(each.number for each in quantities_in(text)))


def currencies_in(text: str) -> frozenset[Unit]:
    """The currencies a text names, with or without a number."""
    words = re.findall(r"[^\W\d_]+|[$€£¥]", text)
    return frozenset(unit for word in words for unit in _meaning(word) if unit.is_currency)


def amounts_to(said: Quantity, value: float, unit: Unit | None, tolerance: float) -> bool:
    """Whether a quantity is a value in a unit; without one of them, the numbers decide.

    A quantity in another unit is converted. Then it may be rounded, when it is given with three digits at least.
    """
    if unit is None or not said.units:
        return abs(said.number - value) <= tolerance
    own = said.unit_in(unit.dimension)
    if own is None:
        return False
    if own == unit:
        return abs(said.number - value) <= tolerance
    here = (said.number * own.size + own.zero - unit.zero) / unit.size
    there = (value * unit.size + unit.zero - own.zero) / own.size
    rounded = said.digits >= 3 and abs(said.number - there) <= 0.5 * said.step * (1 + 1e-9)
    return rounded or abs(here - value) <= tolerance


def _plain(text: str) -> str:
    """A text in which only numbers have digits, and every unit is one word."""
    text = _CLOCKED.sub(lambda found: f"{found[1]} h {found[2] or found[3] or found[4]} min", text)
    text = without_moments(text)
    if "half" in text or "hour and" in text:
        text = _SPOKEN.sub(lambda found: ".5" if found[1] else "30 min" if found[2] else "1 hour", text)
    if "minus" in text.lower():
        text = _MINUS.sub("-", text)
    if "°" in text or "egree" in text:
        text = _DEGREES.sub(" ", text)
    return _WORDS_IN_TWO.sub(r"\1", text)


def _compounds(text: str) -> Iterator[Quantity]:
    """The quantities of a text, those that belong together as one."""
    last: Quantity | None = None
    end = 0
    for match in _NUMBER.finditer(text):
        each = _quantity(match)
        if each is None:
            continue
        joined = _joined(last, each, text[end : match.start()]) if last is not None else None
        if last is not None and joined is None:
            yield last
        last, end = joined or each, match.end()
    if last is not None:
        yield last


def _joined(first: Quantity, rest: Quantity, between: str) -> Quantity | None:
    """Two quantities as one, when the second is what remains of the first's unit."""
    if not first.number.is_integer() or rest.number < 0 or not _BETWEEN.fullmatch(between):
        return None
    for small in rest.units:
        large = first.unit_in(small.dimension)
        if large is None or large.size <= small.size or large.zero != small.zero:
            continue
        if rest.number * small.size < large.size:
            number = first.number * large.size / small.size + math.copysign(rest.number, first.number)
            written = f"{first.written}{between}{rest.written}"
            return Quantity(number, (small,), rest.step, max(first.digits + 2, rest.digits), written)
    return None


def _quantity(match: re.Match[str]) -> Quantity | None:
    """What one match of a number says; None when it is part of a name such as ``2nd``."""
    glued, apart, before = match["glued"], match["apart"], match["before"]
    units = _meaning(before or glued or apart)
    if glued and not units and glued not in _BESIDE:
        return None
    if match["per"] and not any(unit.is_currency for unit in units):
        units = ()  # MB/s are no MB
    digits, fraction = re.sub("[ ,]", "", match["digits"]), match["fraction"] or ""
    scale = _SCALES[(match["scale"] or "").strip(" -").lower()] if match["scale"] else 1.0
    number = float(f"{digits}{fraction}") * scale
    if not math.isfinite(number):
        return None
    if "-" in (match[1], match[3]):
        number = -number
    step = scale * 10.0 ** -max(len(fraction) - 1, 0)
    significant = len(f"{digits}{fraction}".replace(".", "").lstrip("0"))
    end = match.start("apart") if apart and not units else match.end()
    return Quantity(number, units, step, significant, match[0][: end - match.start()].rstrip(" -/"))


def _meaning(word: str | None) -> tuple[Unit, ...]:
    """The units a word may stand for. Case matters for single letters (``12B`` is a seat) and for codes of currencies."""
    word = (word or "").strip()
    return _MEANINGS.get(word) or (_MEANINGS.get(word.lower(), ()) if len(word) > 1 else ())
