"""What came into a dataset and what went out of it, by the rule that did it: between two versions, or when made again."""

import json
from collections.abc import Collection, Iterable, Mapping

from lamsim_core.curate.card import read_card, rules_of
from lamsim_core.curate.folder import CARD, LEFT_OUT, dataset_folder, get_dataset, rows_digest
from lamsim_core.curate.freezing import ToRow, make_rows
from lamsim_core.curate.select import LeftOut
from lamsim_core.errors import InvalidInputError
from lamsim_core.records import Dataset, Record
from lamsim_core.settings import Settings
from lamsim_core.store import Store

NOT_LOOKED_AT = "not looked at"
NONE = "none"
"""A rule that there was not, for datasets of one kind have others than those of another."""
NOT_KNOWN = "not known: frozen by an earlier version"


class Differences(Record):
    """From one list of members to another."""

    same: int
    """Members of both."""
    came: dict[str, tuple[str, ...]]
    """Ids of members of the second only, by why they were not in the first."""
    went: dict[str, tuple[str, ...]]
    """Ids of members of the first only, by why they are not in the second."""
    rules: dict[str, tuple[str, str]]
    """Rules that differ, in words: before and after."""

    @property
    def none(self) -> bool:
        """Whether the members are the same."""
        return not self.came and not self.went


class Rebuilt(Record):
    """A dataset made again from its card and the store of today."""

    dataset: str
    rows: int
    hash: str
    same: bool
    """Whether the rows are byte for byte those that were frozen."""
    differences: Differences
    """From the members that were frozen to those chosen now."""


def load_left_out(settings: Settings, dataset_id: str) -> dict[str, LeftOut] | None:
    """What was looked at and did not enter, by id; None when an earlier version froze the dataset and did not write it.

    Raises:
        NotFoundError: there is no such dataset.
        InvalidInputError: the file cannot be read.
    """
    path = dataset_folder(settings, get_dataset(settings, dataset_id).id) / LEFT_OUT
    try:
        found = [LeftOut(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInputError(f"{path} cannot be read, so what was left out is not known: {error}") from error
    return {each.trajectory: each for each in found}


def differences(settings: Settings, dataset: Dataset, parent: Dataset) -> Differences:
    """What came in and went out from ``parent`` to ``dataset``. Raises as ``load_left_out``."""
    before, after = load_left_out(settings, parent.id), load_left_out(settings, dataset.id)
    old, new = rules_of(parent.selection, parent.kind), rules_of(dataset.selection, dataset.kind)
    names = dict.fromkeys([*new, *old])
    rules = {name: pair for name in names if len(set(pair := (old.get(name, NONE), new.get(name, NONE)))) == 2}
    return _compare(parent.members, dataset.members, before, after, rules)


def rebuild(store: Store, dataset: Dataset, *, to_row: ToRow | None = None) -> Rebuilt:
    """Make a dataset again from its card, over what was stored when it was frozen, and compare. Writes nothing.

    Args:
        store: where the trajectories are.
        dataset: which one.
        to_row: makes the training row of a trajectory; by default the one training uses.

    Raises:
        InvalidInputError: the card does not say what the dataset was made from, or it cannot be made any more.
        NotFoundError: a list of outside texts it was compared with is not here.
    """
    path = dataset_folder(store.settings, dataset.id) / CARD
    try:
        origin = read_card(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"The card {path} cannot be read: {error}") from error
    content = make_rows(
        store,
        origin.selection,
        origin.kind,
        to_row=to_row,
        as_of=origin.created,
        members=frozenset(dataset.members),
    )
    digest = rows_digest()
    rows = 0
    members: dict[str, None] = {}
    out = {each.trajectory: each for each in content.out}
    for made in content.rows:
        if isinstance(made, LeftOut):
            out[made.trajectory] = made
        else:
            digest.update(made.line)
            rows += 1
            members |= dict.fromkeys(made.members)
    found = _compare(dataset.members, members, load_left_out(store.settings, dataset.id), out, {})
    same = digest.hexdigest() == origin.hash and tuple(members) == dataset.members
    return Rebuilt(dataset=dataset.id, rows=rows, hash=digest.hexdigest(), same=same, differences=found)


def _compare(
    first: Collection[str],
    second: Collection[str],
    before: Mapping[str, LeftOut] | None,
    after: Mapping[str, LeftOut] | None,
    rules: dict[str, tuple[str, str]],
) -> Differences:
    old, new = set(first), set(second)
    return Differences(
        same=len(old & new),
        came=_by_reason((member for member in second if member not in old), before),
        went=_by_reason((member for member in first if member not in new), after),
        rules=rules,
    )


def _by_reason(members: Iterable[str], out: Mapping[str, LeftOut] | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for member in members:
        other = NOT_KNOWN if out is None else NOT_LOOKED_AT
        reason = out[member].reason if out and member in out else other
        found.setdefault(reason, []).append(member)
    return {reason: tuple(ids) for reason, ids in sorted(found.items())}
