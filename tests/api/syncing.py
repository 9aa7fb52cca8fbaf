"""What handhelds of several tests do: requests, the lines of a snapshot, many rows in their grid."""

from typing import Any

import orjson

from tests import horizon
from tests.drawn import Drawn

PULL, VERIFY, EVENTS = "/v1/sync/pull", "/v1/sync/verify", "/v1/sync/events"


def as_superuser(drawn: Drawn, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement and commit; its rows."""
    return horizon.as_superuser(drawn.address, statement)


def lines_of(answer: Any) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in answer.content.splitlines()]


def asked(*scopes: tuple[int, str | None], **more: Any) -> dict[str, Any]:
    return {"scopes": [{"scope_id": scope, "cursor": cursor} for scope, cursor in scopes], **more}


def crowd(drawn: Drawn, home: int, count: int) -> None:
    """Many units in the village, which lies in the worker's grid."""
    as_superuser(
        drawn,
        "INSERT INTO reg.unit (id, building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use)"
        f" SELECT ('0190000a-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, b.id, b.grid_id, b.subdistrict_id,"
        f" '4403990010010000002' || lpad((1000 + n)::text, 6, '0'), 1, 'R' || n, 20, 'residential'"
        f" FROM reg.building b, generate_series(1, {count}) n WHERE b.id = '{drawn.places.buildings['village']}'",
    )
