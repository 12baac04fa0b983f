"""Freezing a selection into a dataset version, whole or not at all."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from lamsim_core.canonical import canonical_json, new_id, now
from lamsim_core.curate.card import card
from lamsim_core.curate.folder import CARD, LEFT_OUT, RECORD, ROWS, list_datasets, rows_digest
from lamsim_core.curate.mining import mine
from lamsim_core.curate.select import DAMAGED, HELD_OUT, LeftOut, choose, held_out
from lamsim_core.errors import DamagedRecordError, InvalidInputError, StoreWriteError
from lamsim_core.records import Dataset, DatasetKind, Selection, Trajectory
from lamsim_core.store import Store
from lamsim_core.store.queries import TrajectoryRow, get_trajectory

ToRow = Callable[[Trajectory], dict[str, Any]]
"""Makes the training row of a trajectory."""
ToRows = Callable[[Sequence[Trajectory]], list[dict[str, Any]]]
"""Makes the rows of trajectories at tasks of one world, in their order."""

_NAME = re.compile(r"\w[\w .+-]{0,79}")
HEADINGS = ("category", "template", "policy", "calls", "kind")
"""What rows are counted by."""
_NEITHER: dict[DatasetKind, str] = {"preference": "no preference pair", "labels": "no balanced label"}
_HOW: dict[DatasetKind, str] = {
    "preference": "Pairs need failures of a model beside passes at the same tasks: let a model try each task several times, "
    "with feedback, or as a tree, and let the reference solution try the same tasks.",
    "labels": "Labels need passes and failures of a model: explore more, or ask for no balance.",
}
_ROWS_MAKER = "lamsim_core.train.shared_tools"


def freeze(
    store: Store, name: str, selection: Selection, *, kind: DatasetKind = "sft", to_row: ToRow | None = None
) -> Dataset:
    """Make a dataset version from a selection. The same selection of the same store gives the same hash.

    Args:
        store: where the trajectories are, and where the dataset is recorded.
        name: what people call it. Versions may share a name: the newest earlier one becomes the parent.
        selection: which trajectories.
        kind: what a row is: a whole attempt, a preference pair, or a message with a label.
        to_row: makes the training row of a whole trajectory; by default the one training uses.

    Raises:
        InvalidInputError: the name cannot be used, no trajectory is left, or a rule cannot be kept.
        NotFoundError: a list of outside texts that the selection names is not here.
        StoreWriteError: the dataset could not be written; nothing of it is left.
    """
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            "A dataset's name has 1 to 80 letters, digits, spaces and . _ + -, and begins with a letter or digit; "
            f"got {name[:100]!r}."
        )
    if kind != "sft" and selection.weigh == "all":
        raise InvalidInputError("Only whole attempts can be unfiltered; pairs and labels hold what was verified.")
    if kind != "sft" and (selection.spare_tools is not None or selection.share_tools is not None):
        raise InvalidInputError(
            "Only rows of whole attempts can show other tools; pairs and labels show what was offered."
        )
    settings = store.settings
    created = now()
    content = make_rows(store, selection, kind, to_row=to_row)
    dataset_id = new_id("ds")
    draft = settings.datasets / f".{dataset_id}.tmp"
    try:
        draft.mkdir(parents=True)
        empty = Dataset(
            id=dataset_id,
            name=name,
            created=created,
            kind=kind,
            selection=selection,
            members=(),
            rows=0,
            counts={},
            hash="",
        )
        dataset = _write(store, draft, empty, content)
        draft.rename(settings.datasets / dataset_id)
        _sync_folder(settings.datasets)
    except OSError as error:
        raise StoreWriteError(
            f"The dataset could not be written in {settings.datasets} ({error.strerror or error}); nothing of it is left. "
            "Make room on the disk and try again."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    try:
        store.add(dataset)
    except StoreWriteError:
        shutil.rmtree(settings.datasets / dataset_id, ignore_errors=True)
        raise
    return dataset


def rows_maker(selection: Selection, to_row: ToRow | None = None) -> ToRows:
    """Makes training rows, weighed and with the tools the selection says.

    That lies in the layer above, which reads datasets: it is found by name, as job handlers are.
    """
    if to_row is not None:
        return lambda trajectories: [to_row(trajectory) for trajectory in trajectories]
    return partial(
        import_module(_ROWS_MAKER).to_rows,
        weigh=selection.weigh,
        spare_tools=selection.spare_tools,
        share=selection.share_tools,
    )


class Made(NamedTuple):
    """One row of a dataset as it is written."""

    line: bytes
    """The line of ``rows.jsonl``."""
    members: tuple[str, ...]
    """Trajectories it is made of."""
    facts: tuple[tuple[str, str], ...]
    """What it is counted by: heading and value."""


class Content(NamedTuple):
    """What goes into a dataset."""

    out: tuple[LeftOut, ...]
    """Trajectories known from the start to be in no row."""
    rows: Iterator[Made | LeftOut]
    """The rows, and trajectories found out on the way to be in none."""
    headings: tuple[str, ...]
    """What rows are counted by."""
    dropped: dict[str, int]
    """Rows that were found and left out, by reason."""


def make_rows(
    store: Store,
    selection: Selection,
    kind: DatasetKind,
    *,
    to_row: ToRow | None = None,
    as_of: str | None = None,
    members: Collection[str] = frozenset(),
) -> Content:
    """The rows of a selection, of whichever kind.

    ``to_row`` is that of ``freeze``, ``as_of`` and ``members`` are those of ``curate.select.select``.
    """
    if kind == "sft":
        chosen = choose(store, selection, as_of=as_of, members=members)
        made = _whole_attempts(store, _worlds(chosen.rows, selection), rows_maker(selection, to_row))
        return Content(chosen.out, made, HEADINGS, {})
    mined = mine(store, selection, kind, as_of=as_of, members=members)
    rows = (Made(row.line, row.members, tuple(row.facts)) for row in mined.rows)
    headings = ("pair", "chosen_by", *HEADINGS) if kind == "preference" else ("label", *HEADINGS)
    return Content(tuple(mined.out), rows, tuple(each for each in headings if each != "calls"), mined.dropped)


def _worlds(rows: Sequence[TrajectoryRow], selection: Selection) -> list[list[TrajectoryRow]]:
    """The trajectories whose rows are made together: those of one world where they share tools, else each by itself."""
    if selection.share_tools is None:
        return [[row] for row in rows]
    worlds: dict[tuple[str, int], list[TrajectoryRow]] = {}
    for row in rows:
        worlds.setdefault((row.category, row.task_seed), []).append(row)
    return list(worlds.values())


def _whole_attempts(
    store: Store, worlds: Sequence[Sequence[TrajectoryRow]], to_rows: ToRows
) -> Iterator[Made | LeftOut]:
    """The row of each trajectory chosen, or why it cannot enter after all."""
    for world in worlds:
        trajectories = []
        for row in world:
            try:
                trajectory = get_trajectory(store.index, row.id)
            except DamagedRecordError:
                yield LeftOut(row.id, DAMAGED)
                continue
            if held_out(trajectory.task):
                yield LeftOut(row.id, HELD_OUT)
            else:
                trajectories.append(trajectory)
        for trajectory, made in zip(trajectories, to_rows(trajectories), strict=True):
            yield Made((canonical_json(made) + "\n").encode(), (trajectory.id,), tuple(_facts(trajectory)))


def _write(store: Store, draft: Path, empty: Dataset, content: Content) -> Dataset:
    """Write the folder of a dataset. ``empty`` is its record without what is found out here."""
    out = list(content.out)
    counts: dict[str, Counter[str]] = {key: Counter() for key in content.headings}
    members: dict[str, None] = {}
    rows = 0
    digest = rows_digest()
    with (draft / ROWS).open("wb") as file:
        for made in content.rows:
            if isinstance(made, LeftOut):
                out.append(made)
                continue
            file.write(made.line)
            digest.update(made.line)
            rows += 1
            members |= dict.fromkeys(made.members)
            for key, value in made.facts:
                counts[key][value] += 1
        file.flush()
        os.fsync(file.fileno())
    left_out = Counter(each.reason for each in out)
    if not rows:
        raise InvalidInputError(_nothing(left_out, content.dropped, empty.kind))
    by = {key: dict(sorted(found.items())) for key, found in counts.items()}
    if content.dropped:
        by["dropped"] = content.dropped
    same_name = (each.id for each in list_datasets(store.settings).datasets if each.name == empty.name)
    dataset = empty.model_copy(
        update={
            "members": tuple(members),
            "rows": rows,
            "counts": {**by, "left_out": dict(sorted(left_out.items()))},
            "hash": digest.hexdigest(),
            "parent": next(same_name, None),
        }
    )
    _write_synced(draft / CARD, card(dataset))
    _write_synced(draft / LEFT_OUT, "".join(f"{canonical_json(each._asdict())}\n" for each in out))
    _write_synced(draft / RECORD, canonical_json(dataset.model_dump(mode="json")) + "\n")
    _sync_folder(draft)
    return dataset


def _facts(trajectory: Trajectory) -> Iterator[tuple[str, str]]:
    """What a row is counted by; by kind it counts once for each of its task's."""
    yield "category", trajectory.task.category
    yield "template", trajectory.task.template
    yield "policy", trajectory.policy.label
    yield "calls", str(sum(step.call is not None for step in trajectory.steps))
    for kind in trajectory.task.kinds:
        yield "kind", kind


def _nothing(left_out: Counter[str], dropped: dict[str, int], kind: DatasetKind) -> str:
    if not left_out:
        return "This selection looks at no trajectory, so there is nothing to freeze. Explore first, or choose others."
    if kind != "sft":
        lost = ", ".join(f"{number} {reason}" for reason, number in dropped.items()) or "none was found"
        return f"There is {_NEITHER[kind]}, so there is nothing to freeze ({lost}). {_HOW[kind]}"
    reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.most_common())
    return f"No trajectory is left, so there is nothing to freeze. Left out: {reasons}. Loosen the selection or explore more."


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
