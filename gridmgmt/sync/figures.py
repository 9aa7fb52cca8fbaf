"""What operators watch of the handhelds: how long changes wait, what waits for somebody's decision, and who has been silent."""

from dataclasses import dataclass
from typing import Final

from gridmgmt.database import AUTH, Database
from gridmgmt.reads import Query

LONGEST_LAG: Final = 15.0
"""Seconds for which a committed change may wait for a writer that is still open, before somebody should look who that is."""
FIGURES: Final = Query(b"SELECT figure, label, value FROM sec.feed_figures()", name=b"sync figures")


@dataclass(frozen=True)
class Figure:
    """One number: of what (`lag` in seconds, `open`, `devices`, `contact`), and of which of them."""

    name: str
    label: str
    value: float


async def read_figures(database: Database) -> list[Figure]:
    """All of them. Raises BusyError when the database does not answer."""
    [rows] = await database.read(AUTH, FIGURES)
    return [Figure((name or b"").decode(), (label or b"").decode(), float(value or 0)) for name, label, value in rows]
