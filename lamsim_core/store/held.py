"""Values as DuckDB can hold them."""

from typing import Any

_LARGEST = 2**63 - 1


def held(value: Any) -> Any:
    """A value as DuckDB can hold it: lone surrogates written out, numbers beyond 64 bits cut to the largest."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-_LARGEST, min(_LARGEST, value))
    if isinstance(value, list | tuple):
        return [held(part) for part in value]
    return value


def held_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of such values."""
    return {name: held(value) for name, value in row.items()}
