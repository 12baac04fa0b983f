"""Reading frozen dataset versions: one folder each, complete once its ``dataset.json`` is there, never changed afterwards.

- ``<id>/rows.jsonl``: one training row per line
- ``<id>/README.md``: the card, for people
- ``<id>/left_out.jsonl``: what was looked at and did not enter, with the reason; versions of before have none
- ``<id>/dataset.json``: the ``Dataset`` record, written last
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.records import Dataset
from lamsim_core.settings import Settings

ROWS, CARD, LEFT_OUT, RECORD = "rows.jsonl", "README.md", "left_out.jsonl", "dataset.json"

_ID = re.compile(r"ds_[0-9a-z]{26}")


class Listing(NamedTuple):
    """The datasets on disk."""

    datasets: list[Dataset]
    """The newest first."""
    problems: list[str]
    """A sentence for each folder that is not a whole dataset."""


def dataset_folder(settings: Settings, dataset_id: str) -> Path:
    """The folder of a dataset, whether or not it exists.

    Raises:
        NotFoundError: ``dataset_id`` does not have the form of a dataset id.
    """
    if not _ID.fullmatch(dataset_id):
        raise NotFoundError("dataset", dataset_id)
    return settings.datasets / dataset_id


def list_datasets(settings: Settings) -> Listing:
    """Every dataset on disk, and what is wrong with those that cannot be used. Contents are checked when read."""
    try:
        folders = sorted((path for path in settings.datasets.iterdir() if path.is_dir()), reverse=True)
    except FileNotFoundError:
        return Listing([], [])
    datasets: list[Dataset] = []
    problems: list[str] = []
    for folder in folders:
        if folder.name.startswith("."):
            continue  # being written, or left behind by a kill
        try:
            datasets.append(get_dataset(settings, folder.name))
        except (InvalidInputError, NotFoundError) as error:
            problems.append(str(error))
    datasets.sort(key=lambda dataset: (dataset.created, dataset.id), reverse=True)
    return Listing(datasets, problems)


def get_dataset(settings: Settings, dataset_id: str) -> Dataset:
    """One dataset by its id.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: its folder is damaged.
    """
    folder = dataset_folder(settings, dataset_id)
    if not folder.is_dir():
        raise NotFoundError("dataset", dataset_id)
    try:
        dataset = Dataset.model_validate_json((folder / RECORD).read_bytes())
    except FileNotFoundError as error:
        raise _damaged(dataset_id, f"it has no {RECORD}") from error
    except (OSError, ValidationError) as error:
        raise _damaged(dataset_id, f"its {RECORD} cannot be read") from error
    if dataset.id != dataset_id:
        raise _damaged(dataset_id, f"its {RECORD} belongs to {dataset.id[:40]!r}")
    if not (folder / ROWS).is_file():
        raise _damaged(dataset_id, f"it has no {ROWS}")
    return dataset


def find_dataset(settings: Settings, name: str) -> Dataset:
    """A dataset by its id, or the newest of that name.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: its folder is damaged.
    """
    if _ID.fullmatch(name):
        return get_dataset(settings, name)
    datasets = list_datasets(settings).datasets
    for dataset in datasets:
        if dataset.name == name:
            return dataset
    raise NotFoundError("dataset", name, {dataset.name for dataset in datasets})


def load_rows(settings: Settings, dataset_id: str) -> list[dict[str, Any]]:
    """The training rows of a dataset, proven to be those that were frozen.

    Raises:
        NotFoundError: there is no such dataset.
        InvalidInputError: its folder is damaged, or its rows are not those that were frozen.
    """
    dataset = get_dataset(settings, dataset_id)
    try:
        content = (dataset_folder(settings, dataset_id) / ROWS).read_bytes()
    except OSError as error:
        raise _damaged(dataset_id, f"its {ROWS} cannot be read ({error.strerror})") from error
    digest = rows_digest()
    digest.update(content)
    if digest.hexdigest() != dataset.hash:
        raise _damaged(dataset_id, f"its {ROWS} is not the one that was frozen")
    return list(_rows(content))


def _rows(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.splitlines():
        row: dict[str, Any] = json.loads(line)
        yield row


def rows_digest() -> hashlib.blake2b:
    """The hash a dataset's rows are known by: feed it the bytes of ``rows.jsonl``."""
    return hashlib.blake2b(digest_size=16)


def _damaged(dataset_id: str, reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"The dataset {dataset_id} is damaged: {reason}. Freeze its selection again and use the new one."
    )
