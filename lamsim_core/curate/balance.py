"""Caps and shares: how much of each kind of thing a dataset holds."""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

from lamsim_core.canonical import derive_seed
from lamsim_core.errors import InvalidInputError

Item = TypeVar("Item")


def over_cap(items: Sequence[Item], group: Callable[[Item], str], most: int) -> list[bool]:
    """For each item in turn whether ``most`` of its group came before it."""
    taken: Counter[str] = Counter()
    over = []
    for item in items:
        over.append(taken[group(item)] >= most)
        taken[group(item)] += 1
    return over


def over_share(items: Sequence[Item], group: Callable[[Item], str | None], shares: Mapping[str, float]) -> list[bool]:
    """For each item whether it must go, so that every named group makes up its share and as much as possible is kept.

    The dataset is made as large as the scarcest group allows: of each named group ``floor(share * size)`` items are kept,
    of all others together ``floor(rest * size)``, always those that come first.

    Args:
        items: in the order of preference.
        group: the named group an item belongs to; None, or a name without a share, for the others.
        shares: group -> part of the dataset in (0, 1].

    Raises:
        InvalidInputError: the shares are more than 1, or a group with a share has no item.
    """
    exact = {name: Fraction(str(share)) for name, share in shares.items()}
    rest = 1 - sum(exact.values(), Fraction(0))
    if rest < 0:
        raise InvalidInputError(
            f"The shares of {_list(shares)} add up to {float(1 - rest):g}; at most 1 can be given away."
        )
    names = [name if (name := group(item)) in exact else None for item in items]
    there = Counter(names)
    if missing := [name for name in shares if not there[name]]:
        raise InvalidInputError(f"Nothing of {_list(missing)} is left, so it cannot have a share. Take the share out.")
    sizes = [there[name] / share for name, share in exact.items()]
    if rest > 0 and there[None]:
        sizes.append(there[None] / rest)
    size = min(sizes, default=Fraction(len(items)))
    left: dict[str | None, int] = {name: int(share * size) for name, share in exact.items()}
    left[None] = int(rest * size)
    over = []
    for name in names:
        over.append(left[name] <= 0)
        left[name] -= 1
    return over


def over_size(
    items: Sequence[Item], cell: Callable[[Item], Hashable], group: Callable[[Item], str], most: int
) -> list[bool]:
    """For each item whether it must go, so that ``most`` are kept, or all when there are no more.

    Every cell keeps the same part of its items, to within one, so shares stay as they are. Within a cell groups take
    turns: of each the first item, then of each the second, and so on. Which groups the last turn still reaches is drawn by
    their names, so it does not hang on the order of the items and is the same for other items of the same groups.

    Args:
        items: in the order of preference.
        cell: what keeps its part of the whole.
        group: what takes turns.
        most: how many are kept.
    """
    cells: dict[Hashable, list[tuple[int, int, int]]] = {}
    drawn: dict[str, int] = {}
    turns: Counter[tuple[Hashable, str]] = Counter()
    for place, item in enumerate(items):
        where, name = cell(item), group(item)
        if name not in drawn:
            drawn[name] = derive_seed("turn", name)
        cells.setdefault(where, []).append((turns[where, name], drawn[name], place))
        turns[where, name] += 1
    rooms = _parts_of(most, [len(each) for each in cells.values()])
    kept = {place for each, room in zip(cells.values(), rooms, strict=True) for *_, place in sorted(each)[:room]}
    return [place not in kept for place in range(len(items))]


def _parts_of(most: int, sizes: Sequence[int]) -> list[int]:
    """How many of each size are kept, so that it is ``most`` in all: rounded down, the largest remainders one more."""
    whole = sum(sizes)
    if most >= whole:
        return list(sizes)
    rooms = [size * most // whole for size in sizes]
    by_rest = sorted(range(len(sizes)), key=lambda place: -(sizes[place] * most % whole))
    for place in by_rest[: most - sum(rooms)]:
        rooms[place] += 1
    return rooms


def _list(names: Collection[str]) -> str:
    return ", ".join(repr(name[:60]) for name in names)
