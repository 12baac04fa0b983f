"""Selections that are right for most, by name. A preset fills in rules that were not given, over what is stored now.

``balanced``: verified only (as every selection unless told otherwise), near-duplicates out, a cap per template, and a
stated part each for the kinds of tasks that are rare but must be learned. What is kept is drawn by a seed: the newest
would be the templates that were planned last. A share the store cannot meet is left out and
said, so a preset never fails for want of a kind. What comes out is a plain selection, which a card can hold.
"""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from lamsim_core.curate.balance import over_share
from lamsim_core.curate.held_out_texts import HELD_OUT_SPLITS
from lamsim_core.curate.select import choose
from lamsim_core.records import Preset, Selection, TaskKind
from lamsim_core.store import Store
from lamsim_core.store.queries import TrajectoryRow

ALIKE = 0.9
"""Of near-duplicates that share this part of their words one is kept."""
PER_TEMPLATE = 20
SHARES: Mapping[TaskKind, float] = MappingProxyType({"no_tool": 0.1, "ask": 0.1, "parallel": 0.1, "recovery": 0.1})
"""What is rare by itself: to decline, to ask, to call at once, to go on after a refusal."""
FEWEST = 5
"""Rows of a kind below which a share of it teaches nothing."""
KEPT = 0.5
"""Part of the rows that must be left by the shares, unless fewer are wanted."""

UNTOUCHED = Selection(decontaminate=HELD_OUT_SPLITS)
"""No rule given, and nothing let in that is only for measuring."""


class Filled(NamedTuple):
    """What a preset comes to."""

    selection: Selection
    says: tuple[str, ...]
    """Which shares were left out, and why."""


def fill_in(preset: Preset, store: Store, given: Selection = UNTOUCHED) -> Filled:
    """A preset over what is stored now. A rule that was given (other than ``Selection()`` has it) stays as given.

    Raises:
        InvalidInputError: a given rule cannot be kept.
        NotFoundError: a list of outside texts that is given is not here.
    """
    return {"balanced": _balanced}[preset](store, given)


def _balanced(store: Store, given: Selection) -> Filled:
    usual = Selection()
    rules: dict[str, Any] = {"alike": ALIKE, "max_per_template": PER_TEMPLATE, "keep": "seeded"}
    wanted = {name: rule for name, rule in rules.items() if getattr(given, name) == getattr(usual, name)}
    selection = given.model_copy(update=wanted)
    if selection.kind_shares:
        return Filled(selection, ())
    before = selection.model_copy(update={"rows": None, "policy_shares": {}})
    shares, says = _met(choose(store, before).rows, selection.rows)
    return Filled(selection.model_copy(update={"kind_shares": shares}), tuple(says))


def _met(rows: tuple[TrajectoryRow, ...], wanted: int | None) -> tuple[dict[TaskKind, float], list[str]]:
    """The shares that can be met, and what to say of the others."""
    shares, says = dict(SHARES), []
    enough = min(KEPT * len(rows), len(rows) if wanted is None else wanted)
    while shares:
        named = [next((kind for kind in row.kinds if kind in shares), None) for row in rows]
        there = Counter(named)
        rarest = min(shares, key=lambda kind: there[kind])
        if there[rarest] < FEWEST:
            says.append(f"{_kind(rarest)}: {there[rarest] or 'no'} fitting rows, so it has no share.")
        else:
            over = over_share(named, lambda kind: kind, {str(kind): share for kind, share in shares.items()})
            kept = Counter(kind for kind, gone in zip(named, over, strict=True) if not gone)
            if over.count(False) >= enough and all(kept[kind] >= FEWEST for kind in shares):
                break
            says.append(
                f"{_kind(rarest)}: {there[rarest]} of {len(rows):,} fitting rows, too few for a share of {shares[rarest]:g}; "
                "they enter as they come."
            )
        del shares[rarest]
    return shares, says


def _kind(kind: TaskKind) -> str:
    return kind.replace("_", " ").capitalize()
