"""Caps and shares: how much of each kind of thing a dataset holds."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

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


def _list(names: Collection[str]) -> str:
    return ", ".join(repr(name[:60]) for name in names)
