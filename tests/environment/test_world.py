import random
from datetime import datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lamsim_core.environment import World, diff


def world() -> World:
    made = World(datetime(2026, 1, 1))
    made.add_table("things")
    for number in range(3):
        made.insert("things", {"id": f"t_{number}", "size": number, "tags": ["a"]})
    return made


def test_rows_cannot_be_edited_in_place() -> None:
    row: Any = world().get("things", "t_0")
    with pytest.raises(TypeError):
        row["size"] = 9


def test_equal_content_has_equal_hashes_whatever_the_order() -> None:
    first, second = World(datetime(2026, 1, 1)), World(datetime(2027, 5, 5))
    for made, order in ((first, (0, 1, 2)), (second, (2, 0, 1))):
        made.add_table("things")
        for number in order:
            made.insert("things", {"id": f"t_{number}", "size": number})
    assert first.state_hash() == second.state_hash()
    second.update("things", "t_1", size=1.5)
    assert first.state_hash() != second.state_hash()


def test_a_failed_transaction_leaves_no_trace() -> None:
    made = world()
    before, order, hashed = made.snapshot(), [r["id"] for r in made.rows("things")], made.state_hash()
    with pytest.raises(RuntimeError, match="stop"), made.transaction():
        made.delete("things", "t_0")
        made.update("things", "t_1", size=7)
        made.insert("things", {"id": made.new_id("t"), "size": 5, "tags": []})
        raise RuntimeError("stop")
    assert made.snapshot() == before
    assert [r["id"] for r in made.rows("things")] == order
    assert made.state_hash() == hashed
    assert made.changes() == ()
    assert made.new_id("t") == "t_9001"


def test_changes_are_net() -> None:
    made = world()
    with made.transaction():
        made.update("things", "t_0", size=9)
        made.update("things", "t_0", size=0)
        made.update("things", "t_1", size=5)
        made.insert("things", {"id": "t_9", "size": 1, "tags": []})
        made.delete("things", "t_9")
        made.delete("things", "t_2")
    assert [(c.id, c.before and c.before["size"], c.after and c.after["size"]) for c in made.changes()] == [
        ("t_1", 1, 5),
        ("t_2", 2, None),
    ]


def test_bad_writes_are_refused() -> None:
    made = world()
    for row in ({"size": 1}, {"id": 3}, {"id": "t_0"}):
        with pytest.raises(ValueError, match="unused string id"):
            made.insert("things", row)
    with pytest.raises(KeyError):
        made.update("things", "t_0", colour="red")
    with pytest.raises(KeyError):
        made.delete("things", "nobody")
    with pytest.raises(KeyError):
        made.rows("nothing")


def test_a_copy_is_independent() -> None:
    made = world()
    twin = made.copy()
    twin.update("things", "t_0", size=100)
    assert made.get("things", "t_0") != twin.get("things", "t_0")
    assert made.state_hash() != twin.state_hash()
    assert [c.id for c in diff(made.snapshot(), twin.snapshot())] == ["t_0"]


class WorldMachine(RuleBasedStateMachine):
    """A world does what a plain dict does, through any mixture of successful and failed transactions."""

    @initialize()
    def start(self) -> None:
        self.world = World(datetime(2026, 1, 1))
        self.world.add_table("t")
        self.model: dict[str, int] = {}

    def apply(self, target: Any, actions: list[tuple[str, int, int]]) -> None:
        for action, key, value in actions:
            name = f"k{key}"
            if action == "put":
                if name in self.model_in_transaction:
                    self.world.update("t", name, value=value)
                else:
                    self.world.insert("t", {"id": name, "value": value})
                self.model_in_transaction[name] = value
            elif name in self.model_in_transaction:
                self.world.delete("t", name)
                del self.model_in_transaction[name]

    @rule(
        actions=st.lists(st.tuples(st.sampled_from(["put", "drop"]), st.integers(0, 5), st.integers(0, 3)), max_size=6),
        fail=st.booleans(),
    )
    def transact(self, actions: list[tuple[str, int, int]], fail: bool) -> None:
        self.model_in_transaction = dict(self.model)
        try:
            with self.world.transaction():
                self.apply(self.world, actions)
                if fail:
                    raise InterruptedError
        except InterruptedError:
            return
        self.model = self.model_in_transaction

    @invariant()
    def agrees(self) -> None:
        assert {str(r["id"]): r["value"] for r in self.world.rows("t")} == self.model
        fresh = World(datetime(2026, 1, 1))
        fresh.add_table("t")
        for name in random.Random(0).sample(sorted(self.model), len(self.model)):
            fresh.insert("t", {"id": name, "value": self.model[name]})
        assert fresh.state_hash() == self.world.state_hash()


TestWorldMachine = WorldMachine.TestCase
TestWorldMachine.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
