"""Grids (网格): base grids tile a community and never overlap; a redraw takes the buildings and the residents along."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, FromClause, Integer, func, insert, literal, select, text
from sqlalchemy import cast as cast_to
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import InvalidError
from gridmgmt.history.beliefs import Sheet, Told, known, live, table_of, today, true_on
from gridmgmt.history.versions import correct as write
from gridmgmt.history.versions import strike
from gridmgmt.models import Area, Grid, GridLineage
from gridmgmt.registers.areas import geojson, of_code, outline
from gridmgmt.registers.pages import begins, every_form, one, page
from gridmgmt.security import audit
from gridmgmt.security.access import Versions


def browse(
    session: Session,
    actor: Actor,
    *,
    limit: int,
    after: tuple[Any, ...] | None = None,
    area: str | None = None,
    code: str | None = None,
    scheme: str | None = None,
    name: str | None = None,
    valid_on: dt.date | None = None,
    as_of: dt.datetime | None = None,
) -> Sequence[Told]:
    """A page of grids in the order of their codes, without their geometries; `code` and `name` are beginnings."""
    rows = known(Grid, as_of)
    conditions = [
        *([_in_area(rows, area)] if area else []),
        *([begins(rows.c.code, code)] if code else []),
        *([rows.c.scheme == scheme] if scheme else []),
        *([begins(rows.c.name, name)] if name else []),
        *([true_on(rows.c.valid_from, rows.c.valid_to, valid_on)] if valid_on else []),
    ]
    return page(session, actor, rows, sheet, *conditions, limit=limit, after=after, order=("code", "id"))


def read(session: Session, actor: Actor, grid_id: int, *, as_of: dt.datetime | None = None) -> Told:
    """One grid with its geometry. Raises NotFoundError."""
    return one(session, Grid, grid_id, lambda rows: sheet(rows, geometry=True), as_of=as_of)


def history(session: Session, actor: Actor, grid_id: int) -> Sequence[Told]:
    """Every form the grid had, the newest first, with when it was believed. Raises NotFoundError."""
    read(session, actor, grid_id)
    return every_form(session, Grid, grid_id, lambda rows: sheet(rows, geometry=True))


def lineage(session: Session, actor: Actor, grid_id: int) -> Sequence[Told]:
    """What the grid came from and what came from it; for the office only. Raises NotFoundError."""
    read(session, actor, grid_id)
    link = GridLineage
    either = (link.predecessor_id == grid_id) | (link.successor_id == grid_id)
    links: Sheet = select(link.predecessor_id, link.successor_id, link.kind, link.happened_on).where(either)
    return session.execute(links.order_by(link.happened_on, link.predecessor_id, link.successor_id)).all()


def create(
    session: Session,
    actor: Actor,
    *,
    code: str,
    name: str,
    community: str,
    geometry: Mapping[str, Any],
    valid_from: dt.date,
    valid_to: dt.date | None = None,
    scheme: str = "base",
) -> int:
    """Enter a grid and give its id; `geometry` is GeoJSON in degrees, `community` the code of an area in force at `valid_from`.

    Base and dedicated codes are the community's 12 digits and a number, 001-899 and 901-999. Whether the grid overlaps another, leaves
    its community or, as a base grid, begins or ends after today shows at the commit. Raises InvalidError, ConflictError.
    """
    made = _insert(
        session, code=code, name=name, community=community, geometry=geometry, valid_from=valid_from, valid_to=valid_to, scheme=scheme
    )
    audit.record(session, "create", "grid", made)
    return made


def correct(session: Session, actor: Actor, grid_id: int, changes: Mapping[str, Any], *, versions: Versions) -> int:
    """Change `name`, `valid_from`, `valid_to` or `geometry`, and give the new version. With the geometry the buildings follow.

    Raises InvalidError, StaleError, NotFoundError; at the commit ConflictError for an overlap or a building left outside.
    """
    values = dict(changes)
    if "geometry" in values:
        values["geom"] = outline(values.pop("geometry"), max_vertices=2_000)
    new = write(session, Grid, grid_id, values, versions=versions)
    if "geom" in values:
        _replace_buildings(session, [grid_id])
    audit.record(session, "correct", "grid", grid_id, detail={"fields": sorted(changes)})
    return new


def end(session: Session, actor: Actor, grid_id: int, *, on: dt.date, versions: Versions, reason: str | None = None) -> int:
    """Let the grid end: `on` is its first day no more, for a base grid not after today. Buildings go to the grids that cover them.

    Raises as `correct` does.
    """
    new = write(session, Grid, grid_id, {"valid_to": on}, versions=versions)
    _replace_buildings(session, [grid_id])
    audit.record(session, "end", "grid", grid_id, detail={"on": on.isoformat(), "reason": reason})
    return new


def delete(session: Session, actor: Actor, grid_id: int, *, versions: Versions) -> None:
    """Strike out a grid that was entered by mistake; its code stays used. Raises as `correct` does."""
    strike(session, Grid, grid_id, versions=versions)
    _replace_buildings(session, [grid_id])
    audit.record(session, "delete", "grid", grid_id)


def redraw(
    session: Session, actor: Actor, *, kind: str, retire: Sequence[str], grids: Sequence[Mapping[str, Any]], on: dt.date, today: dt.date
) -> Sequence[int]:
    """Put new base grids in the place of old ones from the day `on` (not after today), and give their ids in the order of `grids`.

    `kind`: split (one into several), merge (several into one) or renumber (one into one). Each of `grids` has `code`, `name`,
    `community` and `geometry`. The new ones cover what the old ones covered. Buildings, units, leases and residents follow; whoever is
    written in an old grid without living there comes to the first new one. Raises InvalidError, ConflictError.
    """
    wanted = {"split": (1, None), "merge": (None, 1), "renumber": (1, 1)}[kind]
    counts = (len(set(retire)), len(grids))
    if any((want is not None and count != want) or (want is None and count < 2) for want, count in zip(wanted, counts, strict=True)):
        raise InvalidError("a split makes several of one, a merge one of several, a renumbering one of one", field="kind")
    if on > today:
        raise InvalidError("a redraw takes effect today or took effect before: buildings are placed at once", field="on")
    old = _retire(session, retire, on)
    new = [_insert(session, **grid, valid_from=on, valid_to=None, scheme="base") for grid in grids]
    _require_covered(session, old, new)
    pairs = _overlapping_pairs(session, old, new)
    session.execute(insert(GridLineage), [{"predecessor_id": a, "successor_id": b, "kind": kind, "happened_on": on} for a, b in pairs])
    _replace_buildings(session, old)
    session.execute(select(func.sec.resettle(_ints(old), new[0]))).scalar_one()
    audit.record(session, "redraw", "grid", detail={"kind": kind, "on": on.isoformat(), "old": old, "new": new})
    return new


def sheet(rows: FromClause, *, geometry: bool = False) -> Sheet:
    """What is told of grids."""
    names = ("id", "version", "recorded_from", "code", "scheme", "kind", "name", "community_id", "subdistrict_id", "valid_from", "valid_to")
    told = [rows.c[name] for name in names]
    return select(*told, *([geojson(rows.c.geom).label("geometry")] if geometry else []))


def id_of(session: Session, code: str, *, field: str = "grid") -> int:
    """The id of the base grid in force with this code, of those that the actor sees. Raises InvalidError naming `field`."""
    table = table_of(Grid)
    this = (table.c.scheme == "base", table.c.code == code, live(table), true_on(table.c.valid_from, table.c.valid_to, today()))
    found: int | None = session.execute(select(table.c.id).where(*this)).scalar_one_or_none()
    if found is None:
        raise InvalidError("there is no such grid in force, or none that you may see", field=field, slug="unknown-reference")
    return found


def _in_area(rows: FromClause, code: str) -> ColumnElement[bool]:
    """Grids name their community themselves."""
    area = Area.__table__.alias("filter_area")
    these = select(area.c.id).where(area.c.code == code, live(area))
    match len(code) if code.isascii() and code.isdigit() else 0:
        case 6:
            part = Area.__table__.alias("filter_part")
            return rows.c.subdistrict_id.in_(select(part.c.id).where(part.c.parent_id.in_(these)))
        case 9:
            return rows.c.subdistrict_id.in_(these)
        case 12:
            return rows.c.community_id.in_(these)
        case _:
            raise InvalidError("an area code has 6, 9 or 12 digits", field="area")


def _insert(
    session: Session,
    *,
    code: str,
    name: str,
    community: str,
    geometry: Mapping[str, Any],
    valid_from: dt.date,
    valid_to: dt.date | None,
    scheme: str,
) -> int:
    area = of_code(session, community, "community", valid_from, field="community")
    kind = scheme if scheme in {"base", "dedicated"} else "line_department"
    if kind != "line_department":
        _require_code(code, community, scheme)
    table = table_of(Grid)
    values = {
        "code": code,
        "name": name,
        "scheme": scheme,
        "kind": kind,
        "community_id": area.id,
        "subdistrict_id": area.parent_id,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "geom": outline(geometry, max_vertices=2_000),
    }
    return session.execute(insert(table).values(**values).returning(table.c.id)).scalar_one()


def _require_code(code: str, community: str, scheme: str) -> None:
    number = code[12:]
    fits = len(code) == 15 and code.isascii() and code.isdigit() and code[:12] == community
    if not fits or not ("001" <= number <= "899" if scheme == "base" else "901" <= number <= "999"):
        span = "001 to 899" if scheme == "base" else "901 to 999"
        raise InvalidError(f"a {scheme} code is the community's 12 digits and a number from {span}", field="code")


def _retire(session: Session, codes: Sequence[str], on: dt.date) -> list[int]:
    table = table_of(Grid)
    this = (
        table.c.scheme == "base",
        table.c.code.in_(codes),
        live(table),
        true_on(table.c.valid_from, table.c.valid_to, on),
        table.c.valid_from < on,
    )
    # In the order of ids, so that two redraws wait for each other instead of meeting head-on.
    found = session.execute(select(table.c.id, table.c.code).where(*this).order_by(table.c.id).with_for_update()).all()
    missing = sorted(set(codes) - {row.code for row in found})
    if missing:
        raise InvalidError(
            f"no base grid {', '.join(missing)} is in force before and on {on.isoformat()}", field="retire", slug="unknown-reference"
        )
    ids = [row.id for row in found]
    session.execute(table.update().where(table.c.id.in_(ids)).values(valid_to=on))
    return ids


def _require_covered(session: Session, old: Sequence[int], new: Sequence[int]) -> None:
    """Base grids tile their community: what the old ones covered may not be left bare, but for rounding (1 m²)."""
    gap = session.execute(
        text("""
            SELECT ST_Area(ST_Transform(bare, 4547)) AS m2, ST_X(ST_PointOnSurface(bare)) AS lon, ST_Y(ST_PointOnSurface(bare)) AS lat
              FROM (SELECT ST_Difference((SELECT ST_Union(geom) FROM reg.grid WHERE id = ANY (:old)),
                                         (SELECT ST_Union(geom) FROM reg.grid WHERE id = ANY (:new))) AS bare) g"""),
        {"old": list(old), "new": list(new)},
    ).one()
    if gap.m2 > 1:
        facts = {"area_m2": round(gap.m2, 2), "lon": gap.lon, "lat": gap.lat}
        raise InvalidError(f"the new grids leave {gap.m2:.2f} m2 bare that the old ones covered", field="grids", slug="grid-gap", **facts)


def _overlapping_pairs(session: Session, old: Sequence[int], new: Sequence[int]) -> Sequence[tuple[int, int]]:
    before, after = table_of(Grid).alias("before"), table_of(Grid).alias("after")
    share = (before.c.geom.bool_op("&&")(after.c.geom), func.ST_Relate(before.c.geom, after.c.geom, "T********"))
    pairs = select(before.c.id, after.c.id.label("new_id")).where(before.c.id.in_(old), after.c.id.in_(new), *share)
    return [(row.id, row.new_id) for row in session.execute(pairs).all()]


def _replace_buildings(session: Session, ids: Sequence[int]) -> int:
    return session.execute(select(func.sec.replace_buildings(_ints(ids)))).scalar_one()


def _ints(ids: Sequence[int]) -> ColumnElement[Any]:
    return cast_to(literal(list(ids), ARRAY(Integer)), ARRAY(Integer))
