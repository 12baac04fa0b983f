"""The rows of a frozen dataset, for the pages that show them."""

from typing import Any

import streamlit as st

from lamsim_core.curate.folder import load_rows
from lamsim_core.records import Dataset
from lamsim_core.settings import Settings


def read_rows(settings: Settings, dataset: Dataset) -> list[dict[str, Any]]:
    """The rows, read and checked against their hash, kept for a while: they never change."""
    remember = st.cache_resource(max_entries=2, ttl="15m", show_spinner="Reading the rows")
    rows: list[dict[str, Any]] = remember(_load)(str(settings.home), dataset.id, settings)
    return rows


def _load(home: str, dataset_id: str, _settings: Settings) -> list[dict[str, Any]]:
    return load_rows(_settings, dataset_id)
