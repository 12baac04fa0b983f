"""How the exact prompt and the tokens of a reply are drawn: safely, and with the right colours."""

import pytest
from streamlit.testing.v1 import AppTest

from lamsim_core.agent.exact import Written
from lamsim_core.ui.exact_prompt import colour_of
from tests.ui.test_draw import HOSTILE, specials


@pytest.mark.parametrize(
    ("probability", "colour"),
    [
        (1.0, None),
        (0.9, None),
        (0.899, "blue"),
        (0.5, "blue"),
        (0.3, "orange"),
        (0.1, "orange"),
        (0.09, "red"),
        (0.0, "red"),
    ],
)
def test_the_colour_says_how_sure_the_model_was(probability: float, colour: str | None) -> None:
    assert colour_of(Written("a", 1, False, probability)) == colour
    assert colour_of(Written("a", 1, True, probability)) == "violet"


def _drawn(texts: list[str]) -> None:
    from lamsim_core.agent.exact import Exact, Written
    from lamsim_core.models.vocabulary import Piece
    from lamsim_core.ui.exact_prompt import draw_exact

    pieces = (
        Piece("special", "<|im_start|>", 1),
        Piece("tools", texts[0], 7),
        *(Piece("text", each, 3) for each in texts),
    )
    written = tuple(Written(each, place, False, 0.95 if place % 2 else 0.05) for place, each in enumerate(texts))
    draw_exact(Exact(pieces, (1, 2), ("a", texts[0]), None, written), "key")


def test_hostile_tokens_are_text() -> None:
    app = AppTest.from_function(
        _drawn, args=([*HOSTILE, ":", "red", "[x]", "ww", "w.evil.test"],), default_timeout=60
    ).run()
    assert not app.exception
    (reply,) = (each.value for each in app.markdown if "-background[" in each.value)
    inside = reply.replace(":red-background[", "").replace(":violet-background[", "").replace("]\u200b", "\u200b")
    assert specials(inside.removesuffix("]")) == []
    assert "www" not in reply.replace("www\u2060", "") and "://" not in reply
    assert [each.label for each in app.expander] == ["The tools: 7 tokens", "As a table"]
    assert not app.dataframe, "tables are worked out when they are opened"
    assert any("1 are control tokens" in each.value for each in app.caption)


def _replaced() -> None:
    from lamsim_core.agent.exact import Exact
    from lamsim_core.ui.exact_prompt import draw_exact

    draw_exact(Exact((), (1,), ("a",), None, ()), "key", replaced=True)


def test_a_reply_that_a_person_replaced_has_no_tokens_and_it_says_so() -> None:
    app = AppTest.from_function(_replaced, default_timeout=60).run()
    assert any("a person put other words in place of its reply" in each.value for each in app.caption)


def _cost(prompt: int, cached: int, seconds: float) -> None:
    from lamsim_core.records import Usage
    from lamsim_core.ui.exact_prompt import draw_cost
    from tests.store.factories import make_step

    draw_cost(
        make_step(),
        Usage(
            prompt_tokens=prompt,
            cached_tokens=cached,
            completion_tokens=50,
            prefill_seconds=seconds,
            decode_seconds=2 * seconds,
        ),
    )


def test_reading_and_writing_are_told_apart() -> None:
    (table,) = AppTest.from_function(_cost, args=(1200, 1000, 0.5), default_timeout=60).run().dataframe
    read, written, rest = table.value.to_dict("records")
    assert read == {
        "What": "Reading the prompt", "Tokens": "1,200", "Kept from before": "1,000", "Time": "500 ms",
        "Tokens a second": "400",
    }  # fmt: skip
    assert (written["Tokens"], written["Time"], written["Tokens a second"]) == ("50", "1.0 s", "50")
    assert rest["Time"] == "1 ms"
    (table,) = AppTest.from_function(_cost, args=(1000, 1000, 0.0), default_timeout=60).run().dataframe
    assert list(table.value["Tokens a second"]) == ["–"] * 3


def _why_not() -> None:
    from lamsim_core.agent.exact import Exact
    from lamsim_core.ui.exact_prompt import draw_exact

    draw_exact(Exact((), (), (), "The model *gone* is not here.", ()), "key")


def test_what_cannot_be_shown_is_a_sentence_and_nothing_else() -> None:
    app = AppTest.from_function(_why_not, default_timeout=60).run()
    assert [each.value for each in app.info] == [r"The model \*gone\* is not here\."]
    assert not app.code and not app.markdown
