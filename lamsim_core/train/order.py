"""The order in which rows are trained on."""

import random
from collections.abc import Sequence

from lamsim_core.records import Recipe

_POOL_BATCHES = 50


def order(lengths: Sequence[int], recipe: Recipe, families: Sequence[int] = ()) -> list[int]:
    """The rows in the order they are trained on, all epochs after one another, the same for the same seed.

    Rows of one family share batches, and rows of like length, so that little is padding. The order is fixed beforehand, so a
    resumed training goes on with exactly the rows it has not seen.

    Args:
        lengths: the tokens of each row.
        recipe: how to train.
        families: the number of each row's family; by default each row is one by itself.
    """
    rng = random.Random(recipe.seed)
    size = recipe.batch_size
    wanted = round(len(lengths) * recipe.epochs)
    family = families or range(len(lengths))
    longest: dict[int, int] = {}
    for row, length in enumerate(lengths):
        longest[family[row]] = max(length, longest.get(family[row], 0))
    chosen: list[int] = []
    left: list[int] = []
    while len(chosen) + len(left) < wanted:
        fresh = list(range(len(lengths)))
        rng.shuffle(fresh)
        together: dict[int, list[int]] = {}
        for row in left + fresh[: wanted - len(chosen) - len(left)]:
            together.setdefault(family[row], []).append(row)
        batches: list[list[int]] = []
        pool: list[int] = []
        for rows in together.values():
            whole = len(rows) - len(rows) % size
            batches += [rows[place : place + size] for place in range(0, whole, size)]
            pool += rows[whole:]
        full = len(pool) - len(pool) % size
        pool, left = pool[:full], pool[full:]
        for start in range(0, full, size * _POOL_BATCHES):
            near = sorted(
                pool[start : start + size * _POOL_BATCHES], key=lambda row: (-longest[family[row]], family[row])
            )
            batches += [near[place : place + size] for place in range(0, len(near), size)]
        rng.shuffle(batches)
        chosen += [row for batch in batches for row in batch]
    return chosen + left
