"""Reading numbers with their units, and telling when two quantities are the same."""

import pytest

from lamsim_core.feedback.quantities import UNITS, amounts_to, currencies_in, numbers_in, quantities_in


def read(text: str) -> list[tuple[float, str]]:
    """Each quantity with the first unit its word may stand for."""
    return [(each.number, each.units[0].name if each.units else "") for each in quantities_in(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It costs 1,234.50 euros.", [1234.5]),
        ("1 234 and 1\u202f234\u202f567", [1234, 1234567]),
        ("$12.00", [12]),
        ("-3 degrees", [-3]),
        ("\u22123 or \u20134", [-3, -4]),
        ("The total\u201412.5 euros", [12.5]),
        ("It is 5.", [5]),
        ("10-12", [10, 12]),
        ("Minus 3 degrees", [-3]),
        ("2½ or 3 ¼ or ½ or 10² or 1⅓", [2.5, 3.25, 0.5]),
        ("1.2 thousand, 2 million, 3k", [1200, 2000000, 3000]),
        ("On 2026-05-04 at 15:15 nothing.", []),
        ("On June 15th, 2026, at 10 am, 3 came; on 05.06.2026 nobody.", [3]),
        ("In June 5 people came.", [5]),
        ("evt_1234 and A4 and 2nd, seat 12B, 3D", []),
        ("1,2345 and 1.2.3", []),
        ("You have three events.", [3]),
        ("You have three events, 3 in all.", [3]),
        ("1e999 nan inf " + "9" * 400, []),
        ("7, 7 and 7.0", [7]),
    ],
)
def test_numbers_in(text: str, found: list[float]) -> None:
    assert numbers_in(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("12 %, 12%, 5 per cent", [(12, "%"), (5, "%")]),
        ("3.2 km and 3.2 kilometers", [(3.2, "km")]),
        ("150min", [(150, "min")]),
        ("a 5-minute walk", [(5, "min")]),
        (
            "12 EUR, EUR 13, \u20ac14, 15\u20ac, -$16",
            [(12, "EUR"), (13, "EUR"), (14, "EUR"), (15, "EUR"), (-16, "USD")],
        ),
        ("2 million euros, 12.5K EUR", [(2e6, "EUR"), (12500, "EUR")]),
        ("5 try", [(5, "")]),
        ("20\u00b0C, 20 degrees Celsius, 68 \u00baF", [(20, "°C"), (68, "°F")]),
        ("12 MB/s", [(12, "")]),
        ("12 euros/night", [(12, "EUR")]),
        ("12 kilowatt hours or 12 kWh", [(12, "kWh")]),
        ("3 US gallons", [(3, "gal")]),
        ("3 in total", [(3, "")]),
        ("12 events", [(12, "")]),
    ],
)
def test_units(text: str, found: list[tuple[float, str]]) -> None:
    assert read(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2 h 30 min", [(150, "min")]),
        ("1 hour and 5 minutes", [(65, "min")]),
        ("1 day, 2 hours, 3 minutes", [(1563, "min")]),
        ("2h30", [(150, "min")]),
        ("2h 30m", [(150, "min")]),
        ("2:30 hours", [(150, "min")]),
        ("two hours and five minutes", [(125, "min")]),
        ("half an hour", [(30, "min")]),
        ("2 and a half hours", [(2.5, "h")]),
        ("two and a half hours", [(2.5, "h")]),
        ("an hour and 5 minutes", [(65, "min")]),
        ("12 euros an hour", [(12, "EUR")]),
        ("5 ft 3 inches", [(63, "inch")]),
        ("1 GB 200 MB", [(1200, "MB")]),
        ("0.5 h, 30 min", [(0.5, "h"), (30, "min")]),
        ("1 h, 60 min", [(1, "h"), (60, "min")]),
        ("3 miles, 5 km", [(3, "mi"), (5, "km")]),
        ("5 km, 0.3 km", [(5, "km"), (0.3, "km")]),
        ("5 EUR 0.5 EUR", [(5, "EUR"), (0.5, "EUR")]),
        ("20 °C, 3 °F", [(20, "°C"), (3, "°F")]),
        ("30 min, 2 h", [(30, "min"), (2, "h")]),
        ("2 h or 30 min", [(2, "h"), (30, "min")]),
    ],
)
def test_compound_quantities(text: str, found: list[tuple[float, str]]) -> None:
    assert read(text) == found


@pytest.mark.parametrize(
    ("text", "value", "unit", "same"),
    [
        ("2.5 h", 150, "min", True),
        ("2.58 hours", 155, "min", True),
        ("2.6 hours", 155, "min", False),
        ("2 h", 125, "min", False),
        ("9000 s", 150, "min", True),
        ("150 m", 150, "min", True),
        ("150", 150, "min", True),
        ("150 km", 150, "min", False),
        ("150 h", 150, "min", False),
        ("1 km", 1003, "m", False),
        ("1.003 km", 1003, "m", True),
        ("2.4 GB", 2400, "MB", True),
        ("2.34 GiB", 2400, "MB", False),
        ("2.24 GiB", 2400, "MB", True),
        ("68 °F", 20, "°C", True),
        ("20 °F", 20, "°C", False),
        ("10 lbs", 4.54, "kg", True),
        ("10 pounds", 10, "GBP", True),
        ("$10", 10, "CAD", True),
        ("10 EUR", 10, "USD", False),
        ("10 km", 10, None, True),
    ],
)
def test_the_same_amount(text: str, value: float, unit: str | None, same: bool) -> None:
    (said,) = quantities_in(text)
    assert amounts_to(said, value, UNITS.get(unit or ""), 0.005) is same


def test_currencies_in() -> None:
    assert {unit.name for unit in currencies_in("From EUR to SEK, not 5 try.")} == {"EUR", "SEK"}
    assert not currencies_in("How long is it?")
