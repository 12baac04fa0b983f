"""One object for everything stored: the journal that is written, the index that is asked."""

import threading
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from lamsim_core.errors import StoreWriteError
from lamsim_core.records import Record, Trajectory
from lamsim_core.settings import Settings
from lamsim_core.store.framing import kind_of
from lamsim_core.store.index import Index
from lamsim_core.store.journal import Journal
from lamsim_core.store.segments import read_run

_open: dict[Path, "Store"] = {}
_opening = threading.Lock()


class Store:
    """The store of one home folder. Threads may share it; ``open_store`` gives everyone in a process the same one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.journal = Journal(settings.journal)
        self._index: Index | None = None
        self._lock = threading.Lock()

    @property
    def index(self) -> Index:
        """The index, opened when first asked for. It catches up with the journal at ``index.sync()``.

        Raises:
            StoreError: it cannot be opened, not even in memory.
        """
        with self._lock:
            if self._index is None:
                self._index = Index(self.settings.index, self.settings.journal, self.settings.index_memory)
            return self._index

    def add(self, record: Record) -> None:
        """Make a record durable. The index shows it after its next ``sync``.

        Raises:
            StoreWriteError: it could not be made durable, or records of this class are not stored.
        """
        try:
            kind = kind_of(record)
        except ValueError as error:
            raise StoreWriteError(f"Nothing was stored: {error}.") from error
        self.journal.append(kind, record)

    def read_run(self, run: str, without: Collection[str] = ()) -> list[Trajectory]:
        """The trajectories of a run, straight from the journal: for jobs, which never open the index.

        Args:
            run: the run.
            without: segments that are not read, because it cannot be in them.
        """
        return read_run(self.settings.journal, run, without)

    def close(self) -> None:
        """Close the journal segment and the index. Both open again when used again."""
        self.journal.close()
        with self._lock:
            if self._index is not None:
                self._index.close()

    def __enter__(self) -> Self:
        """Use the store until the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store."""
        self.close()


def open_store(settings: Settings) -> Store:
    """The store of these settings: always the same object within a process."""
    home = settings.home.absolute()
    with _opening:
        if home not in _open:
            _open[home] = Store(settings)
        return _open[home]
