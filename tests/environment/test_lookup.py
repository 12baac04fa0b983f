"""What tools share: names compared, rows that must exist, dates that must be real, ids that differ."""

import random
from datetime import datetime

import pytest

from lamsim_core.environment import (
    Environment,
    Ids,
    ToolRefusedError,
    World,
    folded,
    has_words,
    parse_day,
    parse_moment,
    require_named,
    require_row,
    tool,
)
from lamsim_core.records import ToolCall


@pytest.fixture
def world() -> World:
    world = World(datetime(2026, 5, 4, 9, 0))
    world.add_table("people", "empty")
    for number, name in enumerate(("Émile Laurent", "Ana Popescu", "Ana Lima"), 1):
        world.insert("people", {"id": f"per_{number}", "name": name})
    return world


@pytest.mark.parametrize(
    ("one", "other"), [("Björn", " bjorn"), ("Łódź", "LODZ"), ("Yıldız", "yildiz"), ("Straße", "strasse")]
)
def test_case_accents_and_blanks_do_not_matter(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("coffee", "Big Coffee Grinder", True),
        ("grinders coffee", "Big Coffee Grinder", True),
        ("ffee", "Big Coffee Grinder", False),
        ("", "anything", False),
        ("   ", "anything", False),
    ],
)
def test_words_begin_words(query: str, text: str, found: bool) -> None:
    assert has_words(query, text) is found


def test_rows_must_exist(world: World) -> None:
    assert require_row(world, "people", "per_2", "person")["name"] == "Ana Popescu"
    assert require_named(world, "people", "emile laurent", "person")["id"] == "per_1"
    with pytest.raises(ToolRefusedError, match="no person with the id 'per_9'"):
        require_row(world, "people", "per_9", "person")
    with pytest.raises(ToolRefusedError, match="Similar: Ana Popescu, Ana Lima"):
        require_named(world, "people", "Ana", "person")


def test_the_tool_that_helps_is_named_only_when_it_is_offered(world: World) -> None:
    @tool(mutates=False)
    def find_people(world: World, name: str) -> list[str]:
        """Find people.

        Args:
            name: The name.
        """
        return [name]

    @tool(mutates=False)
    def read_person(world: World, person_id: str) -> str:
        """Read a person.

        Args:
            person_id: The id.
        """
        return str(require_row(world, "people", person_id, "person", see="find_people")["name"])

    call = ToolCall(id="c", name="read", arguments={"person_id": "x"}, raw="")
    for offered, told in (({"search": find_people}, " Look it up with search."), ({}, "")):
        content = Environment(world, {"read": read_person, **offered}).step(call).observation.content
        assert content == {"error": f"There is no person with the id 'x'.{told}"}


@pytest.mark.parametrize("text", ["2026-02-30", "2026-13-01", "0000-00-00"])
def test_days_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(ToolRefusedError):
        parse_day(text)
    with pytest.raises(ToolRefusedError):
        parse_moment(f"{text} 10:00")


def test_ids_differ() -> None:
    ids = Ids(random.Random(1))
    assert len({ids("x") for _ in range(500)}) == 500


def test_worlds_join_and_refuse_to_share_a_table(world: World) -> None:
    other = World(world.now)
    other.add_table("things")
    other.insert("things", {"id": "thg_1"})
    before = int(world.state_hash(), 16) + int(other.state_hash(), 16)
    world.join(other)
    assert world.get("things", "thg_1") and int(world.state_hash(), 16) == before % 2**128
    with pytest.raises(ValueError, match="things"):
        world.join(other)
    world.insert("things", {"id": "thg_2"})
    assert other.get("things", "thg_2") is None
