from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from lamsim_core.environment import Environment, ToolRefusedError, World, tool
from lamsim_core.records import ToolCall


@tool(mutates=True)
def pay(
    world: World,
    to: str,
    amount: Annotated[float, Field(gt=0)],
    times: int = 1,
    kind: Literal["fast", "cheap"] = "cheap",
    notes: list[str] | None = None,
) -> dict[str, Any]:
    """Pay somebody.

    Args:
        to: Who gets it.
        amount: How much.
        times: How often.
        kind: Which way.
        notes: Remarks.
    """
    world.update("accounts", "a", balance=100 - amount * times)
    if amount > 50:
        raise ToolRefusedError("Not enough money.")
    if amount == 13:
        raise RuntimeError("a bug of the tool")
    return {"times": times, "is_int": isinstance(times, int)}


def environment() -> Environment:
    world = World(datetime(2026, 1, 1))
    world.add_table("accounts")
    world.insert("accounts", {"id": "a", "balance": 100})
    return Environment(world, {"pay": pay})


def call(error: str | None = None, name: str = "pay", **arguments: Any) -> ToolCall:
    return ToolCall(id="call_0", name=name, arguments=arguments, raw="", error=error)


def test_the_schema_is_written_once_in_signature_and_docstring() -> None:
    assert pay.schema.description == "Pay somebody."
    assert pay.schema.parameters == {
        "type": "object",
        "properties": {
            "to": {"type": "string", "description": "Who gets it."},
            "amount": {"type": "number", "exclusiveMinimum": 0, "description": "How much."},
            "times": {"type": "integer", "default": 1, "description": "How often."},
            "kind": {"type": "string", "enum": ["fast", "cheap"], "default": "cheap", "description": "Which way."},
            "notes": {"type": "array", "items": {"type": "string"}, "description": "Remarks."},
        },
        "required": ["to", "amount"],
        "additionalProperties": False,
    }


def test_incomplete_tools_are_refused() -> None:
    def silent(world: World) -> None: ...

    def unlabelled(world: World, x: int) -> None:
        """Do."""

    def worldless(x: int) -> None:
        """Do.

        Args:
            x: It.
        """

    for function in (silent, unlabelled, worldless):
        with pytest.raises(TypeError):
            tool(mutates=False)(function)


def test_a_good_call_changes_what_it_says() -> None:
    made = environment()
    result = made.step(call(to="Ada", amount=5, times=3.0))
    assert result.observation.ok and result.observation.content == {"times": 3, "is_int": True}
    assert [(c.before, c.after) for c in result.changes] == [({"id": "a", "balance": 100}, {"id": "a", "balance": 85})]
    assert result.before != result.after == made.world.state_hash()
    made.reset()
    assert made.world.state_hash() == result.before


@pytest.mark.parametrize(
    ("bad", "fault", "says"),
    [
        (call(error="not JSON"), "malformed_call", "not JSON"),
        (call(name="steal"), "unknown_tool", "no tool named 'steal'"),
        (call(amount=1), "invalid_arguments", "'to' is required"),
        (call(to="Ada", amount=1, currency="EUR"), "invalid_arguments", "no argument 'currency'"),
        (call(to="Ada", amount="1"), "invalid_arguments", "amount must be number, not string"),
        (call(to="Ada", amount=1, times=True), "invalid_arguments", "times must be integer, not boolean"),
        (call(to="Ada", amount=1, kind="slow"), "invalid_arguments", "kind must be one of 'fast', 'cheap'"),
        (call(to="Ada", amount=-1), "invalid_arguments", "amount"),
        (call(to="Ada", amount=1, notes=[1]), "invalid_arguments", "notes[0] must be string"),
        (call(to="Ada", amount=51), "refused", "Not enough money."),
        (call(to="Ada", amount=13), "tool_bug", "broke down"),
        (call(to="Ada", amount=1e308, times=10**10), "tool_bug", "broke down"),
    ],
    ids=str,
)
def test_a_bad_call_says_why_and_changes_nothing(bad: ToolCall, fault: str, says: str) -> None:
    made = environment()
    result = made.step(bad)
    assert not result.observation.ok
    assert result.observation.fault == fault
    assert isinstance(result.observation.content, dict) and says in str(result.observation.content["error"])
    assert result.before == result.after == environment().world.state_hash()
    assert result.changes == () and made.net_changes() == ()
