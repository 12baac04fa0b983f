"""Dates and times in one form, and words that only look like dates."""

import pytest

from lamsim_core.feedback.moments import moments_in, one_form, without_moments

LIKE = ("2026-01-01", "2027-02-02")


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-15",
        "2026-6-15",
        "2026/06/15",
        "15 June 2026",
        "15th of June, 2026",
        "June 15th, 2026",
        "june 15",
        "Jun. 15",
        "JUNE 15, 2026",
        "15-Jun-2026",
        "15.06.2026",
        "06/15/2026",
        "Mon 15 June",
        "Monday, the 15th of June",
        "Monday, June 15, 2026",
    ],
)
def test_a_day(text: str) -> None:
    form = one_form(text, LIKE)
    assert form.removeprefix("Monday, ") == "2026-06-15"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("10:00", "10:00"),
        ("9:30", "09:30"),
        ("10 am", "10:00"),
        ("10:00 a.m.", "10:00"),
        ("2:30 PM", "14:30"),
        ("2.30pm", "14:30"),
        ("12 am, 12 pm", "00:00, 12:00"),
        ("10:00:00", "10:00"),
        ("10 o'clock", "10:00"),
        ("at noon", "at 12:00"),
        ("12 midnight", "00:00"),
        ("10-11 am", "10:00 - 11:00"),
        ("10 or 11 pm", "22:00 or 23:00"),
    ],
)
def test_a_time(text: str, form: str) -> None:
    assert one_form(text) == form


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-15T10:00",
        "2026-06-15, 10:00",
        "June 15, 2026 at 10 am",
        "15 June, 10:00",
        "10 am on Monday, June 15",
        "10:00, 15 June 2026",
    ],
)
def test_a_day_with_a_time(text: str) -> None:
    assert one_form(text, LIKE) == "2026-06-15 10:00"


def test_two_are_two() -> None:
    assert one_form("14-15 June 2026") == "2026-06-14 - 2026-06-15"
    assert one_form("from 14 to 15 June", LIKE) == "from 2026-06-14 to 2026-06-15"
    assert one_form("June 14 or 15, 2026") == "2026-06-14 or 2026-06-15"
    one, two = "2026-06-14 10:00", "2026-06-15 11:00"
    assert one_form("14 June 2026 10:00, 15 June 2026 11:00") == f"{one}, {two}"
    assert one_form("at 10:00 on 14 June 2026, 11 am on 15 June 2026") == f"at {one}, {two}"


def test_the_year_of_a_day_without_one() -> None:
    assert one_form("2 February, 3 February", LIKE) == "2027-02-02, 2026-02-03"
    assert one_form("2 February") == "0000-02-02"
    assert one_form("29 Feb 2026") == "29 Feb 2026", "there is no such day"


@pytest.mark.parametrize(
    "text",
    [
        "April Jones",
        "Ask May or June.",
        "you may 5 times",
        "the 5 may be late",
        "we march 5 miles",
        "the sun, 5 planets",
        "05.06.2026",
        "05/06/2026",
        "31 June",
        "25:00",
        "13 am",
        "High Noon",
        "In May 12 meetings took place",
        "in March 3,500 steps",
        "version 1.2.3",
        "+49 30 1234-56-78",
        "3-2 at home",
        "Room 12 Augustus",
    ],
)
def test_what_is_no_clear_moment_stays(text: str) -> None:
    assert one_form(text, LIKE) == text


def test_moments_in() -> None:
    assert moments_in("2026-06-15 10:00 or 11:30") == (
        frozenset({"2026-06-15"}),
        frozenset({"10:00", "11:30"}),
    )
    assert moments_in("12026-06-15") == (frozenset(), frozenset())


def test_without_moments() -> None:
    assert without_moments("On June 15 at 2:30 pm, and 05.06.2026: 3.5").split() == ["On", ",", "and", ":", "3.5"]
