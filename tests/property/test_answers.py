"""However a right answer is written it passes, no writing of another value does, and no text breaks the comparison."""

import time
from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lamsim_core.feedback.answer import judge_answer, leaks
from lamsim_core.feedback.quantities import UNITS
from lamsim_core.records import ExpectedAnswer

ASK = "Please look it up."
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)).map(lambda moment: moment.replace(second=0))
CENTS = st.integers(-10_000_000, 10_000_000)
SPELLINGS = {"min": "minutes", "h": "hours", "s": "seconds", "km": "kilometres", "MB": "megabytes", "kg": "kilos"}
NAMES = st.lists(st.sampled_from(["Ada", "Bó", "Čapek", "Đurić", "Étienne", "Fox", "Håkan"]), min_size=1, unique=True)


def number_writings(cents: int) -> list[str]:
    value = cents / 100
    return [f"{value:.2f}", f"{value:,.2f}", f"{value:,.2f}".replace(",", " "), f"{value:.2f}".replace("-", "\u2212")]


def day_writings(moment: datetime) -> list[str]:
    month, day, year = moment.strftime("%B"), moment.day, moment.year
    forms = [
        f"{moment:%Y-%m-%d}",
        f"{day} {month} {year}",
        f"{month} {day}, {year}",
        f"{moment:%a} {day} {month[:3]} {year}",
    ]
    return [*forms, f"the {day}th of {month}", f"{day}.{moment.month}.{year}"] if day > 12 else forms


def time_writings(moment: datetime) -> list[str]:
    hour, half = moment.hour % 12 or 12, "am" if moment.hour < 12 else "pm"
    forms = [
        f"{moment:%H:%M}",
        f"{hour}:{moment:%M} {half}",
        f"{hour}:{moment:%M}{half[0].upper()}M",
        f"{moment:%H:%M:%S}",
    ]
    return [*forms, f"{hour} {half[0]}.m."] if moment.minute == 0 else forms


@settings(deadline=None)
@given(CENTS, CENTS, st.sampled_from(["It is {}.", "{} euros", "**{}**", "\u20ac{}", "({} EUR)"]))
def test_numbers(cents: int, other: int, frame: str) -> None:
    assume(cents != other)
    for unit in (None, "EUR"):
        answer = ExpectedAnswer(kind="number", value=cents / 100, unit=unit)
        for right, wrong in zip(number_writings(cents), number_writings(other), strict=True):
            assert judge_answer(frame.format(right), ASK, answer) is None
            assert judge_answer(frame.format(wrong), ASK, answer) is not None
            assert judge_answer(f"{frame.format(right)} or {wrong}", ASK, answer) is not None


@settings(deadline=None)
@given(st.integers(61, 5_000), st.integers(61, 5_000))
def test_durations(minutes: int, other: int) -> None:
    assume(minutes != other)
    answer = ExpectedAnswer(kind="number", value=minutes, unit="min")

    def writings(value: int) -> list[str]:
        hours, rest = divmod(value, 60)
        both = [f"{hours} h {rest} min", f"{hours} hours and {rest} minutes", f"{hours}h{rest:02}"]
        return [f"{value} min", f"{value * 60} s", *both]

    for right, wrong in zip(writings(minutes), writings(other), strict=True):
        assert judge_answer(right, ASK, answer) is None
        assert judge_answer(wrong, ASK, answer) is not None


@settings(deadline=None)
@given(st.sampled_from(sorted(SPELLINGS)), st.integers(2, 99_999), st.sampled_from(sorted(UNITS)))
def test_units(unit: str, tenths: int, other: str) -> None:
    value, own, foreign = tenths / 10, UNITS[unit], UNITS[other]
    answer = ExpectedAnswer(kind="number", value=value, unit=unit)
    assert judge_answer(f"{value} {SPELLINGS[unit]}", ASK, answer) is None
    assume(foreign.dimension != own.dimension and other != "m")  # "150 m" may be minutes
    assert judge_answer(f"{value} {other}", ASK, answer) is not None
    assert judge_answer(f"{value} {unit} or {value} {other}", ASK, answer) is not None


@settings(deadline=None)
@given(MOMENTS, st.integers(-400_000, 400_000))
def test_moments(moment: datetime, minutes: int) -> None:
    other = moment + timedelta(minutes=minutes)
    day = ExpectedAnswer(kind="text", value=f"{moment:%Y-%m-%d}")
    clock = ExpectedAnswer(kind="text", value=f"{moment:%H:%M}")
    both = ExpectedAnswer(kind="text", value=f"{moment:%Y-%m-%d %H:%M}")
    for date in day_writings(moment):
        assert judge_answer(f"It is on {date}.", ASK, day) is None
        for hour in time_writings(moment):
            assert judge_answer(f"{date} at {hour}", ASK, both) is None
            assert judge_answer(f"At {hour} on {date}", ASK, both) is None
    for hour in time_writings(moment):
        assert judge_answer(f"At {hour}.", ASK, clock) is None
    for date in day_writings(other)[:4]:
        assert (judge_answer(date, ASK, day) is None) == (other.date() == moment.date())
        for hour in time_writings(other):
            assert (judge_answer(f"{date}, {hour}", ASK, both) is None) == (minutes == 0)
            assert (judge_answer(hour, ASK, clock) is None) == (other.time() == moment.time())


@settings(deadline=None)
@given(st.data())
def test_lists(data: st.DataObject) -> None:
    values = data.draw(NAMES)
    said = data.draw(st.permutations(values))
    plain = ", ".join(said).casefold()
    rivals = ("Kim", *values)
    assert judge_answer(plain, ASK, ExpectedAnswer(kind="list", value=list(values), rivals=rivals)) is None
    ordered = ExpectedAnswer(kind="list", value=list(values), rivals=rivals, ordered=True)
    assert (judge_answer(plain, ASK, ordered) is None) == (said == values)
    assert judge_answer(f"{plain} und Kim", ASK, ordered) is not None


ANSWERS = [
    ExpectedAnswer(kind="number", value=150, unit="min"),
    ExpectedAnswer(kind="number", value=2.5),
    ExpectedAnswer(kind="text", value="2026-06-15 10:00", rivals=("2026-06-16 10:00", "x")),
    ExpectedAnswer(kind="text", value="+49301234567", rivals=("+49301234568", "12")),
    ExpectedAnswer(kind="list", value=["Ada", "Ada Lovelace", "1250"], rivals=("Bo", ""), ordered=True),
    ExpectedAnswer(kind="ask", value=["how many"], rivals=("which",)),
    ExpectedAnswer(kind="decline"),
]
WORDS = [" am", "June ", "May ", " to ", "2026", " hours", " and ", "million", "EUR "]
PIECES = st.sampled_from([*"0123456789 .,:-/+$%°kmhT", *WORDS])
TEXTS = st.one_of(st.text(), st.lists(PIECES).map("".join))


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_no_text_breaks_it(text: str, instruction: str) -> None:
    for answer in ANSWERS:
        leaks(instruction, answer)
        why = judge_answer(text, instruction, answer)
        assert why is None or why.endswith((".", "?"))


NUMBERS = ["9", "9 ", "1,234", "1 234 ", "9h", "9a", "1.", "1 h 1 min ", "+49 "]
DAYS = ["12:30", "12:30-", "10-10 ", "June ", "15 ", "15 June ", "June 15, ", "1 to 1 ", "1/1/", "2026-06-15 10:00 "]
OTHERS = ["a", "-", " ", "x\u0301", "Ada Lovelace ", "no no ", "\u2014", "i need "]


@pytest.mark.parametrize("piece", [*NUMBERS, *DAYS, *OTHERS])
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    begin = time.process_time()
    for answer in ANSWERS:
        judge_answer(text, text, answer)
        leaks(text, answer)
    assert time.process_time() - begin < 5
