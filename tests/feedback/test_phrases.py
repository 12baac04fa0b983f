"""Finding names in free text."""

import pytest

from lamsim_core.feedback.phrases import mentions, names, normalise


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("It is in room  aspen.", "Room Aspen"),
        ("That is Rene Loef\ufb02er.", "René Loeffler"),
        ("That is Łukasz Kováč.", "Lukasz Kovac"),
        ("It\u2019s O\u2019Hara\u2019s \u201cBig\u00a0Day\u201d", "O'Hara's \"Big Day\""),
        ("Saint\u2011Denis \u2013 Nord", "Saint-Denis - Nord"),
        ("C++ and C", "C++"),
        ("1,250 of them", "1250"),
        ("42,29", "29"),
        ("Call +49 30 123-4567.", "+49301234567"),
        ("on June 15, 2026, at 10 am", "2026-06-15 10:00"),
        ("at 9:30 a.m.", "09:30"),
    ],
)
def test_named(text: str, phrase: str) -> None:
    assert names(text, phrase)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("Room Aspens", "Room Aspen"),
        ("2,250 or 250.5", "250"),
        ("12,500", "500"),
        ("Call +493012345678.", "+49301234567"),
        ("at 10:00 PM", "10:00"),
        ("anything", ""),
        ("2026-06-15", "2026-06-1"),
    ],
)
def test_not_named(text: str, phrase: str) -> None:
    assert not names(text, phrase)


def test_a_part_of_a_longer_name_is_not_named() -> None:
    assert mentions("room aspen", ["room", "room aspen"]) == {"room aspen": 0}
    assert mentions("room aspen, room", ["room", "room aspen"]) == {"room aspen": 0, "room": 12}


def test_a_title_with_a_date_stays_as_it_is() -> None:
    assert names("the picnic on 5 may", "Picnic on 5 May")


def test_normalise() -> None:
    assert normalise('  "Caf\u00e9\u00a0KALDI." ') == "café kaldi"
    assert normalise("2026-05-04T10:00") == "2026-05-04 10:00"
