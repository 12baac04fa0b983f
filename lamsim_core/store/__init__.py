"""Where everything is kept: an append-only journal of records, and a DuckDB index of it for questions."""

from lamsim_core.store.index import Index
from lamsim_core.store.journal import Journal
from lamsim_core.store.store import Store, open_store

__all__ = ["Index", "Journal", "Store", "open_store"]
