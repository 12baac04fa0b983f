"""Regions of the memory: long enough, apart from each other, and what they hold stays theirs."""

from itertools import pairwise
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from lamsim_core.models.pool import PAGE, Pool

HEADS, WIDTH, LAYERS = 2, 4, 2
WANTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 4 * PAGE), st.booleans()), max_size=24)


def written(pool: Pool, slot: int, tokens: list[int]) -> None:
    """Let a conversation hold tokens whose keys and values say which token of which layer and head they are."""
    row = pool.rows[slot]
    pool.want(row, len(tokens))
    pool.make(torch.zeros(1, HEADS, 1, WIDTH))
    for memory, sign in ((pool.keys, 1), (pool.values, -1)):
        pool.region(memory, row)[:, :, : len(tokens)] = sign * expected(tokens)
    row.tokens = tokens


def expected(tokens: list[int]) -> Any:
    """(layers, heads, tokens, width)."""
    place = torch.arange(LAYERS)[:, None] * 10 + torch.arange(HEADS)
    return (place[:, :, None] * 1e6 + torch.tensor(tokens))[..., None].expand(-1, -1, -1, WIDTH)


@given(WANTS)
def test_every_conversation_keeps_what_it_holds(wants: list[tuple[int, int, int, bool]]) -> None:
    pool = Pool(LAYERS, 4)
    with torch.inference_mode():
        for number, (slot, source, length, copied) in enumerate(wants):
            row, other = pool.rows[slot], pool.rows[source]
            if copied:
                shared = min(length, len(other.tokens))
                pool.begin(row, other, shared, length)
                assert row.tokens == other.tokens[:shared]
            else:
                pool.begin(row, row, 0, length)
                written(pool, slot, [1000 * number + place for place in range(length)])
            assert row.room >= length
            taken = sorted((each.start, each.start + each.pages) for each in pool.rows if each.pages)
            assert all(end <= start for (_, end), (start, _) in pairwise(taken))
            for each in pool.rows:
                if each.tokens:
                    held = slice(0, len(each.tokens))
                    assert torch.equal(pool.region(pool.keys, each)[:, :, held], expected(each.tokens))
                    assert torch.equal(pool.region(pool.values, each)[:, :, held], -expected(each.tokens))


def test_the_first_gap_is_used() -> None:
    pool = Pool(LAYERS, 4)
    for slot in range(3):
        pool.want(pool.rows[slot], 2 * PAGE)
    pool.begin(pool.rows[1], pool.rows[0], 0, 5 * PAGE)
    assert (pool.rows[1].start, pool.rows[1].pages) == (6, 5)
    pool.want(pool.rows[3], 2 * PAGE - 1)
    assert (pool.rows[3].start, pool.rows[3].pages) == (2, 2)
    pool.want(pool.rows[3], PAGE)
    assert pool.rows[3].room == 2 * PAGE
