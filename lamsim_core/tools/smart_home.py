"""A smart home: lights, thermostats, locks, blinds, plugs and sensors in several rooms, with scenes and schedules.

Every device is a row with the settings of its kind. Devices that are offline take no commands; a child lock blocks
thermostats and plugs; a door can only be locked while it is closed.
"""

import random
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    Clock,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    require_row,
    tool,
    view,
)

TITLE = "Smart home"
FAMILY = "home"

Kind = Literal["light", "thermostat", "lock", "blinds", "plug", "sensor"]
Colour = Literal["warm white", "cold white", "red", "orange", "green", "blue", "purple"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Percent = Annotated[int, Field(ge=0, le=100)]

_COLOURS = ("red", "orange", "green", "blue", "purple")
_WHITES = ("warm white", "cold white")
_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MOST_SCHEDULES = 3
_ENTRANCE = "entrance"


def _device(world: World, device_id: str, *kinds: str) -> FrozenRow:
    """A device of one of these kinds."""
    row = require_row(world, "home_devices", device_id, "device", see="list_home_devices")
    if kinds and row["kind"] not in kinds:
        raise ToolRefusedError(f"The {row['name']} is not a {' or '.join(kinds)}.", see="list_home_devices")
    return row


def _reachable(world: World, device_id: str, *kinds: str) -> FrozenRow:
    """A device that takes commands now."""
    row = _device(world, device_id, *kinds)
    if not row["online"]:
        raise ToolRefusedError(f"The {row['name']} is offline and takes no commands.")
    return row


def _unlocked(row: FrozenRow) -> FrozenRow:
    if row["child_lock"]:
        raise ToolRefusedError(f"The child lock of the {row['name']} is on; it has to be taken off first.")
    return row


def _set(world: World, row: FrozenRow, **changes: Any) -> dict[str, Any]:
    """Change settings of a device. Returns its name and what was set."""
    world.update("home_devices", str(row["id"]), settings={**row["settings"], **changes})
    return {"device": row["name"], **changes}


@tool(mutates=False)
def list_home_devices(world: World, room: str | None = None, kind: Kind | None = None) -> list[dict[str, Any]]:
    """List the devices of a room or of a kind. Give at least one of the two.

    Args:
        room: Name of the room.
        kind: Kind of device.
    """
    rows, rooms = world.rows("home_devices"), {folded(str(row["room"])) for row in world.rows("home_devices")}
    if room is None and kind is None:
        raise ToolRefusedError("Give a room or a kind of device.")
    if room is not None and folded(room) not in rooms:
        known = ", ".join(sorted({str(row["room"]) for row in rows}))
        raise ToolRefusedError(f"There is no room named {room[:80]!r}. The rooms are: {known}.")
    return [
        view(row, "id", "name", "kind", "room", "online")
        for row in rows
        if (room is None or folded(str(row["room"])) == folded(room)) and kind in (None, row["kind"])
    ]


@tool(mutates=False)
def show_home_device(world: World, device_id: str) -> dict[str, Any]:
    """Show the settings and measured values of a device.

    Args:
        device_id: The device's id.
    """
    row = _device(world, device_id)
    lock = {"child_lock": row["child_lock"]} if row["kind"] in ("plug", "thermostat") else {}
    return {**view(row, "name", "online"), **lock, **row["settings"]}


@tool(mutates=True)
def set_light(
    world: World,
    device_id: str,
    on: bool = True,
    brightness: Annotated[int, Field(ge=1, le=100)] | None = None,
    colour: Colour | None = None,
) -> dict[str, Any]:
    """Switch a light on or off, or change its brightness or colour, which also switches it on.

    Args:
        device_id: The light's id.
        on: True for on, false for off.
        brightness: Brightness in percent.
        colour: Colour of the light.
    """
    row = _reachable(world, device_id, "light")
    if not on and (brightness is not None or colour is not None):
        raise ToolRefusedError("A light that is switched off takes no brightness and no colour.")
    if colour in _COLOURS and not row["settings"]["coloured"]:
        raise ToolRefusedError(f"The {row['name']} is white only: {' or '.join(_WHITES)}.")
    changes: dict[str, Any] = {"on": on}
    if brightness is not None:
        changes["brightness"] = brightness
    if colour is not None:
        changes["colour"] = colour
    return _set(world, row, **changes)


@tool(mutates=True)
def set_thermostat(
    world: World,
    device_id: str,
    target: Annotated[float, Field(ge=4, le=35)] | None = None,
    mode: Literal["heat", "cool", "eco", "off"] | None = None,
) -> dict[str, Any]:
    """Set the target temperature of a thermostat, its mode, or both.

    Args:
        device_id: The thermostat's id.
        target: Target temperature in degrees Celsius.
        mode: What the thermostat does.
    """
    row = _unlocked(_reachable(world, device_id, "thermostat"))
    settings = row["settings"]
    if target is None and mode is None:
        raise ToolRefusedError("Give a target temperature or a mode.")
    if target is not None and not settings["lowest"] <= target <= settings["highest"]:
        raise ToolRefusedError(f"The {row['name']} takes {settings['lowest']} to {settings['highest']} degrees.")
    if target is not None and (mode or settings["mode"]) == "off":
        raise ToolRefusedError(f"The {row['name']} is off; it needs another mode to take a temperature.")
    changes: dict[str, Any] = {} if target is None else {"target": float(round(target, 1))}
    return _set(world, row, **changes, **({} if mode is None else {"mode": mode}))


@tool(mutates=True)
def set_door_lock(world: World, device_id: str, locked: bool) -> dict[str, Any]:
    """Lock or unlock a door.

    Args:
        device_id: The lock's id.
        locked: True to lock the door, false to unlock it.
    """
    row = _reachable(world, device_id, "lock")
    if row["settings"]["locked"] == locked:
        raise ToolRefusedError(f"The {row['name']} is already {'locked' if locked else 'unlocked'}.")
    if locked and not row["settings"]["door_closed"]:
        raise ToolRefusedError(f"The {row['name']} stands open; it can only be locked while it is closed.")
    return _set(world, row, locked=locked)


@tool(mutates=True)
def move_blinds(world: World, device_id: str, closed: Percent) -> dict[str, Any]:
    """Move blinds to a position.

    Args:
        device_id: The blinds' id.
        closed: How far they are closed in percent: 0 is fully open, 100 fully closed.
    """
    row = _reachable(world, device_id, "blinds")
    if row["settings"]["wind_alarm"] and closed > 0:
        raise ToolRefusedError(f"The {row['name']} have a wind alarm and must stay open.")
    return _set(world, row, closed=closed)


@tool(mutates=True)
def switch_plug(world: World, device_id: str, on: bool) -> dict[str, Any]:
    """Switch a plug on or off.

    Args:
        device_id: The plug's id.
        on: True for on, false for off.
    """
    row = _unlocked(_reachable(world, device_id, "plug"))
    if not on and row["settings"]["always_on"]:
        raise ToolRefusedError(f"The {row['name']} is protected: its plug must stay on.")
    return _set(world, row, on=on)


@tool(mutates=True)
def set_child_lock(world: World, device_id: str, active: bool) -> dict[str, Any]:
    """Turn the child lock of a plug or thermostat on or off.

    Args:
        device_id: The device's id.
        active: True to block the device, false to free it.
    """
    row = _reachable(world, device_id, "plug", "thermostat")
    if row["child_lock"] == active:
        raise ToolRefusedError(f"The child lock of the {row['name']} is already {'on' if active else 'off'}.")
    world.update("home_devices", device_id, child_lock=active)
    return {"device": row["name"], "child_lock": active}


@tool(mutates=True)
def run_home_scene(world: World, scene: str) -> dict[str, Any]:
    """Run a scene: it sets several lights and blinds at once. Devices that are offline are skipped.

    Args:
        scene: Name of the scene.
    """
    scenes = world.rows("home_scenes")
    row = next((row for row in scenes if folded(str(row["name"])) == folded(scene)), None)
    if row is None:
        known = ", ".join(str(other["name"]) for other in scenes)
        raise ToolRefusedError(f"There is no scene named {scene[:80]!r}. The scenes are: {known}.")
    done: list[str] = []
    skipped: list[str] = []
    for device_id, changes in row["settings"].items():
        device = _device(world, device_id)
        if device["online"]:
            _set(world, device, **changes)
        (done if device["online"] else skipped).append(str(device["name"]))
    return {"scene": row["name"], "changed": done, "skipped": skipped}


@tool(mutates=True)
def add_home_schedule(
    world: World,
    device_id: str,
    time: Clock,
    action: Literal["on", "off"],
    days: Annotated[list[Weekday], Field(min_length=1)] | None = None,
) -> dict[str, Any]:
    """Have a light or plug switched at a certain time, every day or on some days of the week.

    Args:
        device_id: Id of the light or plug.
        time: Time of day, HH:MM.
        action: Whether to switch on or off.
        days: Days of the week; every day when left out.
    """
    row = _device(world, device_id, "light", "plug")
    if action == "off" and row["settings"].get("always_on"):
        raise ToolRefusedError(f"The {row['name']} is protected: its plug must stay on.")
    wanted = [day for day in _WEEK if days is None or day in days]
    present = [other for other in world.rows("home_schedules") if other["device_id"] == device_id]
    if len(present) >= _MOST_SCHEDULES:
        raise ToolRefusedError(f"The {row['name']} already has {_MOST_SCHEDULES} schedules, the most allowed.")
    if any(other["time"] == time and set(other["days"]) & set(wanted) for other in present):
        raise ToolRefusedError(f"The {row['name']} already has a schedule at {time} on one of these days.")
    schedule = {"device_id": device_id, "time": time, "action": action, "days": wanted}
    world.insert("home_schedules", {"id": world.new_id("sch"), **schedule})
    return {"device": row["name"], "time": time, "action": action, "days": wanted}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Five rooms and an entrance with some twenty-five devices, three of them offline; three scenes; some schedules."""
    world.add_table("home_devices", "home_scenes", "home_schedules")
    ids = Ids(rng)
    rooms = rng.sample(content["rooms"], 5)
    devices = [
        ("light", name, room) for name, room in zip(rng.sample(content["lights"], 6), [*rooms, rooms[0]], strict=True)
    ]
    devices += [("light", rng.choice(content["outdoor_lights"]), _ENTRANCE)]
    devices += [("thermostat", f"{room} thermostat", room) for room in rooms[:4]]
    devices += [("lock", name, _ENTRANCE) for name in rng.sample(content["doors"], 3)]
    devices += [("blinds", f"{room} blinds", room) for room in rooms[1:]]
    plugs = [*rng.sample(content["appliances"], 6), rng.choice(content["always_on"])]
    devices += [("plug", name, rooms[place]) for name, place in zip(plugs, (0, 0, 0, 1, 2, 2, 3), strict=True)]
    measures = rng.sample(sorted(content["measures"]), 3)
    devices += [("sensor", f"{room} {measure} sensor", room) for room, measure in zip(rooms[2:], measures, strict=True)]
    lights = [name for kind, name, room in devices if kind == "light" and room != _ENTRANCE]
    offline = {rng.choice(lights), rng.choice([f"{room} blinds" for room in rooms[1:]]), plugs[3]}
    values = _Values(rng, content, plugs[-1])
    rng.shuffle(devices)
    for kind, name, room in devices:
        device = {
            "name": name,
            "room": room,
            "kind": kind,
            "online": name not in offline,
            "child_lock": name == plugs[0],
        }
        world.insert("home_devices", {"id": ids("dev"), **device, "settings": values.settings(kind, name)})
    _fill_scenes(world, rng, content, ids)
    scheduled = [row for row in world.rows("home_devices") if row["kind"] in ("light", "plug")]
    for row in rng.sample(scheduled, 3):
        time = f"{rng.randint(5, 22):02}:{rng.choice([0, 10, 20, 40]):02}"
        schedule = {"device_id": row["id"], "time": time, "action": "on", "days": list(rng.choice([_WEEK, _WEEK[5:]]))}
        world.insert("home_schedules", {"id": ids("sch"), **schedule})


class _Values:
    """Settings for new devices. Measured values of one kind are never alike."""

    def __init__(self, rng: random.Random, content: dict[str, Any], always_on: str) -> None:
        self._rng, self._measures, self._always_on = rng, content["measures"], always_on
        self._kwh = rng.sample(range(5, 640), 8)
        self._degrees = rng.sample(range(150, 246), 4)
        self._targets = rng.sample(range(36, 47), 4)
        self._lights_on = rng.sample([True] * 4 + [False] * 3, 7)
        self._plugs_on = rng.sample([True] * 4 + [False] * 2, 6)
        self._doors = rng.sample([(False, True), (False, False), (True, True)], 3)

    def settings(self, kind: str, name: str) -> dict[str, Any]:
        """Settings of a device of this kind."""
        rng = self._rng
        if kind == "light":
            brightness, white = 5 * rng.randint(3, 18), rng.choice(_WHITES)
            return {
                "on": self._lights_on.pop(),
                "brightness": brightness,
                "colour": white,
                "coloured": rng.random() < 0.6,
            }
        if kind == "thermostat":
            mode, target = rng.choice(["heat", "heat", "cool"]), self._targets.pop() / 2
            limits = {"lowest": rng.choice([5, 10, 15]), "highest": rng.choice([24, 25, 26])}
            return {"mode": mode, "target": target, "measured": self._degrees.pop() / 10, **limits}
        if kind == "lock":
            locked, closed = self._doors.pop()
            return {"locked": locked, "door_closed": closed, "battery": rng.randint(30, 100)}
        if kind == "blinds":
            return {"closed": 10 * rng.randint(1, 9), "wind_alarm": False}
        if kind == "plug":
            protected = name == self._always_on
            on = protected or self._plugs_on.pop()
            watts = rng.randint(8, 900) if on else 0
            return {"on": on, "watts": watts, "kwh_today": self._kwh.pop() / 100, "always_on": protected}
        unit, low, high = next(self._measures[measure] for measure in self._measures if f" {measure} sensor" in name)
        return {"value": rng.randint(low, high), "unit": unit, "battery": rng.randint(5, 100)}


def _fill_scenes(world: World, rng: random.Random, content: dict[str, Any], ids: Ids) -> None:
    """Each scene sets three lights and two blinds to something else than now; one of the five devices is offline."""
    rows = [
        row for row in world.rows("home_devices") if row["kind"] in ("light", "blinds") and row["room"] != _ENTRANCE
    ]
    offline = [row for row in rows if not row["online"]]
    for name in rng.sample(content["scenes"], 3):
        absent = rng.choice(offline)
        chosen = [absent]
        for kind, count in (("light", 3), ("blinds", 2)):
            online = [row for row in rows if row["kind"] == kind and row["online"]]
            chosen += rng.sample(online, count - (absent["kind"] == kind))
        settings: dict[str, dict[str, Any]] = {}
        for row in sorted(chosen, key=lambda row: str(row["id"])):
            if row["kind"] == "light":
                settings[str(row["id"])] = {"on": True, "brightness": 5 * rng.randint(1, 19) + 1}
            else:
                settings[str(row["id"])] = {"closed": rng.choice([0, 100])}
        world.insert("home_scenes", {"id": ids("scn"), "name": name, "settings": settings})


def full_room(world: World, rng: random.Random, kind: str, least: int = 2) -> str:
    """A room with at least so many devices of a kind, for task templates."""
    rooms = [str(row["room"]) for row in world.rows("home_devices") if row["kind"] == kind]
    return rng.choice(sorted({room for room in rooms if rooms.count(room) >= least}))


def measurement(world: World, rng: random.Random) -> dict[str, Any]:
    """A sensor with what it measures, for task templates."""
    row = rng.choice([row for row in world.rows("home_devices") if row["kind"] == "sensor"])
    measure = str(row["name"]).removeprefix(f"{row['room']} ").removesuffix(" sensor")
    return {**view(row, "id", "name", "room"), "measure": measure, **row["settings"]}


MAKERS = {"full_room": full_room, "measurement": measurement}
