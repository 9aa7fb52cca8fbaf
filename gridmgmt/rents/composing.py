"""A release from the register: every use of a district computed, judged and put together, as one transaction of the quarterly job."""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field, replace
from typing import Final

import numpy as np
from sqlalchemy import RowMapping, select, text
from sqlalchemy.orm import Session

from gridmgmt.errors import ConflictError, InvalidError, NotFoundError
from gridmgmt.models import RentRun
from gridmgmt.rents.catalogue import DEFAULT, METHODS
from gridmgmt.rents.computing import SET_ASIDE, communities_of, settle
from gridmgmt.rents.district import Local, series_of_part, tree_index
from gridmgmt.rents.earlier import Told, told_earlier
from gridmgmt.rents.figures import Indexed, discreet, guide_figures, index_figures
from gridmgmt.rents.guides import WINDOW, guide, load_dwellings
from gridmgmt.rents.judging import Judged, judged
from gridmgmt.rents.material import Material
from gridmgmt.rents.methods.disclosure import Rules
from gridmgmt.rents.methods.guidance import Band
from gridmgmt.rents.observations import observe
from gridmgmt.rents.premises import Premises
from gridmgmt.rents.releases import (
    HELD_BACK,
    Figure,
    Key,
    Sourced,
    add_release,
    continued,
    count_published,
    figures_of,
    list_releases,
    quarter_start,
)
from gridmgmt.rents.runs import Outcome, Plan, Product, Value, guide_values, rounded, store, take_cut, values_of
from gridmgmt.rents.samples import Floorspace, Frequency, Lets, Sample, Span, load_floorspace
from gridmgmt.rents.statistics import USES
from gridmgmt.rents.tree import Tree, load_tree

LONGEST_YEARS: Final = 15
"""Years of history that a release goes back at most."""
ALARM: Final = 0.02
"""Twelve months' difference between the headline and repeat rents that an expert should look at."""
REVIEW: Final = "review"
"""The flag of such numbers."""
GUIDE: Final = "stock_prediction"
"""The name of the method of guidance rents."""
LETS: Final[tuple[Lets, ...]] = ("all", "new")
FREQUENCIES: Final[tuple[Frequency, ...]] = ("month", "quarter")

Tell = Callable[[str, int, int], None]


def compose(
    session: Session,
    quarter: str,
    *,
    rules: Rules | None = None,
    band: Band | None = None,
    tell: Tell = lambda _what, _done, _of: None,
) -> RowMapping:
    """Compute all products of the district up to the end of a quarter, and keep them as a release to be reviewed; class loader.

    `rules`: of disclosure control; `band`: of guidance rents, unless an edition of the quarter is published: a correction has that one's.

    Raises InvalidError for what is no quarter or has not ended, NotFoundError when there is no district or no observation, ConflictError
    when a later quarter was published already.
    """
    rules = rules or Rules()
    start = quarter_start(quarter)
    end = _after(start)
    today: dt.date = session.execute(text("SELECT reg.today()")).scalar_one()
    if end > today:
        raise InvalidError(f"{quarter} has not ended yet", field="quarter")
    published_before = count_published(session)
    if any(one["state"] == "published" and one["quarter"] > quarter for one in list_releases(session)):
        raise ConflictError("a later quarter was published already, and what was published is never changed", field="quarter")
    observe(session)
    cut = take_cut(session)
    tree = load_tree(session, _district(session), cut)
    since, before = _published(session, quarter, start)
    standing = {(one.frequency, _month(one.period)) for _, one in before if one.product == "index" and one.flag != HELD_BACK}
    edition, kept = _edition(session, quarter), list[Sourced]()
    cuts = _cuts(session, edition)
    band = _band(session, edition) or band or Band()
    first = _first(session, before, end)
    runs: list[uuid.UUID] = []
    fresh: list[Sourced] = []
    notes: list[str] = []
    computed: dict[tuple[Key, dt.date], float] = {}
    uses = _uses(session)
    for done, use in enumerate(uses):
        tell(use, done, len(uses))
        study = Study(tree, Sample.draw(session, use), load_floorspace(session, use, cut), first, end, rules, band)
        settle(session, study.sample)
        indexed: dict[Frequency, list[Indexed]] = {
            frequency: [study.indexed(frequency, lets) for lets in LETS] for frequency in FREQUENCIES
        }
        by_frequency: dict[str, uuid.UUID] = {}
        for frequency, series in indexed.items():
            outcome = Outcome([value for one in series for value in _values(one, tree, use)], _aside(session, tree.areas[0].id, use, cut))
            by_frequency[frequency] = store(
                session, study.plan("index", frequency), outcome, cut, Premises(tree=tree, floorspace=study.stock)
            )
        earlier = told_earlier(session, use, min(since, end.replace(year=end.year - 2)))
        judgements = judged(
            study.sample, tree, indexed["quarter"][0].span, since=_month(since), earlier=earlier, standing=standing, rules=rules
        )
        kept += _unchanged(cuts, [one for one in edition if (one[1].frequency, _month(one[1].period)) not in standing], use, judgements)
        if judgements.open:
            said = f"{len(judgements.open)} hidden index numbers are known to within a tenth from earlier releases"
            notes.append(f"Review {tree.areas[0].code} {use}: {said}.")
        told = {_name(one) for _, one in before if (one.product, one.use, one.basis) == ("index", use, "direct")}
        every = [discreet(tree, one, study.stock, judgements, told, rules=rules) for series in indexed.values() for one in series]
        alarms = study.alarms(indexed["month"][0])
        numbers = _marked(index_figures(study.sample, tree, every, judgements, rules=rules), alarms.keys(), end)
        fresh += [(by_frequency[one.frequency], one) for one in numbers]
        computed |= _levels(every, tree, use)
        dwellings = load_dwellings(session, use, end, cut)
        values = guide_values(guide(study.sample, tree, dwellings, end, band=study.band), tree, start, use)
        outcome = Outcome(values, _aside(session, tree.areas[0].id, use, cut))
        guided = store(session, study.plan("guide", "quarter"), outcome, cut, Premises(tree=tree, dwellings=dwellings))
        said, changed = guide_figures(study.sample, tree, dwellings, end, earlier, rules=rules, band=study.band)
        stands = _guides_unchanged(cuts, edition, use, changed)
        fresh += [stands.get(one.area_id, (guided, one)) for one in said]
        runs += [*by_frequency.values(), guided]
        notes += alarms.values()
    figures = continued([*before, *kept], fresh, computed)
    runs += sorted({run for run, _ in figures} - {run for run, _ in before} - set(runs))  # of the edition before, whose numbers stand
    return add_release(session, quarter, runs, figures, "\n".join(notes), published_before=published_before)


@dataclass(frozen=True)
class Study:
    """What one use of a district is computed from, up to the day `end`, its series beginning on `first`."""

    tree: Tree
    sample: Sample
    stock: Floorspace
    first: dt.date
    end: dt.date
    rules: Rules = field(default_factory=Rules)
    band: Band = field(default_factory=Band)

    def plan(self, product: Product, frequency: Frequency) -> Plan:
        """What a run over all areas computes."""
        index = product == "index"
        guided = {"window_months": WINDOW, **asdict(self.band)}
        parameters = {**(METHODS[DEFAULT].parameters if index else guided), "areas": "tree", "disclosure": asdict(self.rules)}
        begins = self.first if index else _before(self.end)
        return Plan(product, frequency, DEFAULT if index else GUIDE, parameters, self.tree.areas[0].id, self.sample.use, begins, self.end)

    def indexed(self, frequency: Frequency, lets: Lets) -> Indexed:
        """The index of all areas."""
        span = Span.between(self.first, self.end - dt.timedelta(days=1), frequency)
        return Indexed(span, lets, tree_index(self.sample, self.tree, self.stock, span, lets))

    def alarms(self, monthly: Indexed) -> dict[int, str]:
        """Ids of areas whose headline moved otherwise than the rents of the same units did, over the last twelve months; and how."""
        found: dict[int, str] = {}
        for area, local in zip(self.tree.areas, monthly.locals, strict=False):  # no communities by the month
            if local.series.periods <= 12:
                continue
            beside = series_of_part(Material(local.part, monthly.span, self.stock), "repeat", {})
            moved = [np.log(one.values[-1] / one.values[-13]) for one in (local.series, beside)]
            if abs(moved[0] - moved[1]) > ALARM:
                ours, theirs = (100 * (np.exp(one) - 1) for one in moved)
                told = f"the index moved {ours:+.1f} % over 12 months, repeat rents {theirs:+.1f} %"
                found[area.id] = f"Review {area.code} {self.sample.use}: {told}."
        return found


def tree_values(plan: Plan, sample: Sample, premises: Premises) -> list[Value]:
    """The values of a run over all areas."""
    tree = premises.tree
    if plan.product == "guide":
        band = Band(plan.parameters["low"], plan.parameters["high"])
        return guide_values(guide(sample, tree, premises.dwellings, plan.ends, band=band), tree, plan.begins, plan.use)
    study = Study(tree, sample, premises.floorspace, plan.begins, plan.ends)
    frequency: Frequency = "month" if plan.frequency == "month" else "quarter"
    return [value for lets in LETS for value in _values(study.indexed(frequency, lets), tree, plan.use)]


def _marked(figures: Sequence[Figure], gainsaid: AbstractSet[int], end: dt.date) -> list[Figure]:
    """The figures, the newest own numbers of these areas marked for review: of the month and of the quarter before `end`."""
    newest = {("month", (end - dt.timedelta(days=1)).replace(day=1)), ("quarter", _before(end))}
    return [
        replace(one, flag=REVIEW)
        if one.area_id in gainsaid and one.lets == "all" and one.basis == "direct" and (one.frequency, one.period) in newest
        else one
        for one in figures
    ]


def _values(indexed: Indexed, tree: Tree, use: str) -> list[Value]:
    made: list[Value] = []
    for place, local in enumerate(indexed.locals):
        values = values_of(local.series, local.part, indexed.span, area_id=tree.areas[place].id, use=use, lets=indexed.lets)
        made += values if tree.areas[place].level != "community" else _borrowed(values, local)
    return made


def _borrowed(values: list[Value], local: Local) -> list[Value]:
    """Values of a community with how much of them is its own."""
    return [
        replace(one, shrinkage=rounded(local.factors[t], "shrinkage"), pooled="own" if local.factors[t] >= 0.5 else "subdistrict")
        for t, one in enumerate(values)
    ]


def _published(session: Session, quarter: str, start: dt.date) -> tuple[dt.date, list[Sourced]]:
    """From which day on figures are new, and what the newest release of an earlier quarter said."""
    earlier = [one for one in list_releases(session) if one["state"] == "published" and one["quarter"] < quarter]
    if not earlier:
        return dt.date.min, []
    figures = figures_of(session, earlier[0]["id"])
    waiting = [one.period for _, one in figures if (one.product, one.frequency, one.flag) == ("index", "quarter", HELD_BACK)]
    return min([_after(quarter_start(earlier[0]["quarter"])), *waiting]), figures


def _edition(session: Session, quarter: str) -> list[Sourced]:
    """What the published edition of a quarter says."""
    found = next((one for one in list_releases(session) if one["quarter"] == quarter and one["state"] == "published"), None)
    return [] if found is None else figures_of(session, found["id"])


def _unchanged(cuts: Mapping[uuid.UUID, dt.datetime], edition: list[Sourced], use: str, judgements: Judged) -> list[Sourced]:
    """Index numbers of an edition whose leases are what they were: a correction changes no others, or their shift would tell of it."""
    kept: list[Sourced] = []
    for run, one in edition:
        if (one.product, one.use) == ("index", use) and one.flag != HELD_BACK:
            month = _month(one.period)
            changed = judgements.changed.get((month - month % 3, cuts[run]))
            if changed is not None and _name(one) not in changed:
                kept.append((run, one))
    return kept


def _guides_unchanged(
    cuts: Mapping[uuid.UUID, dt.datetime], edition: list[Sourced], use: str, changed: Mapping[dt.datetime, set[int]]
) -> dict[int, Sourced]:
    """Guidance rents of an edition by area, where the leases are what they were: a correction elsewhere would move all of them a little."""
    return {
        one.area_id: (run, one)
        for run, one in edition
        if (one.product, one.use) == ("guide", use) and one.area_id not in changed.get(cuts[run], {one.area_id})
    }


def _band(session: Session, edition: list[Sourced]) -> Band | None:
    """The band of an edition's guidance rents, some of which a correction takes over; None without any."""
    guided = {run for run, one in edition if one.product == "guide"}
    told = session.execute(select(RentRun.parameters).where(RentRun.id.in_(guided)).limit(1)).scalar_one_or_none()
    return None if told is None else Band(told["low"], told["high"])


def _cuts(session: Session, edition: list[Sourced]) -> dict[uuid.UUID, dt.datetime]:
    """The data cuts of the runs that figures are from."""
    rows = session.execute(select(RentRun.id, RentRun.data_cut).where(RentRun.id.in_({run for run, _ in edition})))
    return {one.id: one.data_cut for one in rows}


def _name(figure: Figure) -> Told:
    return figure.area_id, figure.lets, figure.frequency, _month(figure.period)


def _levels(indexed: list[Indexed], tree: Tree, use: str) -> dict[tuple[Key, dt.date], float]:
    """What was computed for each area and period and may be told: published series are continued by nothing else."""
    return {
        (("index", one.span.frequency, area.id, use, one.lets), day): float(value)
        for one in indexed
        for area, local, shown in zip(tree.areas, one.locals, one.shown, strict=False)
        for day, value in zip(one.span.days, local.series.values if area.level == "community" else shown.values, strict=False)
    }


def _first(session: Session, before: list[Sourced], end: dt.date) -> dt.date:
    """First day of the series: that of what was published, else the first quarter with an observation."""
    if before:
        return min(one.period for _, one in before if one.product == "index")
    oldest = session.execute(
        text(
            "SELECT min(month) FROM reg.rent_observation WHERE reason IS NULL AND deleted_at IS NULL AND month < :end AND month >= :oldest"
        ),
        {"end": end, "oldest": end.replace(year=end.year - LONGEST_YEARS)},
    ).scalar_one()
    if oldest is None:
        raise NotFoundError("there is no rent observation to compute from", field="quarter")
    return oldest.replace(month=(oldest.month - 1) // 3 * 3 + 1)


def _uses(session: Session) -> list[str]:
    found = (
        session.execute(text("SELECT DISTINCT use FROM reg.rent_observation WHERE reason IS NULL AND deleted_at IS NULL")).scalars().all()
    )
    return [use for use in USES if use in found]


def _district(session: Session) -> int:
    found = session.execute(
        text("""SELECT id FROM reg.area WHERE level = 'district' AND deleted_at IS NULL
                 AND valid_from <= reg.today() AND (valid_to IS NULL OR valid_to > reg.today()) ORDER BY code LIMIT 1""")
    ).scalar_one_or_none()
    if found is None:
        raise NotFoundError("there is no district in force", field="area")
    return found


def _aside(session: Session, area: int, use: str, cut: dt.datetime) -> int:
    return session.execute(text(SET_ASIDE), {"use": use, "communities": communities_of(session, area, cut).tolist()}).scalar_one()


def _after(start: dt.date) -> dt.date:
    """First day after the quarter that begins with this one."""
    return dt.date(start.year + (start.month == 10), (start.month + 2) % 12 + 1, 1)


def _before(end: dt.date) -> dt.date:
    """First day of the quarter that ends before this day."""
    return dt.date(end.year - (end.month == 1), (end.month - 4) % 12 + 1, 1)


def _month(day: dt.date) -> int:
    return day.year * 12 + day.month - 1
