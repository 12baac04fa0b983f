"""Days and times as tools take them: text of one form, refused with a sentence when it is no real date."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from lamsim_core.environment.toolspec import ToolRefusedError

DAY = "%Y-%m-%d"
MOMENT = "%Y-%m-%d %H:%M"

Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
"""A parameter that is a day: YYYY-MM-DD."""
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""A parameter that is a time of day: HH:MM, 24 hours."""
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}$")]
"""A parameter that is a day and a time: YYYY-MM-DD HH:MM."""


def parse_day(text: str) -> datetime:
    """Midnight of a day. Raises ToolRefusedError for a day that does not exist."""
    return _parse(text, DAY, "a real date")


def parse_moment(text: str) -> datetime:
    """A day and time. Raises ToolRefusedError for one that does not exist."""
    return _parse(text, MOMENT, "a real date and time")


def _parse(text: str, form: str, what: str) -> datetime:
    try:
        return _read(text, form)
    except ValueError:
        raise ToolRefusedError(f"{text} is not {what}.") from None


@lru_cache(maxsize=4096)
def _read(text: str, form: str) -> datetime:
    """Reading a date is slow, and the days of a world are few."""
    return datetime.strptime(text, form)
