"""JSON that cannot be edited in place, and fresh copies of JSON: what a world keeps and what a tool is handed.

A world's rows and an agent's recorded arguments are evidence; a tool that holds on to a list of either must not be able
to change it behind the state hash and the record.
"""

from typing import Any, NoReturn

SCALARS = frozenset((str, int, float, bool, type(None)))
"""Types of JSON values that cannot be edited anyway."""


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TypeError("rows are replaced, never edited in place")


class FrozenList(list[Any]):
    """A list that refuses every change. Copies of it are plain lists."""

    __slots__ = ()
    append = extend = insert = pop = remove = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def __reduce_ex__(self, _: object) -> tuple[type[list[Any]], tuple[list[Any]]]:
        """Copied and pickled as the plain list it holds."""
        return list, (thawed(self),)


class FrozenDict(dict[str, Any]):
    """A dictionary that refuses every change. Copies of it are plain dictionaries."""

    __slots__ = ()
    update = pop = popitem = clear = setdefault = _refuse
    __setitem__ = __delitem__ = __ior__ = _refuse

    def __reduce_ex__(self, _: object) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        """Copied and pickled as the plain dictionary it holds."""
        return dict, (thawed(self),)


def frozen(value: Any) -> Any:
    """A JSON value that cannot be edited in place: lists and objects are copied, at every depth."""
    kind = type(value)
    if kind in SCALARS or kind is FrozenList or kind is FrozenDict:
        return value
    if isinstance(value, list):
        return FrozenList(frozen(item) for item in value)
    if isinstance(value, dict):
        return FrozenDict((key, frozen(item)) for key, item in value.items())
    return value


def thawed(value: Any) -> Any:
    """A copy of a JSON value that shares nothing with it that could be edited."""
    if type(value) in SCALARS:
        return value
    if isinstance(value, list):
        return [thawed(item) for item in value]
    if isinstance(value, dict):
        return {key: thawed(item) for key, item in value.items()}
    return value
