"""A release by hand: a district of one subdistrict and three communities, each a square kilometre, with two uses."""

import datetime as dt
from decimal import Decimal
from typing import Any

import shapely

from gridmgmt.reports.issue import Cell, Issue, Place

START = dt.date(2024, 1, 1)
DISTRICT, SUBDISTRICT, EAST, MIDDLE, WEST = range(1, 6)


def place(identifier: int, code: str, name: str, level: str, parent: int | None, *, west: float, wide: float) -> Place:
    shape = shapely.MultiPolygon([shapely.box(12_700_000 + 1000 * west, 2_580_000, 12_700_000 + 1000 * (west + wide), 2_581_000)])
    return Place(identifier, code, name, level, parent, shape)


PLACES = (
    place(DISTRICT, "440399", "试验区", "district", None, west=0, wide=3),
    place(SUBDISTRICT, "440399001", "南街道", "subdistrict", DISTRICT, west=0, wide=3),
    place(WEST, "440399001001", "西社区", "community", SUBDISTRICT, west=0, wide=1),
    place(MIDDLE, "440399001002", "中<社>区", "community", SUBDISTRICT, west=1, wide=1),
    place(EAST, "440399001003", "东社区", "community", SUBDISTRICT, west=2, wide=1),
)


def number(
    product: str,
    area: int,
    value: str | None,
    *,
    period: dt.date = START,
    frequency: str = "quarter",
    use: str = "residential",
    **other: Any,
) -> Cell:
    """A direct figure of 40 observations, its band a tenth to either side; or a reason."""
    middle = None if value is None else Decimal(value)
    low, high = (None if middle is None else round(middle * Decimal(share), 2) for share in ("0.9", "1.1"))
    told: dict[str, Any] = {"lets": "all", "se": Decimal("0.0100"), "n_told": 40, "basis": "direct", "flag": None, "reason": None}
    if middle is None:
        told |= {"se": None, "n_told": None, "basis": "none", "reason": "suppressed"}
    return Cell(product, "quarter", area, use, period=period, value=middle, low=low, high=high, **told | other)


def quarters(area: int, *values: str | None, **other: Any) -> list[Cell]:
    """Index numbers of the quarters up to the release's own."""
    first = START.year * 12 - 3 * (len(values) - 1)
    days = [dt.date((first + 3 * at) // 12, (first + 3 * at) % 12 + 1, 1) for at in range(len(values))]
    return [number("index", area, value, period=day, **other) for day, value in zip(days, values, strict=True)]


def issue(*, state: str = "published", demo: bool = True, cells: list[Cell] | None = None) -> Issue:
    """The release: the east's rent is a model's, the middle's is hidden; a quarter of the index is held back."""
    release = {
        "id": None,
        "version": 4,
        "quarter": "2024Q1",
        "edition": 2,
        "state": state,
        "published_at": None if state == "computed" else dt.datetime(2024, 4, 20, 17, tzinfo=dt.UTC),
        "computed_at": dt.datetime(2024, 4, 2, tzinfo=dt.UTC),
    }
    run = {
        "product": "index",
        "frequency": "quarter",
        "use": "residential",
        "method": "rolling",
        "data_cut": dt.datetime(2024, 4, 2, 1, 2, 3, tzinfo=dt.UTC),
        "digest": "0123456789abcdef" + 48 * "0",
    }
    every = [
        number("guide", DISTRICT, "42.00"),
        number("guide", SUBDISTRICT, "42.00"),
        number("guide", WEST, "40.00", flag="few", n_told=15),
        number("guide", EAST, "44.50", basis="model", se=None, n_told=None),
        number("guide", MIDDLE, None),
        *quarters(DISTRICT, "100.00", "102.50", None, "104.00", "105.04"),
        *quarters(SUBDISTRICT, "100.00", "102.50", "103.10", "104.00", "105.04"),
    ]
    return Issue(release, [run], every if cells is None else cells, PLACES, demo)
