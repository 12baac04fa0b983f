"""Questions people write themselves in SQL: the views they may ask, and what a statement must be to be asked at all.

A question is checked on DuckDB's own syntax tree, not on its text: one statement that only selects, from the views
below, by functions that always give the same for the same. It is then run in a read-only transaction with a limit on
rows and time (``Index.ask``). That the database may not touch files or settings is a rule of its connection.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from lamsim_core.errors import InvalidInputError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LONGEST = 10_000
"""Characters a question may have."""
MOST_ROWS = 200_000
"""Rows a question may return."""
MOST_SECONDS = 5.0
"""Time a question may take."""

VIEWS: Final[Mapping[str, tuple[str, Mapping[str, tuple[str, str]]]]] = {
    "attempts": (
        "current",
        {
            "id": ("id", "id of the attempt"),
            "run": ("run", "the exploration, evaluation or live session it belongs to"),
            "created": ("created", "when it was made: UTC, ISO 8601 text, so that it sorts and compares as time"),
            "category": ("category", "category of the task"),
            "template": ("template", "the abstract task"),
            "kinds": ("kinds", "what the task demands, a list: lookup, write, conditional, aggregate, ..."),
            "seed": ("task_seed", "seed of the task: those of one category with the same seed are in one world"),
            "split": ("split", "train, or a split held out from training (which never enters)"),
            "request": ("instruction", "what the user said, its first 2000 characters"),
            "answer": ("answer", "what the agent said at the end, likewise; NULL when nothing"),
            "policy": ("policy", "who acted"),
            "adapter": ("adapter", "the adapter used, or NULL"),
            "temperature": ("temperature", "of sampling, or NULL"),
            "attempt": ("attempt", "which attempt at the task"),
            "ended": ("ended", "answered, step_limit, token_limit, stopped or failed"),
            "passed": ("passed", "true, false, or NULL when not scored"),
            "reward": ("reward", "its reward, or NULL"),
            "steps": ("n_steps", "number of steps"),
            "calls": ("n_calls", "number of calls"),
            "failed": ("n_failed", "number of actions that failed a check"),
            "mistakes": ("error_classes", "classes of mistakes made, a list"),
            "tools": ("tools", "tools called, a list by their own names"),
            "offered": ("offered", "tools offered, a list of category.tool"),
            "looks": ("looks", "plain when these look as they are, varied when they are named and described otherwise"),
            "tokens": ("completion_tokens", "tokens the model wrote, or NULL"),
            "seconds": ("seconds", "how long it took"),
            "parent": ("parent", "the attempt it was forked from, or NULL"),
            "edited": ("edited", "whether a person edited a result (such an attempt never enters)"),
            "decision": ("decision", "accept, reject or undecided"),
            "tags": ("tags", "tags of people, a list"),
            "note": ("note", "note of a person"),
        },
    ),
    "actions": (
        "steps",
        {
            "attempt_id": ("trajectory", "id of the attempt"),
            "step": ("step", "place of the action, from 0"),
            "turn": ("turn", "which reply it came from"),
            "tool": ("tool", "the tool called by its own name; NULL for a message"),
            "arguments": (
                "[split_part(given, '=', 1) for given in arguments]",
                "names of the arguments given, a sorted list",
            ),
            "ok": ("ok", "whether the tool did it; NULL for a message"),
            "fault": ("fault", "why the call did not run, or NULL"),
            "mistakes": ("error_classes", "classes of mistakes found in it when it was stored, a list"),
            "changes": ("n_changes", "rows of the world changed"),
            "seconds": ("seconds", "time in tool and checks"),
        },
    ),
}
"""What may be asked: view -> what it is made from, and column -> (expression, meaning)."""

VIEW_STATEMENTS = tuple(
    f"CREATE VIEW {view} AS SELECT {', '.join(f'{source} AS {name}' for name, (source, _) in columns.items())} FROM {table}"
    for view, (table, columns) in VIEWS.items()
)
"""What makes these views."""

_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_TABLES = {"BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY", "EXPRESSION_LIST", "TABLE_FUNCTION"}
_TABLE_FUNCTIONS = {"unnest", "range", "generate_series"}
_MOMENTS = {
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp",
    "current_user", "localtime", "localtimestamp", "session_user", "user",
}  # fmt: skip
"""Words SQL reads as a call although no function is written."""
_STEADY = (
    "SELECT function_name FROM duckdb_functions() WHERE function_type IN ('scalar', 'aggregate', 'window', 'macro') "
    "GROUP BY function_name HAVING bool_and(coalesce(stability = 'CONSISTENT', false))"
)
"""Functions of which the database itself says that they always give the same for the same arguments."""


def check_question(connection: "DuckDBPyConnection", sql: str) -> None:
    """Refuse whatever is not one question about the views, as DuckDB's own parser reads it.

    Args:
        connection: any; only its parser and its list of functions are asked.
        sql: what a person wrote.

    Raises:
        InvalidInputError: says what is not allowed, or where the parser stopped.
    """
    import duckdb

    if len(sql) > LONGEST:
        raise InvalidInputError(f"The question has {len(sql):,} characters; at most {LONGEST:,} are read.")
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise InvalidInputError(f"The question cannot be read: {_first_line(error)}") from error
    if len(statements) != 1:
        raise InvalidInputError(f"Write exactly one SELECT statement; these are {len(statements)}.")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise InvalidInputError(f"Only a SELECT may be written here, not {statements[0].type.name}.")
    if statements[0].named_parameters:
        raise InvalidInputError("A question has no parameters ($1, ?): write the values themselves.")
    (text,) = connection.execute("SELECT json_serialize_sql($1)", [sql]).fetchall()[0]
    tree = json.loads(text)
    if tree["error"]:
        raise InvalidInputError(f"Only a plain SELECT may be written here: {tree['error_message']}")
    steady = {name for (name,) in connection.execute(_STEADY).fetchall()} | _TABLE_FUNCTIONS
    nodes = list(_nodes(tree))
    known = {*VIEWS, *(entry["key"].lower() for node in nodes for entry in _entries(node))}
    for node in nodes:
        _check(node, known, steady)


def _check(node: Mapping[str, Any], known: Collection[str], steady: Collection[str]) -> None:
    kind = str(node.get("type", ""))
    if kind.endswith("_NODE") and kind not in _NODES:
        raise InvalidInputError(f"A question only reads; {kind.split('_')[0]} is not allowed in it.")
    if node.get("sample"):
        raise InvalidInputError("A sample drawn by chance cannot be made again; choose 'drawn by seed' instead.")
    if "sample" in node and "alias" in node:
        _check_table(node, kind, known)
    if node.get("class") in ("FUNCTION", "WINDOW") and node["function_name"].lower() not in steady:
        raise InvalidInputError(
            f"The function {node['function_name'][:60]!r} may not be used here: only functions that always give the same."
        )
    if node.get("class") == "COLUMN_REF":
        names = node["column_names"]
        if len(names) == 1 and names[0].lower() in _MOMENTS:
            raise InvalidInputError(f"{names[0]} gives another value every time; write the value itself.")


def _check_table(node: Mapping[str, Any], kind: str, known: Collection[str]) -> None:
    if kind not in _TABLES:
        raise InvalidInputError("Only SELECT ... FROM the views may be written here, no DESCRIBE, SHOW or PIVOT.")
    if kind == "TABLE_FUNCTION" and node["function"].get("function_name", "").lower() not in _TABLE_FUNCTIONS:
        raise InvalidInputError(f"{node['function'].get('function_name', '')[:60]!r} may not be read from.")
    if kind == "BASE_TABLE":
        name = node["table_name"]
        if node.get("catalog_name") or node.get("schema_name") or name.lower() not in known:
            raise InvalidInputError(f"There is no view {name[:60]!r}. There are: {', '.join(VIEWS)}.")


def _entries(node: Mapping[str, Any]) -> list[Any]:
    tables = node.get("cte_map")
    return list(tables["map"]) if isinstance(tables, dict) else []


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a JSON value."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
