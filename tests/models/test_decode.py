"""Text comes out whole however characters are cut, and guesses are only ever tokens that were seen."""

from hypothesis import given
from hypothesis import strategies as st

from lamsim_core.models.decode import Lookahead, TextStream


def decode(ids: list[int]) -> str:
    return bytes(ids).decode("utf-8", errors="replace")


@given(st.text(max_size=60))
def test_pieces_join_to_the_text_and_no_piece_holds_half_a_character(text: str) -> None:
    stream = TextStream(decode)
    pieces = [stream.push(byte) for byte in text.encode("utf-8")]
    if not text.endswith("\N{REPLACEMENT CHARACTER}"):
        assert "".join(pieces) == text
    assert "".join(pieces) + stream.finish() == text == stream.text
    assert len([piece for piece in pieces if piece]) <= len(text)


def test_bytes_that_never_become_a_character_come_out_at_the_end() -> None:
    stream = TextStream(decode)
    assert [stream.push(byte) for byte in b"a\xf0\x9f"] == ["a", "", ""]
    assert stream.finish() == "\N{REPLACEMENT CHARACTER}"


def test_what_followed_before_is_guessed_again() -> None:
    ahead = Lookahead([5, 6, 7, 8, 9, 1, 2, 5, 6])
    assert ahead.guess(3) == [7, 8, 9]
    ahead.push(7)
    assert ahead.guess(2) == [8, 9]
    assert ahead.guess(0) == []


def test_the_longest_match_wins_and_then_the_newest() -> None:
    assert Lookahead([1, 2, 3, 40, 9, 2, 3, 50, 1, 2, 3]).guess(1) == [40]
    assert Lookahead([2, 3, 40, 9, 2, 3, 50, 8, 2, 3]).guess(1) == [50]


def test_nothing_is_guessed_when_nothing_repeats() -> None:
    assert Lookahead([1, 2, 3, 4]).guess(8) == []
    assert Lookahead([]).guess(8) == []


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(0, 9))
def test_guesses_always_continue_an_earlier_occurrence(ids: list[int], limit: int) -> None:
    guess = Lookahead(ids).guess(limit)
    assert len(guess) <= limit
    if guess:
        runs = [ids[-2:] + guess]
        assert any(ids[i : i + len(runs[0])] == runs[0] for i in range(len(ids)))


def test_a_record_of_guesses_tells_what_repeats_from_what_does_not() -> None:
    steady, odd = Lookahead([1, 2, 3]), Lookahead([1, 2, 3])
    for place in range(60):
        steady.push(place % 3 + 1)
        odd.push(100 + place)
    assert steady.right > 0.9 and odd.right < 0.01
