"""Releases of rents in every state, with few figures, for tests of who may see and do what."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from gridmgmt.database import Actor, Database
from gridmgmt.rents import releases
from gridmgmt.rents.premises import Premises
from gridmgmt.rents.releases import Figure
from gridmgmt.rents.runs import Outcome, Plan, store, take_cut
from gridmgmt.security import accounts
from tests.places import Places

START: Final = dt.date(2024, 1, 1)
END: Final = dt.date(2024, 4, 1)
BAND: Final = {"low": 0.2, "high": 0.8}
STEPS: Final = {"published": 3, "draft": 0, "reviewed": 1, "approved": 2, "spare": 0}
"""How many steps each release has taken; only the first one is public."""
PATH: Final[tuple[releases.Step, ...]] = ("reviewed", "approved", "published")


def loader(database: Database) -> Actor:
    """The actor of the command line, who computes."""
    operator = accounts.known_as(database, "local-operator")
    return Actor(operator.account_id, operator.username, operator.role, "loader", operator.epoch)


def figure(area_id: int, value: str, *, product: str = "guide", period: dt.date = START, use: str = "residential") -> Figure:
    """A direct figure of 40 observations, its band a fifth to either side."""
    middle = Decimal(value)
    low, high = (Decimal(f"{middle * share:.2f}") for share in (Decimal("0.8"), Decimal("1.2")))
    kind = "guide" if product == "guide" else "index"
    return Figure(kind, "quarter", area_id, use, "all", period, middle, low, high, Decimal("0.0100"), 40, "direct", None, None)


def release_all(database: Database, places: Places, area: str, band: Mapping[str, float] = BAND) -> dict[str, uuid.UUID]:
    """A release in each state of STEPS, of one quarter: computed and reviewed at the command line, approved and published by `district`."""
    actor, area_id = loader(database), places.areas[area]
    made: dict[str, uuid.UUID] = {}
    with database.transaction(actor) as session:
        cut = take_cut(session)
        runs = {
            product: store(
                session,
                Plan(product, "quarter", "by hand", band, area_id, "residential", START, END),
                Outcome([], 0),
                cut,
                Premises(),
            )
            for product in ("index", "guide")
        }
        for name in STEPS:
            figures = [(runs["guide"], figure(area_id, "40.00")), (runs["index"], figure(area_id, "100.00", product="index"))]
            made[name] = releases.add_release(
                session, "2024Q1", list(runs.values()), figures, f"note of {name}", published_before=int(name != "published")
            )["id"]
    for name, steps in STEPS.items():
        take_steps(database, places, made[name], PATH[:steps])
    return made


def take_steps(database: Database, places: Places, release: uuid.UUID, steps: Sequence[releases.Step] = PATH) -> None:
    """Steps of a release, each by somebody who may."""
    for state in steps:
        with database.transaction(places.accounts["district"] if state == "approved" else loader(database)) as session:
            releases.take_step(session, release, state)


def add_like(database: Database, like: uuid.UUID, quarter: str, figures: Sequence[Figure]) -> uuid.UUID:
    """Another release, computed by the runs of one that there is."""
    with database.transaction(loader(database)) as session:
        runs = {run["product"]: run["id"] for run in releases.runs_of(session, like)}
        said = [(runs[one.product], one) for one in figures]
        before = releases.count_published(session)
        return releases.add_release(session, quarter, list(runs.values()), said, "", published_before=before)["id"]
