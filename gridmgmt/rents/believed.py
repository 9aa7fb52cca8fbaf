"""The register as it was believed at a run's data cut, in statements: all that a run reads is of one moment."""

import datetime as dt
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session


def believed(table: str, *columns: str, cut: str = ":cut") -> str:
    """The rows of a table of the register that stood at `cut`, a placeholder, without those struck out; as a derived table."""
    told = ", ".join(columns)
    return f"""(
        SELECT {told} FROM reg.{table} WHERE recorded_from <= {cut} AND deleted_at IS NULL
         UNION ALL
        SELECT {told} FROM reg.{table}_past WHERE recorded_from <= {cut} AND recorded_to > {cut} AND deleted_at IS NULL)"""  # noqa: S608


STOCK: Final = ("id", "building_id", "grid_id", "floor", "area_m2", "use", "retired_on")
HOUSES: Final = ("id", "nature", "built_year", "floors_above", "retired_on")


def standing(cut: str) -> str:
    """Units u of buildings b in grids d that stood at `cut`, a placeholder of a moment, on its day: what follows FROM."""
    day = f"(CAST({cut} AS timestamptz) AT TIME ZONE 'Asia/Shanghai')::date"
    return f"""{believed("unit", *STOCK, cut=cut)} u
          JOIN {believed("building", *HOUSES, cut=cut)} b ON b.id = u.building_id AND coalesce(b.retired_on, 'infinity') > {day}
          JOIN {believed("grid", "id", "community_id", cut=cut)} d ON d.id = u.grid_id AND coalesce(u.retired_on, 'infinity') > {day}"""


def day_of(session: Session, cut: dt.datetime) -> dt.date:
    """The district's day at a moment."""
    return session.execute(text("SELECT (CAST(:cut AS timestamptz) AT TIME ZONE 'Asia/Shanghai')::date"), {"cut": cut}).scalar_one()
