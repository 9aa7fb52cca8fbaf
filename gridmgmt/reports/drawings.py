"""Maps and charts as SVG, in points, drawn by hand so that the same numbers give the same bytes."""

import datetime as dt
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

import numpy as np
import shapely

FONT: Final = "Noto Sans CJK SC"
SHADES: Final = ("#ffffcc", "#a1dab4", "#41b6c4", "#2c7fb8", "#253494")
"""Five classes, light to dark (ColorBrewer YlGnBu), which remain apart in grey and for the colour-blind."""
NONE: Final = "#e3e3e3"
INK: Final = "#333333"
NAME: Final = 8.0
"""Size of the names on a map."""
SPHERE_M: Final = 6_378_137.0
"""Radius of the sphere of EPSG:3857."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A surface of a map in EPSG:3857, and the number that shades it; None where there is none."""

    shape: shapely.Geometry
    value: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Border:
    """A border that is drawn over the patches, with a name inside."""

    shape: shapely.Geometry
    name: str


@dataclass(frozen=True, slots=True)
class Point:
    """One period of a line; a None value breaks it. `low` and `high` make the band."""

    day: dt.date
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A series of a chart, its points in order of time."""

    name: str
    points: Sequence[Point]
    colour: str
    dashed: bool = False


def shade_map(patches: Sequence[Patch], borders: Sequence[Border], *, none: str, width: float, tallest: float) -> str:
    """A map of patches in five classes of about equal numbers, with a legend and a scale bar. `none` says that there is no number.

    Raises ValueError without patches.
    """
    if not patches:
        raise ValueError("a map needs patches")
    shapes = np.array([one.shape for one in patches], object)
    west, south, east, north = shapely.total_bounds(shapes).tolist()
    legend = 92.0
    scale = min((width - legend) / (east - west), tallest / (north - south))
    height = max((north - south) * scale, 120.0)
    room = width - legend
    left = (room - (east - west) * scale) / 2  # a narrow district stands in the middle, with room for names on either side
    drawing = _Drawing(width, height, lambda x, y: (left + (x - west) * scale, (north - y) * scale))
    # one step for all: what two neighbours share stays shared
    thinned = shapely.coverage_simplify(shapes, 0.35 / scale)
    limits = _limits([one.value for one in patches if one.value is not None])
    for patch, shape in zip(patches, thinned, strict=True):
        fill = NONE if patch.value is None else SHADES[_class(patch.value, limits)]
        drawing.polygon(shape, f'fill="{fill}" stroke="#ffffff" stroke-width="0.5" stroke-linejoin="round"')
    for border in borders:
        outline = shapely.simplify(border.shape, 0.35 / scale)
        drawing.polygon(outline, f'fill="none" stroke="{INK}" stroke-width="0.9" stroke-linejoin="round"')
    for x, y, name in _names(drawing, borders, room, height):
        drawing.label(x, y, name, size=NAME, halo=True, anchor="middle")
    _legend(drawing, limits, width - legend + 12, none=none, empty=any(one.value is None for one in patches))
    _scale_bar(drawing, scale * math.cosh((north + south) / 2 / SPHERE_M), width - legend + 12, height)
    return drawing.svg()


def line_chart(lines: Sequence[Line], *, band: str | None, width: float, height: float) -> str:
    """Lines over time, the band of the first one behind them, with a legend. `band` names the band.

    Raises ValueError when there is nothing to draw.
    """
    points = [one for line in lines for one in line.points if one.value is not None]
    if not points:
        raise ValueError("a chart needs numbers")
    heights = [number for one in points for number in (one.value, one.low, one.high) if number is not None]
    ticks = _ticks(min(heights), max(heights))
    first, last = min(one.day for one in points), max(one.day for one in points)
    days = max((last - first).days, 1)
    left, right, top, bottom = 30.0, width - 8, 18.0, height - 16

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (x - first.toordinal()) / days * (right - left), bottom - (y - ticks[0]) / (ticks[-1] - ticks[0]) * (bottom - top)

    drawing = _Drawing(width, height, place)
    for tick in ticks:
        _, y = place(0, tick)
        drawing.add(f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="{INK if tick == 100 else "#d8d8d8"}" stroke-width="0.5"/>')
        drawing.label(left - 4, y + 2.5, f"{tick:g}", size=7, anchor="end")
    for day, label in _dates(first, last):
        x, _ = place(day.toordinal(), ticks[0])
        drawing.add(f'<path d="M{x:.1f} {bottom:.1f}v3" stroke="{INK}" stroke-width="0.5"/>')
        half = 3.5 * _wide(label) + 1
        drawing.label(min(x, width - half), bottom + 11, label, size=7, anchor="middle")
    for run in _unbroken(lines[0].points):
        around = [(one, one.high) for one in run] + [(one, one.low) for one in reversed(run)]
        if all(number is not None for _, number in around):
            corners = " ".join("{:.1f},{:.1f}".format(*place(one.day.toordinal(), number or 0)) for one, number in around)
            drawing.add(f'<polygon points="{corners}" fill="{lines[0].colour}" fill-opacity="0.18"/>')
    for line in lines:
        dash = ' stroke-dasharray="4 2.5"' if line.dashed else ""
        for run in _unbroken(line.points):
            if len(run) == 1:
                x, y = place(run[0].day.toordinal(), run[0].value or 0)
                drawing.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6" fill="{line.colour}"/>')
            path = "L".join("{:.1f} {:.1f}".format(*place(one.day.toordinal(), one.value or 0)) for one in run)
            drawing.add(f'<path d="M{path}" fill="none" stroke="{line.colour}" stroke-width="1.3" stroke-linejoin="round"{dash}/>')
    _keys(drawing, lines, band, left)
    return drawing.svg()


class _Drawing:
    def __init__(self, width: float, height: float, place: Callable[[float, float], tuple[float, float]]) -> None:
        self.width, self.height, self.place = width, height, place
        self._parts: list[str] = []

    def add(self, part: str) -> None:
        self._parts.append(part)

    def polygon(self, shape: shapely.Geometry, style: str) -> None:
        rings: list[str] = []
        for polygon in shapely.get_parts(shape):
            for ring in shapely.get_rings(polygon):
                corners = shapely.get_coordinates(ring)[:-1].tolist()
                rings.append("M" + "L".join("{:.1f} {:.1f}".format(*self.place(x, y)) for x, y in corners) + "Z")
        self.add(f'<path d="{"".join(rings)}" fill-rule="evenodd" {style}/>')

    def label(self, x: float, y: float, words: str, *, size: float, anchor: str = "start", halo: bool = False) -> None:
        style = f'x="{x:.1f}" y="{y:.1f}" font-family="{FONT}" font-size="{size:g}" text-anchor="{anchor}"'
        if halo:  # drawn twice: not every reader knows paint-order
            self.add(f'<text {style} fill="#ffffff" stroke="#ffffff" stroke-width="2" stroke-linejoin="round">{escape(words)}</text>')
        self.add(f'<text {style} fill="{INK}">{escape(words)}</text>')

    def svg(self) -> str:
        box = f'width="{self.width:g}" height="{self.height:.1f}" viewBox="0 0 {self.width:g} {self.height:.1f}"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{"".join(self._parts)}</svg>'


def _names(drawing: _Drawing, borders: Sequence[Border], width: float, height: float) -> Iterable[tuple[float, float, str]]:
    """Where each name stands, whole and beside the others: in the middle of its area, or up to three lines above or below."""
    taken: list[tuple[float, float, float]] = []
    for border in borders:
        middle = shapely.centroid(border.shape)
        inside = middle if shapely.contains(border.shape, middle) else shapely.point_on_surface(border.shape)
        x, y = drawing.place(shapely.get_x(inside), shapely.get_y(inside))
        half = NAME * _wide(border.name) / 2
        x = min(max(x, half), width - half)
        lines = [y + line * NAME for line in (0, 1, -1, 2, -2, 3, -3) if NAME <= y + line * NAME <= height]
        free = (at for at in lines if all(abs(at - other) >= NAME or abs(x - where) >= half + wide for where, other, wide in taken))
        y = next(free, y)
        taken.append((x, y, half))
        yield x, y, border.name


def _limits(values: Sequence[float]) -> list[float]:
    """Lower limits of the classes, of about equal numbers each; fewer classes where numbers are few or the same."""
    ordered = sorted(values)
    return sorted({round(ordered[at * len(ordered) // len(SHADES)], 2) for at in range(len(SHADES))} if ordered else ())


def _class(value: float, limits: Sequence[float]) -> int:
    """Place of a value's shade: the classes there are take the shades from the light end to the dark."""
    at = sum(value >= limit for limit in limits) - 1
    return max(at, 0) if len(limits) < 2 else round(max(at, 0) * (len(SHADES) - 1) / (len(limits) - 1))


def _legend(drawing: _Drawing, limits: Sequence[float], x: float, *, none: str, empty: bool) -> None:
    lines = [
        (SHADES[_class(limit, limits)], f"≥ {limit:.2f}" if above is None else f"{limit:.2f} – {above:.2f}")
        for limit, above in zip(limits, [*limits[1:], None], strict=True)
    ]
    lines = lines[::-1] + ([(NONE, none)] if empty else [])
    for at, (fill, words) in enumerate(lines):
        y = 6 + 14.0 * at
        drawing.add(f'<rect x="{x:.1f}" y="{y:.1f}" width="14" height="10" fill="{fill}" stroke="{INK}" stroke-width="0.3"/>')
        drawing.label(x + 19, y + 8, words, size=7.5)


def _scale_bar(drawing: _Drawing, points_per_metre: float, x: float, height: float) -> None:
    """The largest round length that fits in 64 points."""
    longest = 64 / points_per_metre
    power = 10 ** math.floor(math.log10(longest))
    metres = max(step * power for step in (1, 2, 5) if step * power <= longest)
    y = height - 8
    drawing.add(f'<path d="M{x:.1f} {y - 3:.1f}v3h{metres * points_per_metre:.1f}v-3" fill="none" stroke="{INK}" stroke-width="0.8"/>')
    drawing.label(x, y - 6, f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m", size=7.5)


def _keys(drawing: _Drawing, lines: Sequence[Line], band: str | None, x: float) -> None:
    for line in lines:
        dash = ' stroke-dasharray="4 2.5"' if line.dashed else ""
        drawing.add(f'<path d="M{x:.1f} 6h18" stroke="{line.colour}" stroke-width="1.3"{dash}/>')
        drawing.label(x + 22, 8.5, line.name, size=7.5)
        x += 34 + 7.5 * _wide(line.name)
    if band is not None:
        drawing.add(f'<rect x="{x:.1f}" y="2" width="18" height="8" fill="{lines[0].colour}" fill-opacity="0.18"/>')
        drawing.label(x + 22, 8.5, band, size=7.5)


def _wide(words: str) -> float:
    """Width in ems, about."""
    return sum(1.0 if ord(sign) > 0x2E80 else 0.55 for sign in words)


def _ticks(least: float, most: float) -> list[float]:
    """Round numbers around a range, four to eight of them."""
    reach = max(most - least, 1.0)
    power = 10 ** math.floor(math.log10(reach / 5))
    step = next(step * power for step in (1, 2, 5, 10) if reach / (step * power) <= 6)
    begin, end = math.floor(least / step), math.ceil(most / step)
    return [round(at * step, 6) for at in range(begin, max(end, begin + 1) + 1)]


def _dates(first: dt.date, last: dt.date) -> Iterable[tuple[dt.date, str]]:
    """Firsts of quarters, of Januaries where they would stand too close."""
    months = (last.year - first.year) * 12 + last.month - first.month
    step = 3 if months <= 36 else 12 if months <= 120 else 24
    begin = first.year * 12 + first.month - 1
    for month in range(begin + -begin % step, begin + months + 1, step):
        day = dt.date(month // 12, month % 12 + 1, 1)
        yield day, f"{day:%Y-%m}" if step == 3 else str(day.year)


def _unbroken(points: Sequence[Point]) -> Iterable[list[Point]]:
    run: list[Point] = []
    for one in points:
        if one.value is None:
            if run:
                yield run
            run = []
        else:
            run.append(one)
    if run:
        yield run
