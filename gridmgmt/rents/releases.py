"""Releases: the numbers of one quarter, on their way from computed to reviewed, approved, published and superseded.

PostgreSQL holds the rules: each step by whom it is allowed to, review and approval by two persons, what was published never changed. What
an earlier release published is taken over digit for digit; new periods continue it, laid on by the geometric mean over the overlap.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, Final, Literal

import numpy as np
from sqlalchemy import RowMapping, func, insert, select, text, update
from sqlalchemy.orm import Session

from gridmgmt.errors import ConflictError, InvalidError, NotFoundError, StaleError
from gridmgmt.models import RentFigure, RentRelease, RentReleaseRun, RentRun
from gridmgmt.rents.rows import add_rows
from gridmgmt.security.access import Versions

Step = Literal["reviewed", "approved", "published", "rejected"]
HELD_BACK: Final = "held_back"
"""The flag of numbers that wait for leases that are not registered yet."""
OVERLAP: Final = {"month": 23, "quarter": 7}
"""Periods on which new numbers are laid: what two rolling windows that follow each other share."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number as it is published, or the reason why there is none."""

    product: Literal["index", "guide"]
    frequency: Literal["month", "quarter", "year"]
    area_id: int
    use: str
    lets: Literal["all", "new"]
    period: dt.date
    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    se: Decimal | None
    n_told: int | None
    basis: Literal["direct", "model", "none"]
    flag: str | None
    reason: str | None


Key = tuple[str, str, int, str, str]
"""Product, frequency, area, use, kind of let."""
Sourced = tuple[uuid.UUID, Figure]
"""A figure and the run that it is from."""


@dataclass(frozen=True, slots=True)
class Carried(Figure):
    """A number of which nothing is the area's own: it moves as the area with the id `along` does, nearest around it of those shown."""

    along: int


@dataclass(frozen=True)
class Difference:
    """A number of which two releases say different things: what was first said and what is said now; None where one of them is silent."""

    product: str
    frequency: str
    area_id: int
    use: str
    lets: str
    period: dt.date
    before: Figure | None
    after: Figure | None


def quarter_text(day: dt.date) -> str:
    """The quarter that holds a day: 2011Q4."""
    return f"{day.year}Q{(day.month + 2) // 3}"


def quarter_start(quarter: str) -> dt.date:
    """First day of a quarter, 2011Q4. Raises InvalidError."""
    if len(quarter) != 6 or quarter[4] != "Q" or not quarter[:4].isdigit() or quarter[5] not in "1234" or quarter[0] not in "12":
        raise InvalidError(f"{quarter} is no quarter: expected something like 2011Q4", field="quarter")
    return dt.date(int(quarter[:4]), 3 * int(quarter[5]) - 2, 1)


def add_release(
    session: Session, quarter: str, runs: Sequence[uuid.UUID], figures: Sequence[Sourced], note: str, *, published_before: int
) -> RowMapping:
    """Keep a new edition of a quarter with its runs and figures, in state computed; the actor is of class loader.

    `published_before`: how many releases had been published when it was begun. It is published while there are no more.
    """
    edition = session.execute(
        select(func.coalesce(func.max(RentRelease.edition), 0) + 1).where(RentRelease.quarter == quarter)
    ).scalar_one()
    release = session.execute(
        insert(RentRelease)
        .values(quarter=quarter, edition=edition, note=note or None, published_before=published_before)
        .returning(RentRelease.id)
    ).scalar_one()
    if runs:
        session.execute(insert(RentReleaseRun), [{"release_id": release, "run_id": run} for run in runs])
    if figures:
        names = [one.name for one in fields(Figure)]
        rows = [{"release_id": release, "run_id": run} | {name: getattr(figure, name) for name in names} for run, figure in figures]
        add_rows(session, RentFigure, rows)
    return find_release(session, release)


def find_release(session: Session, release_id: uuid.UUID) -> RowMapping:
    """A release that the actor may see. Raises NotFoundError."""
    row = session.execute(_releases(session).where(RentRelease.id == release_id)).mappings().one_or_none()
    if row is None:
        raise NotFoundError("there is no such release", field="release")
    return row


def list_releases(session: Session) -> Sequence[RowMapping]:
    """The releases that the actor may see, the newest first."""
    return session.execute(_releases(session).order_by(RentRelease.quarter.desc(), RentRelease.edition.desc())).mappings().all()


def count_published(session: Session) -> int:
    """How many releases were ever published."""
    return session.execute(
        select(func.count()).select_from(RentRelease).where(RentRelease.state.in_(("published", "superseded")))
    ).scalar_one()


def newest_release(session: Session, quarter: str | None = None) -> RowMapping:
    """The newest published release, or a quarter's. Raises NotFoundError when there is none."""
    query = _releases(session).where(RentRelease.state == "published")
    if quarter is not None:
        query = query.where(RentRelease.quarter == quarter)
    row = session.execute(query.order_by(RentRelease.quarter.desc()).limit(1)).mappings().one_or_none()
    if row is None:
        raise NotFoundError("nothing was published yet" if quarter is None else f"nothing was published for {quarter}", field="quarter")
    return row


def take_step(session: Session, release_id: uuid.UUID, state: Step, read: Versions = None, *, note: str | None = None) -> RowMapping:
    """Take a release one step further; who did it, and when, PostgreSQL writes down.

    Raises NotFoundError, StaleError when it moved on since it was read, ConflictError for a step that does not follow, ForbiddenError when
    the reviewer tries to approve: that takes a second person.
    """
    row = session.execute(
        select(RentRelease.version, RentRelease.state).where(RentRelease.id == release_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError("there is no such release", field="release")
    if read is not None and row.version not in read:
        raise StaleError("the release has moved on since it was read: read it again", version=row.version)
    if row.state == state:
        raise ConflictError(f"the release is {state} already", slug="state-step")
    values: dict[str, Any] = {"state": state} | ({} if note is None else {"note": note})
    session.execute(update(RentRelease).where(RentRelease.id == release_id).values(**values).execution_options(synchronize_session=False))
    return find_release(session, release_id)


def runs_of(session: Session, release_id: uuid.UUID) -> Sequence[RowMapping]:
    """What a release was computed by: runs with method, parameters, data cut and digest; of an edition that it corrects those whose numbers
    stand.
    """
    told = (
        RentRun.id, RentRun.product, RentRun.frequency, RentRun.method, RentRun.parameters, RentRun.software, RentRun.data_cut, RentRun.use,
        RentRun.begins, RentRun.ends, RentRun.digest,
    )  # fmt: skip
    joined = select(*told).join(RentReleaseRun, RentReleaseRun.run_id == RentRun.id).where(RentReleaseRun.release_id == release_id)
    return session.execute(joined.order_by(RentRun.product, RentRun.use, RentRun.frequency, RentRun.data_cut)).mappings().all()


def figures_of(session: Session, release_id: uuid.UUID) -> list[Sourced]:
    """All figures of a release with the run that each is from."""
    columns = [RentFigure.__table__.c[one.name] for one in fields(Figure)]
    rows = session.execute(select(RentFigure.run_id, *columns).where(RentFigure.release_id == release_id).order_by(RentFigure.id))
    return [(run, Figure(*told)) for run, *told in rows]


def continued(published: Sequence[Sourced], fresh: Sequence[Sourced], computed: Mapping[tuple[Key, dt.date], float]) -> list[Sourced]:
    """What a release says: the index published before as it is, and new numbers for the other periods, laid on the published series.

    A new index number is multiplied by the geometric mean of published ÷ computed over the overlap, the last 23 months or 7 quarters that
    both have, those that are the area's own if there are any; where they share none it stands as it is. What was held back is new. A number
    that is carried moves on from what was last told as its surroundings do.
    """
    before = [(run, one) for run, one in published if one.product == "index" and one.flag != HELD_BACK]
    standing = {(_key(one), one.period) for _, one in before}
    ratios: dict[Key, list[tuple[bool, dt.date, float]]] = {}
    for _, one in before:
        ours = computed.get((_key(one), one.period), np.nan)
        if one.value is not None and np.isfinite(ours):
            ratios.setdefault(_key(one), []).append((one.basis == "direct", one.period, float(one.value) / ours))
    factors: dict[Key, float] = {}
    for key, pairs in ratios.items():
        own = [pair for pair in pairs if pair[0]] or pairs
        factors[key] = _mean([ratio for *_, ratio in sorted(own)[-OVERLAP[key[1]] :]])
    later = [(run, _scaled(one, factors.get(_key(one), 1.0))) for run, one in fresh if (_key(one), one.period) not in standing]
    return _carried([*before, *later])


def _carried(sourced: Sequence[Sourced]) -> list[Sourced]:
    """The figures, those that are carried laid on what was last told of their area."""
    told: dict[Key, dict[dt.date, Decimal]] = {}
    made = list(sourced)
    for at in sorted(range(len(made)), key=lambda at: (made[at][1].period, isinstance(made[at][1], Carried))):
        run, one = made[at]
        known = told.setdefault(_key(one), {})
        if isinstance(one, Carried) and known:
            last = max(known)
            around = told.get((one.product, one.frequency, one.along, one.use, one.lets), {})
            if last in around and one.period in around:
                one = replace(one, value=Decimal(f"{float(known[last] * around[one.period] / around[last]):.2f}"))
                made[at] = run, one
        if one.value is not None:
            known[one.period] = one.value
    return made


def compare(session: Session, earlier: uuid.UUID, later: uuid.UUID) -> list[Difference]:
    """The revision report: every figure that two releases have and that differs in any part, or that one of them has alone."""
    first, second = ({(_key(one), one.period): one for _, one in figures_of(session, release)} for release in (earlier, later))
    for release in (earlier, later):
        find_release(session, release)
    return [
        Difference(*key, period, first.get((key, period)), second.get((key, period)))
        for key, period in sorted(first.keys() | second.keys())
        if first.get((key, period)) != second.get((key, period))
    ]


def _releases(session: Session) -> Any:
    """Columns that every class may read, and for the office its notes and when which step was taken."""
    told = [RentRelease.id, RentRelease.version, RentRelease.quarter, RentRelease.edition, RentRelease.state]
    office = session.execute(text("SELECT has_column_privilege('reg.rent_release', 'reviewed_by', 'SELECT')")).scalar_one()
    steps = (RentRelease.note, RentRelease.published_before, RentRelease.computed_at, RentRelease.reviewed_at, RentRelease.approved_at)
    return select(*told, RentRelease.published_at, *(steps if office else ()))


def _key(figure: Figure) -> Key:
    return figure.product, figure.frequency, figure.area_id, figure.use, figure.lets


def _scaled(figure: Figure, factor: float) -> Figure:
    if figure.product == "guide":
        return figure
    numbers = {name: getattr(figure, name) for name in ("value", "low", "high")}
    return replace(figure, **{name: None if one is None else Decimal(f"{float(one) * factor:.2f}") for name, one in numbers.items()})


def _mean(ratios: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(ratios))))
