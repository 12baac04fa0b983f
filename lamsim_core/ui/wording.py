"""How numbers, times and splits are said to people."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from lamsim_core.records import Split

DASH = "–"
"""Stands for what is not known."""

SPLIT_NAMES: Mapping[Split, str] = {
    "train": "Training tasks",
    "unseen_instances": "Unseen instances",
    "unseen_tools": "Unseen tools",
    "unseen_categories": "Unseen categories",
}
"""The splits, for people."""

SPLIT_HELP = (
    "Training tasks may be learned from. Unseen instances: known kinds of tasks in worlds never trained on. "
    "Unseen tools: tasks that need tools never offered in training. Unseen categories: whole categories never trained on. "
    "Nothing from the unseen splits can enter a dataset."
)


def duration(seconds: float | None) -> str:
    """A span of time: ``< 0.1 s``, ``0.4 s``, ``48 s``, ``3 min 05 s``, ``2 h 10 min``; a dash when unknown."""
    if seconds is None:
        return DASH
    seconds = max(0.0, seconds)
    if 0 < seconds < 0.1:
        return "< 0.1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def between(start: str | None, end: str | None) -> float | None:
    """Seconds between two moments as records write them; None when one is missing or cannot be read."""
    try:
        return (datetime.fromisoformat(end or "") - datetime.fromisoformat(start or "")).total_seconds()
    except (ValueError, TypeError):
        return None


def local_time(written: str | None) -> datetime | None:
    """A moment as records write it, in the time zone of the browser; None when it cannot be read."""
    try:
        return datetime.fromisoformat(written or "").astimezone(_zone())
    except ValueError:
        return None


def moment(written: str | None) -> str:
    """A moment as records write it, in the time zone of the browser: ``today 14:03`` or ``2026-11-23 14:03``."""
    here = local_time(written)
    if here is None:
        return DASH
    if here.date() == datetime.now(here.tzinfo).date():
        return here.strftime("today %H:%M")
    return here.strftime("%Y-%m-%d %H:%M")


def percent(share: float | None, digits: int = 0) -> str:
    """A fraction as ``41 %``; a dash when there is none."""
    return DASH if share is None else f"{100 * share:.{digits}f} %"


def points(difference: float) -> str:
    """A difference of two fractions as ``+18.2 points``."""
    return f"{100 * difference:+.1f} points"


def number(value: float | None, digits: int = 1) -> str:
    """A number with so many decimals; a dash when there is none."""
    return DASH if value is None else f"{value:,.{digits}f}"


def p_value(value: float) -> str:
    """A p-value as ``p = 0.013`` or ``p < 0.001``."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def amount(count: int, what: str, plural: str | None = None) -> str:
    """A number with its noun: ``1 attempt``, ``1,200 attempts``."""
    return f"{count:,} {what if count == 1 else plural or what + 's'}"


def spaced(name: str) -> str:
    """A name from a closed set as people write it: ``argument_missing`` becomes ``argument missing``."""
    return name.replace("_", " ")


def _zone() -> ZoneInfo | None:
    try:
        return ZoneInfo(st.context.timezone) if st.context.timezone else None
    except (ZoneInfoNotFoundError, ValueError):
        return None
