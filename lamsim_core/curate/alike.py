"""Near-duplicates: attempts that did the same for nearly the same words.

Two attempts are alike when their template is the same, their calls are (tools, names of arguments and success of each,
in order; values aside), and the words of their requests have a Jaccard similarity of at least a threshold: words
common to both through words of either, each counted as often as it is said. The one that comes first is kept.

All pairs would be too many. Words are sorted by how rare they are; two sets can only reach the threshold when they share
one of their few rarest words (prefix filtering: Bayardo, Ma, Srikant, "Scaling up all pairs similarity search", WWW 2007),
so only those are compared. The result is exact, and the same every time.
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

_WORD = re.compile(r"\w+")

Bag = frozenset[tuple[str, int]]
"""Words, each with which time it is said."""


def words(text: str) -> list[str]:
    """The words of a text in one form: compatibility characters and case folded, punctuation dropped."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def bag(text: str) -> Bag:
    """The words of a text as a set in which a word said twice is there twice."""
    said: Counter[str] = Counter()
    found = set()
    for word in words(text):
        found.add((word, said[word]))
        said[word] += 1
    return frozenset(found)


def similarity(one: frozenset[Any], other: frozenset[Any]) -> float:
    """Jaccard similarity in [0, 1]; of two empty texts 1."""
    common = len(one & other)
    return common / (len(one) + len(other) - common) if one or other else 1.0


def near_duplicates(items: Iterable[tuple[Hashable, str]], threshold: float) -> list[int | None]:
    """For each item the place of the earlier one, itself kept, that it is too much like; None for what is kept.

    Args:
        items: what must be the same (anything hashable) and the text that may differ a little, in the order of preference.
        threshold: similarity from which on two are alike, in (0, 1].
    """
    groups: dict[Hashable, list[tuple[int, Bag]]] = defaultdict(list)
    total = 0
    for place, (same, text) in enumerate(items):
        groups[same].append((place, bag(text)))
        total = place + 1
    found: list[int | None] = [None] * total
    for members in groups.values():
        if len(members) > 1:
            _sift(members, threshold, found)
    return found


def _sift(members: Sequence[tuple[int, Bag]], threshold: float, found: list[int | None]) -> None:
    """Words become numbers, the rarest the smallest, because numbers compare fast."""
    rarity = Counter(word for _, said in members for word in said)
    ranks = {word: rank for rank, word in enumerate(sorted(rarity, key=lambda word: (rarity[word], word)))}
    kept: dict[int, frozenset[int]] = {}
    exact: dict[frozenset[int], int] = {}
    by_word: dict[int, list[int]] = defaultdict(list)
    for place, said in members:
        ranked = sorted(ranks[word] for word in said)
        numbers = frozenset(ranked)
        if numbers in exact:
            found[place] = exact[numbers]
            continue
        # Sets that share none of so many of their rarest words cannot be alike.
        prefix = ranked[: len(ranked) - math.ceil(threshold * len(ranked) - 1e-9) + 1]
        rivals = sorted({rival for word in prefix for rival in by_word[word]})
        alike = next((rival for rival in rivals if similarity(numbers, kept[rival]) >= threshold), None)
        if alike is not None:
            found[place] = alike
            continue
        kept[place] = numbers
        exact[numbers] = place
        for word in prefix:
            by_word[word].append(place)
