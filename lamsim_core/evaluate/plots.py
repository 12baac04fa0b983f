"""Drawings of a report: SVG written out, so that a report needs neither a script nor a library to be looked at."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

COLOURS = ("#1d9488", "#c07a24", "#4a8fc4", "#8d78c2", "#84943a", "#c06c93", "#7f8a88")
"""In the order of the policies; each has a contrast of at least 3:1 on light and on dark."""
_WIDTH, _LEFT, _RIGHT = 860, 270, 90
_ROW = 26
_LONGEST = 36


class Mark(NamedTuple):
    """A rate with its interval, as fractions."""

    name: str
    value: float
    low: float
    high: float
    place: int
    """Of its policy, which gives the colour."""


def intervals(groups: Mapping[str, Sequence[Mark]], *, title: str) -> str:
    """Rates as points with their intervals, one line each, under the names of their groups."""
    parts: list[str] = []
    y = 30
    for group, marks in groups.items():
        if len(groups) > 1:
            parts.append(f'<text x="0" y="{y + 4}" font-weight="600">{_text(group)}</text>')
            y += _ROW
        for mark in marks:
            tint = COLOURS[mark.place % len(COLOURS)]
            low, middle, high = (_x(value, 1.0) for value in (mark.low, mark.value, mark.high))
            said = f"{mark.name}: {mark.value:.1%}, 95 % interval {mark.low:.1%} to {mark.high:.1%}"
            parts.append(
                f"<g><title>{escape(said)}</title>"
                f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{_text(mark.name)}</text>'
                f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}" stroke="{tint}" stroke-width="4"/>'
                f'<circle cx="{middle:.1f}" cy="{y}" r="6" fill="{tint}"/>'
                f'<text class="faint" x="{_WIDTH - _RIGHT + 14}" y="{y + 4}">{mark.value:.1%}</text></g>'
            )
            y += _ROW
        y += 8
    return _svg(parts, y, 1.0, title, percent=True)


def bars(groups: Mapping[str, Mapping[str, float]], *, title: str) -> str:
    """Amounts of several policies side by side: what is counted -> policy -> amount; no amount, no bar."""
    most = max((value for amounts in groups.values() for value in amounts.values()), default=0.0) or 1.0
    places = {
        name: place for place, name in enumerate(dict.fromkeys(n for amounts in groups.values() for n in amounts))
    }
    parts: list[str] = []
    x = 0.0
    for name, place in places.items():
        parts.append(f'<circle cx="{x + 6:.0f}" cy="12" r="6" fill="{COLOURS[place % len(COLOURS)]}"/>')
        parts.append(f'<text x="{x + 18:.0f}" y="16">{_text(name)}</text>')
        x += 42 + 7.5 * min(len(name), _LONGEST)
    y = 46.0
    for group, amounts in groups.items():
        middle = y + 6 * len(amounts) - 2
        parts.append(f'<text x="{_LEFT - 12}" y="{middle:.0f}" text-anchor="end">{_text(group)}</text>')
        for name, value in amounts.items():
            tint = COLOURS[places[name] % len(COLOURS)]
            length = _x(value, most) - _LEFT
            parts.append(
                f"<g><title>{escape(f'{group}, {name}: {value:.1f}')}</title>"
                f'<rect x="{_LEFT}" y="{y - 5:.0f}" width="{length:.1f}" height="10" rx="2" fill="{tint}"/>'
                f'<text class="faint" x="{_LEFT + length + 6:.1f}" y="{y + 4:.0f}">{value:.1f}</text></g>'
            )
            y += 13
        y += 11
    return _svg(parts, y, most, title, percent=False)


def _x(value: float, most: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * max(0.0, min(1.0, value / most))


def _text(name: str) -> str:
    flat = "".join(letter if letter.isprintable() else " " for letter in name)
    return escape(flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…")


def _svg(parts: Sequence[str], bottom: float, most: float, title: str, *, percent: bool) -> str:
    grid = []
    for step in range(5):
        x = _x(most * step / 4, most)
        told = f"{25 * step} %" if percent else f"{most * step / 4:.1f}"
        grid.append(f'<line class="grid" x1="{x:.1f}" y1="22" x2="{x:.1f}" y2="{bottom:.0f}"/>')
        grid.append(f'<text class="faint" x="{x:.1f}" y="{bottom + 18:.0f}" text-anchor="middle">{told}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 28:.0f}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif">{"".join(grid)}{"".join(parts)}</svg>'
    )
