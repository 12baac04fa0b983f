"""The smart home tools: what each does, what each refuses, and what holds in every populated world."""

from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category

SEEDS = [*range(40), *range(100_000, 100_010)]
LIGHT = {"on": False, "brightness": 40, "colour": "warm white", "coloured": False}
HEATING = {"mode": "heat", "target": 20.0, "measured": 18.5, "lowest": 10, "highest": 25}
PLUG = {"on": True, "watts": 20, "kwh_today": 1.25, "always_on": False}


def device(name: str, kind: str, settings: dict[str, Any], **more: Any) -> dict[str, Any]:
    row = {"id": f"dev_{name}", "name": name, "room": "study", "kind": kind, "online": True, "child_lock": False}
    return {**row, "settings": settings, **more}


@pytest.fixture
def home() -> Environment:
    world = World(datetime(2026, 5, 20, 9, 0))
    devices = [
        device("lamp", "light", LIGHT),
        device("neon", "light", {**LIGHT, "coloured": True}, room="Zoë's room"),
        device("dead", "light", LIGHT, online=False),
        device("heat", "thermostat", HEATING),
        device("idle", "thermostat", {**HEATING, "mode": "off"}),
        device("kids", "thermostat", HEATING, child_lock=True),
        device("gate", "lock", {"locked": False, "door_closed": True, "battery": 50}),
        device("door", "lock", {"locked": False, "door_closed": False, "battery": 50}),
        device("shut", "lock", {"locked": True, "door_closed": True, "battery": 50}),
        device("roll", "blinds", {"closed": 30, "wind_alarm": False}),
        device("sail", "blinds", {"closed": 0, "wind_alarm": True}),
        device("fan", "plug", PLUG),
        device("saw", "plug", PLUG, child_lock=True),
        device("ice", "plug", {**PLUG, "always_on": True}),
        device("dust", "sensor", {"value": 12, "unit": "micrograms", "battery": 80}),
    ]
    scene = {"dev_lamp": {"on": True, "brightness": 11}, "dev_dead": {"on": True}, "dev_roll": {"closed": 100}}
    schedule = {"device_id": "dev_lamp", "time": "07:00", "action": "on", "days": ["mon", "sat"]}
    full = [
        {"id": f"sch_{n}", "device_id": "dev_fan", "time": f"0{n}:00", "action": "on", "days": ["mon"]}
        for n in (1, 2, 3)
    ]
    tables: dict[str, list[dict[str, Any]]] = {
        "home_devices": devices,
        "home_scenes": [{"id": "scn_1", "name": "Fête", "settings": scene}],
        "home_schedules": [{"id": "sch_9", **schedule}, *full],
    }
    for table, rows in tables.items():
        world.add_table(table)
        for row in rows:
            world.insert(table, row)
    return Environment(world, get_category("smart_home").tools)


def call(home: Environment, tool: str, **arguments: Any) -> Transition:
    return home.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(home: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(home, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def row(home: Environment, name: str) -> Any:
    return home.world.get("home_devices", f"dev_{name}")


def test_devices_are_found_by_room_and_kind(home: Environment) -> None:
    assert [found["name"] for found in result(home, "list_home_devices", room="zoe's ROOM")] == ["neon"]
    assert len(result(home, "list_home_devices", kind="light")) == 3
    assert len(result(home, "list_home_devices", kind="light", room="study")) == 2
    assert result(home, "show_home_device", device_id="dev_dust")["value"] == 12
    assert result(home, "show_home_device", device_id="dev_saw")["child_lock"] is True
    assert "child_lock" not in result(home, "show_home_device", device_id="dev_lamp")


def test_devices_do_what_they_are_told(home: Environment) -> None:
    result(home, "set_light", device_id="dev_lamp", brightness=70)
    assert row(home, "lamp")["settings"] == {**LIGHT, "on": True, "brightness": 70}
    result(home, "set_light", device_id="dev_neon", colour="blue")
    assert row(home, "neon")["settings"]["colour"] == "blue"
    result(home, "set_thermostat", device_id="dev_idle", target=21, mode="eco")
    assert row(home, "idle")["settings"] == {**HEATING, "target": 21.0, "mode": "eco"}
    result(home, "set_door_lock", device_id="dev_gate", locked=True)
    result(home, "move_blinds", device_id="dev_roll", closed=100)
    result(home, "switch_plug", device_id="dev_fan", on=False)
    assert row(home, "gate")["settings"]["locked"] and row(home, "roll")["settings"]["closed"] == 100
    assert not row(home, "fan")["settings"]["on"]


def test_a_child_lock_can_be_lifted_and_leaves_no_trace_when_put_back(home: Environment) -> None:
    result(home, "set_child_lock", device_id="dev_saw", active=False)
    result(home, "switch_plug", device_id="dev_saw", on=False)
    result(home, "set_child_lock", device_id="dev_saw", active=True)
    assert [change.id for change in home.net_changes()] == ["dev_saw"]
    assert row(home, "saw")["child_lock"] is True


def test_a_scene_skips_what_is_offline(home: Environment) -> None:
    assert result(home, "run_home_scene", scene="fete") == {
        "scene": "Fête",
        "changed": ["lamp", "roll"],
        "skipped": ["dead"],
    }
    assert row(home, "dead")["settings"] == LIGHT and row(home, "lamp")["settings"]["brightness"] == 11


def test_schedules_keep_days_in_order_and_every_day_is_all_days(home: Environment) -> None:
    made = result(
        home, "add_home_schedule", device_id="dev_lamp", time="07:00", action="off", days=["sun", "tue", "sun"]
    )
    assert made["days"] == ["tue", "sun"]
    assert len(result(home, "add_home_schedule", device_id="dev_neon", time="07:00", action="off")["days"]) == 7


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("list_home_devices", {}, "Give a room"),
        ("list_home_devices", {"room": "cellar"}, "The rooms are"),
        ("show_home_device", {"device_id": "lamp"}, "list_home_devices"),
        ("set_light", {"device_id": "dev_fan"}, "not a light"),
        ("set_light", {"device_id": "dev_dead"}, "offline"),
        ("set_light", {"device_id": "dev_lamp", "colour": "red"}, "white only"),
        ("set_light", {"device_id": "dev_lamp", "on": False, "brightness": 5}, "switched off"),
        ("set_thermostat", {"device_id": "dev_heat"}, "Give a target"),
        ("set_thermostat", {"device_id": "dev_heat", "target": 25.5}, "10 to 25"),
        ("set_thermostat", {"device_id": "dev_idle", "target": 20}, "is off"),
        ("set_thermostat", {"device_id": "dev_kids", "target": 20}, "child lock"),
        ("set_door_lock", {"device_id": "dev_door", "locked": True}, "stands open"),
        ("set_door_lock", {"device_id": "dev_shut", "locked": True}, "already locked"),
        ("move_blinds", {"device_id": "dev_sail", "closed": 10}, "wind alarm"),
        ("switch_plug", {"device_id": "dev_saw", "on": False}, "child lock"),
        ("switch_plug", {"device_id": "dev_ice", "on": False}, "protected"),
        ("set_child_lock", {"device_id": "dev_lamp", "active": True}, "not a plug"),
        ("set_child_lock", {"device_id": "dev_saw", "active": True}, "already on"),
        ("run_home_scene", {"scene": "Nope"}, "The scenes are: Fête"),
        ("add_home_schedule", {"device_id": "dev_lamp", "time": "07:00", "action": "off", "days": ["sat"]}, "07:00"),
        ("add_home_schedule", {"device_id": "dev_fan", "time": "09:00", "action": "on"}, "3 schedules"),
        ("add_home_schedule", {"device_id": "dev_ice", "time": "09:00", "action": "off"}, "protected"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    home: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(home, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("smart_home").world(seed)
    devices = {device["id"]: device for device in world.rows("home_devices")}
    kinds = [device["kind"] for device in devices.values()]
    rooms = [device["room"] for device in devices.values()]
    assert len({device["name"] for device in devices.values()}) == len(devices)
    assert max(map(kinds.count, kinds)) <= 8 and max(map(rooms.count, rooms)) <= 8
    assert sorted(device["kind"] for device in devices.values() if not device["online"]) == ["blinds", "light", "plug"]
    assert [device["kind"] for device in devices.values() if device["child_lock"]] == ["plug"]
    locks = sorted(
        (d["settings"]["locked"], d["settings"]["door_closed"]) for d in devices.values() if d["kind"] == "lock"
    )
    assert locks == [(False, False), (False, True), (True, True)]
    usage = [device["settings"]["kwh_today"] for device in devices.values() if device["kind"] == "plug"]
    assert len(set(usage)) == len(usage) == 7
    for scene in world.rows("home_scenes"):
        assert sum(not devices[device_id]["online"] for device_id in scene["settings"]) == 1
        for device_id, changes in scene["settings"].items():
            assert any(devices[device_id]["settings"][name] != value for name, value in changes.items())
