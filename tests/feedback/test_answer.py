import pytest

from lamsim_core.feedback.answer import judge_answer, leaks, normalise, numbers_in
from lamsim_core.records import ExpectedAnswer

ASK = "What did I pay on 2026-05-04 at 15:15 for 2 tickets?"


def number(value: float) -> ExpectedAnswer:
    return ExpectedAnswer(kind="number", value=value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It costs 1,234.50 euros.", [1234.5]),
        ("$12.00", [12]),
        ("-3 degrees", [-3]),
        ("It is 5.", [5]),
        ("On 2026-05-04 at 15:15 nothing.", []),
        ("evt_1234 and A4 and 2nd", []),
        ("You have three events.", [3]),
        ("You have three events, 3 in all.", [3]),
        ("1e999 nan inf", []),
        ("7, 7 and 7.0", [7]),
    ],
)
def test_numbers_in(text: str, found: list[float]) -> None:
    assert numbers_in(text) == found


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


PLACE = ExpectedAnswer(kind="text", value="Room Aspen", rivals=("Room Aspen", "Room Elm", "Town hall", "Room"))


@pytest.mark.parametrize("text", ["Room Aspen", "It is in room  aspen.", "**Room Aspen**", "Room Aspen!"])
def test_right_text(text: str) -> None:
    assert judge_answer(text, "Where?", PLACE) is None


@pytest.mark.parametrize(
    "text", ["", "Room", "Room Aspens", "Room Elm", "Room Aspen or Town hall", "Room Aspen, Room Elm", "Aspen"]
)
def test_wrong_text(text: str) -> None:
    assert judge_answer(text, "Where?", PLACE) is not None


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


def test_normalise() -> None:
    assert normalise('  "Caf\u00e9\u00a0KALDI." ') == "café kaldi"
    assert normalise("2026-05-04T10:00") == "2026-05-04 10:00"
