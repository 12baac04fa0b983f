import pytest

from lamsim_core.feedback.answer import judge_answer, leaks
from lamsim_core.records import ExpectedAnswer

ASK = "What did I pay on 2026-05-04 at 15:15 for 2 tickets?"


def number(value: float) -> ExpectedAnswer:
    return ExpectedAnswer(kind="number", value=value)


@pytest.mark.parametrize("text", ["12.5", "You paid 12.50 for 2 tickets.", "€12.50", "2026-05-04: 12.5.", "**12.5**"])
def test_right_numbers(text: str) -> None:
    assert judge_answer(text, ASK, number(12.5)) is None


@pytest.mark.parametrize(
    "text", ["", "12", "125", "12.51", "Either 12.5 or 13.", "2", "{}", "null", "nothing", "1 2 3 12.5", "evt_12.5"]
)
def test_wrong_numbers(text: str) -> None:
    assert judge_answer(text, ASK, number(12.5)) is not None


@pytest.mark.parametrize("value", [None, "0", False, True])
def test_nothing_equals_a_number_that_is_none(value: object) -> None:
    assert judge_answer("0", ASK, ExpectedAnswer(kind="number", value=value)) is not None  # type: ignore[arg-type]


MINUTES = ExpectedAnswer(kind="number", value=150, unit="min")
MONDAY = "How long are the 2 events on Monday, 90 minutes or more?"


@pytest.mark.parametrize(
    "text",
    [
        "150",
        "150 min",
        "2.5 hours",
        "2 h 30 min",
        "2 h 30 min, so 150 minutes for the 2 events",
        "More than 90 minutes (1.5 h): 150.",
        "two and a half hours, 150 minutes",
        "9,000 seconds",
    ],
)
def test_the_right_quantity(text: str) -> None:
    assert judge_answer(text, MONDAY, MINUTES) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("150 km", "is a quantity in min"),
        ("150 hours", "not the right number"),
        ("3 hours", "not the right number"),
        ("150 minutes or 3 hours", "several numbers (150 minutes, 3 hours)"),
        ("150 minutes, 5 km", "several numbers"),
        ("90 minutes for 2 events", "does not state"),
        ("1.5 h", "does not state"),
    ],
)
def test_the_wrong_quantity(text: str, why: str) -> None:
    assert why in (judge_answer(text, MONDAY, MINUTES) or "")


def test_a_number_of_the_request_in_another_unit_is_another_quantity() -> None:
    two_hours = ExpectedAnswer(kind="number", value=120, unit="min")
    assert judge_answer("2 hours", "How many minutes do the 2 events take?", two_hours) is None
    kilometres = ExpectedAnswer(kind="number", value=22.37, unit="km")
    request = "What is 13.9 miles in kilometres?"
    assert not leaks(request, kilometres)
    assert judge_answer("13.9 miles are 22.37 km.", request, kilometres) is None
    assert judge_answer("It is 13.9 miles.", request, kilometres) is not None


def test_long_numbers_are_shown_as_they_were_written() -> None:
    assert "12,345,678.90" in (judge_answer("12,345,678.90", "", number(12345678)) or "")


PLACE = ExpectedAnswer(kind="text", value="Room Aspen", rivals=("Room Aspen", "Room Elm", "Town hall", "Room"))


@pytest.mark.parametrize("text", ["Room Aspen", "It is in room  aspen.", "**Room Aspen**", "Room Aspen!"])
def test_right_text(text: str) -> None:
    assert judge_answer(text, "Where?", PLACE) is None


@pytest.mark.parametrize(
    "text", ["", "Room", "Room Aspens", "Room Elm", "Room Aspen or Town hall", "Room Aspen, Room Elm", "Aspen"]
)
def test_wrong_text(text: str) -> None:
    assert judge_answer(text, "Where?", PLACE) is not None


def test_a_longer_name_is_another_name() -> None:
    room = ExpectedAnswer(kind="text", value="Room", rivals=("Room", "Room Aspen"))
    assert judge_answer("Room Aspen", "Where?", room) is not None
    assert judge_answer("Room", "Where?", room) is None


@pytest.mark.parametrize(
    "text",
    [
        "Rene O\u2019Hara \u2013 Munoz",
        "ren\u00e9 o'hara - mu\u00f1oz",
        "It is \u201cRen\u00e9 O'Hara \u2011 Munoz\u201d.",
    ],
)
def test_accents_and_typography_do_not_matter(text: str) -> None:
    name = ExpectedAnswer(kind="text", value="René O'Hara - Muñoz", rivals=("Ada", "Rene"))
    assert judge_answer(text, "Who?", name) is None


WHEN = ExpectedAnswer(kind="text", value="2026-06-15 10:00", rivals=("2026-06-15 10:00", "2026-06-16 10:00"))


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-15 10:00",
        "2026-06-15T10:00",
        "June 15, 2026 at 10 am",
        "10:00 a.m. on Mon 15 June",
        "15.06.2026, 10:00",
    ],
)
def test_the_right_moment(text: str) -> None:
    assert judge_answer(text, "When do I meet April Jones?", WHEN) is None


@pytest.mark.parametrize(
    "text",
    [
        "June 15, 2026",
        "June 15, 2026 at 10 pm",
        "June 15, 2025 at 10 am",
        "15-16 June 2026, 10:00",
        "June 15 at 10 am or June 16 at 10 am",
        "June 15 at 10 am or June 18",
        "June 15, 10:00 to 11:30",
        "10:00",
    ],
)
def test_the_wrong_moment(text: str) -> None:
    assert judge_answer(text, "When do I meet April Jones?", WHEN) is not None


def test_a_time_is_not_its_other_half() -> None:
    closes = ExpectedAnswer(kind="text", value="10:00", rivals=("17:30",))
    assert judge_answer("at 10 am", "When?", closes) is None
    assert judge_answer("at 10:00 PM", "When?", closes) is not None
    assert judge_answer("17:30 is wrong, it is 10:00", "Is it 5:30 pm?", closes) is None


def test_days_of_the_request_may_be_repeated() -> None:
    day = ExpectedAnswer(kind="text", value="2026-06-15", rivals=("2026-06-16",))
    assert judge_answer("Not on June 12: on June 15.", "Is it on 2026-06-12?", day) is None
    assert leaks("Is it on June 15, 2026 or later?", day)


def test_a_rival_named_in_the_request_may_be_repeated() -> None:
    assert judge_answer("Not Town hall but Room Aspen.", "Is it at Town hall?", PLACE) is None


def test_lists() -> None:
    both = ExpectedAnswer(kind="list", value=["Ada", "Bo"], rivals=("Ada", "Bo", "Cy"))
    assert judge_answer("Bo and Ada.", "Who?", both) is None
    assert judge_answer("Ada.", "Who?", both) is not None
    assert judge_answer("Ada, Bo, Cy.", "Who?", both) is not None
    numbers = ExpectedAnswer(kind="list", value=["42", "29"], rivals=("42", "29", "42578"))
    assert judge_answer("42 and 29", "Which?", numbers) is None
    assert judge_answer("42, 29 and 42578", "Which?", numbers) is not None, "a rival that begins with a right value"


NUMBERS = ExpectedAnswer(kind="list", value=[1385, 98.0, 4.25])


@pytest.mark.parametrize(
    "text",
    [
        "1385, 98.0, 4.25",
        "1,385g of salt, 98 minutes and 4.25 °C",
        "4.25 and 98, and 1385.00 in all",
        "In 1900 it was 1385, then 98 and 4.25.",
        "1. **1385**\n2. 98\n3. 4.25",
    ],
)
def test_several_numbers_are_compared_as_numbers(text: str) -> None:
    assert judge_answer(text, "How many were there in 1900?", NUMBERS) is None


@pytest.mark.parametrize(
    "text", ["1385 and 98", "1385, 98, 4.25 or 5", "1385, 98, 4.52", "Done.", "13850, 980, 42.5", "1385, 98, 1900"]
)
def test_several_numbers_of_which_one_is_missing_or_too_many(text: str) -> None:
    assert judge_answer(text, "How many were there in 1900?", NUMBERS) is not None


def test_several_numbers_in_order() -> None:
    ranked = NUMBERS.model_copy(update={"ordered": True})
    assert judge_answer("1385, 98 and 4.25", "Which, the most first?", ranked) is None
    assert "order" in (judge_answer("98, 1385 and 4.25", "Which, the most first?", ranked) or "")


def test_a_request_leaks_one_of_several_numbers() -> None:
    assert leaks("Is it 98 minutes?", NUMBERS) and not leaks("Is it 99 minutes?", NUMBERS)


def test_lists_in_order() -> None:
    ranks = ExpectedAnswer(
        kind="list", value=["Cy", "Ada", "Bo Ada"], rivals=("Ada", "Bo Ada", "Cy", "Di"), ordered=True
    )
    assert judge_answer("Cy, Ada, Bo Ada", "Who, the youngest first?", ranks) is None
    assert judge_answer("1. Cy\n2. Ada\n3. Bo Ada (after Ada)", "Who?", ranks) is None, (
        "the first mention of each counts"
    )
    assert "order" in (judge_answer("Ada, Cy, Bo Ada", "Who?", ranks) or "")
    assert judge_answer("Cy, Bo Ada", "Who?", ranks) is not None
    assert judge_answer("Cy, Ada, Bo Ada, Di", "Who?", ranks) is not None
    assert judge_answer("Bo Ada, Ada, Cy", "Who?", ranks.model_copy(update={"ordered": False})) is None


@pytest.mark.parametrize(
    "text",
    [
        "I cannot do this.",
        "I can\u2019t help with that, no tool fits.",
        "There is no suitable tool for this.",
        "Sorry, I'm unable to order pizza.",
        "None of the tools can do that.",
        "The tools don't support it.",
    ],
)
def test_declining(text: str) -> None:
    assert judge_answer(text, "Order pizza", ExpectedAnswer(kind="decline")) is None


REQUEST = "Ana can't come to the Sprint review, and I can't find her number. Who else is free? Please invite them."
"""Words that would decline and ask, were they the agent's own."""


@pytest.mark.parametrize(
    "text", ["can't come", "Ana can't come.", "Ana can't come to the Sprint review. Please invite them", REQUEST]
)
def test_words_of_the_request_decline_nothing(text: str) -> None:
    assert judge_answer(text, REQUEST, ExpectedAnswer(kind="decline")) is not None


@pytest.mark.parametrize(
    "text",
    [
        "I can't.",
        "Sorry, I can't do that.",
        "Ana can't come, and I can't invite others.",
        "I can't do this with these tools.",
    ],
)
def test_declining_in_words_like_those_of_the_request(text: str) -> None:
    assert judge_answer(text, REQUEST, ExpectedAnswer(kind="decline")) is None


def test_a_question_of_the_request_asks_for_nothing() -> None:
    expected = ExpectedAnswer(kind="ask", value=["who", "whom", "which guest"])
    assert judge_answer("Who else is free?", REQUEST, expected) is not None
    assert judge_answer("Who else is free? I need to know who should come.", REQUEST, expected) is None
    assert judge_answer("Whom shall I invite?", REQUEST, expected) is None


@pytest.mark.parametrize(
    "text",
    ["", "Done.", "I ordered the pizza.", "Pizza is on its way", "{}", "I am sorry, I can only say this one sentence."],
)
def test_not_declining(text: str) -> None:
    assert judge_answer(text, "Order pizza", ExpectedAnswer(kind="decline")) is not None


SEATS = ExpectedAnswer(kind="ask", value=["how many", "number of seats"], rivals=("which film", "what day"))


@pytest.mark.parametrize(
    "text",
    [
        "How many seats would you like?",
        "Please tell me the number of seats.",
        "I need to know how many tickets you want.",
        "For how many people should I book",
    ],
)
def test_asking(text: str) -> None:
    assert judge_answer(text, "Book seats for Umbrella Weather.", SEATS) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Done.",
        "I booked a number of seats.",
        "I cannot do that.",
        "Anything else?",
        "Which film, and how many seats?",
        "What day would you like?",
        "{}",
    ],
)
def test_not_asking_for_what_is_missing(text: str) -> None:
    assert judge_answer(text, "Book seats for Umbrella Weather.", SEATS) is not None


def test_leaks() -> None:
    assert leaks("Do I have 4 or 5 events?", number(4))
    assert not leaks("Events on 2026-04-04?", number(4))
    assert leaks("Is it in Room Aspen?", PLACE)
    assert not leaks("Where?", PLACE)
