"""A reader attacks the figures of random districts as they are put together for publication: nothing of a hidden number is in them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pytest

from gridmgmt.rents.district import Local, tree_index
from gridmgmt.rents.extracts import Extract
from gridmgmt.rents.figures import Indexed, discreet, guide_figures, index_figures
from gridmgmt.rents.guides import Dwellings
from gridmgmt.rents.judging import OWN, Judged, judged
from gridmgmt.rents.methods.disclosure import Rules, Showing
from gridmgmt.rents.methods.series import BoolArray, FloatArray
from gridmgmt.rents.observations import ATTRIBUTES
from gridmgmt.rents.releases import Carried, Figure
from gridmgmt.rents.samples import Floorspace, Frequency, Lets, Sample, Span
from gridmgmt.rents.tree import Area, Tree

FIRST = 2023 * 12
RULES = Rules()
FREQUENCIES: tuple[Frequency, ...] = ("month", "quarter")
LETS: tuple[Lets, ...] = ("all", "new")


def tree_of(sizes: Sequence[int]) -> Tree:
    """A district of subdistricts with so many communities each."""
    areas = [Area(1, "440399", "区", "district", -1)]
    areas += [Area(2 + at, f"44039900{at}", "街道", "subdistrict", 0) for at in range(len(sizes))]
    for at, size in enumerate(sizes):
        areas += [Area(100 * (at + 1) + one, f"44039900{at}{one:03}", "社区", "community", 1 + at) for one in range(size)]
    return Tree(tuple(areas))


def extract_of(rows: Sequence[tuple[int, int, int, int, float]]) -> Extract:
    """Leases: community, month, landlord, whether new, and yuan per m² and month."""
    community, month, landlord, new, rent = (np.array(column) for column in zip(*rows, strict=True))
    none, own = np.zeros(len(rows), np.int64), np.arange(len(rows))
    logs, x = np.rint(np.log(rent) * 1e6).astype(np.int64), np.zeros((len(rows), len(ATTRIBUTES)), np.int64)
    return Extract(month, community, community // 100, none, new, landlord, own, own, logs, x)


@dataclass(frozen=True)
class Composed:
    """A random district's index: as it was computed, judged, and as it is published."""

    tree: Tree
    sample: Sample
    stock: Floorspace
    indexed: list[Indexed]
    judgements: Judged

    def discreet(self) -> list[Indexed]:
        """The series as they may be published."""
        return [discreet(self.tree, one, self.stock, self.judgements, rules=RULES) for one in self.indexed]

    def figures(self) -> list[Figure]:
        """The figures."""
        return index_figures(self.sample, self.tree, self.discreet(), self.judgements, rules=RULES)


def composed(seed: int) -> Composed:
    """Half a year of a district whose communities have from no lease to many, of few landlords or many, at rents that move apart."""
    random = np.random.default_rng(seed)
    tree = tree_of([int(random.integers(1, 4)) for _ in range(int(random.integers(2, 5)))])
    rows: list[tuple[int, int, int, int, float]] = []
    for place in tree.at("community"):
        id_, each, landlords = tree.areas[place].id, random.lognormal(np.log(6), 1.0), int(random.integers(1, 12))
        drift = random.normal(0, 0.03)
        for month in range(6):
            for _ in range(random.poisson(each)):
                landlord = id_ * 100 + int(random.integers(0, landlords) * random.random())
                rows.append((id_, FIRST + month, landlord, int(random.random() < 0.6), 40 * np.exp(drift * month + random.normal(0, 0.1))))
    ids = np.array([tree.areas[place].id for place in tree.at("community")])
    rows += [(int(ids[0]), FIRST, 1, 1, 40.0)]
    return together(tree, rows, Floorspace(ids, np.zeros(len(ids), np.int64), random.uniform(1_000, 9_000, len(ids))))


def together(tree: Tree, rows: Sequence[tuple[int, int, int, int, float]], stock: Floorspace) -> Composed:
    """What is composed of leases and stock."""
    sample = Sample("residential", extract_of(rows), np.ones(len(rows), np.bool_))
    spans = [Span(FIRST, 6 if frequency == "month" else 2, frequency) for frequency in FREQUENCIES]
    indexed = [Indexed(span, lets, tree_index(sample, tree, stock, span, lets)) for span in spans for lets in LETS]
    return Composed(tree, sample, stock, indexed, judged(sample, tree, spans[1], since=0, rules=RULES))


def late_district(seed: int) -> Composed:
    """Half a year of a district in whose first subdistrict one landlord lets from the first month on, while the others begin later."""
    random = np.random.default_rng(seed)
    tree = tree_of([int(random.integers(1, 3)) for _ in range(int(random.integers(2, 5)))])
    rows: list[tuple[int, int, int, int, float]] = []
    for place in tree.at("community"):
        id_, each, landlords = tree.areas[place].id, random.lognormal(np.log(8), 1.0), int(random.integers(2, 12))
        first, landlords = (0, 1) if id_ < 200 else (int(random.integers(0, 5)), landlords)
        for month in range(first, 6):
            for _ in range(random.poisson(each)):
                rent = 40 * np.exp(0.03 * month + random.normal(0, 0.1))
                rows.append((id_, FIRST + month, id_ * 100 + int(random.integers(0, landlords)), 1, rent))
    rows.append((100, FIRST, 1, 1, 40.0))
    ids = np.array([tree.areas[place].id for place in tree.at("community")])
    stock = Floorspace(ids, np.zeros(len(ids), np.int64), random.uniform(0, 9_000, len(ids)) * (random.random(len(ids)) < 0.8))
    return together(tree, rows, stock)


def test_district_does_not_tell_the_only_one_that_moves_it() -> None:
    """Where all others begin, or have no stock, the district's number is the one's: it is told with it or not at all."""
    hidden = 0
    for one in (late_district(seed) for seed in range(120)):
        for before, after in zip(one.indexed, one.discreet(), strict=True):
            own, district = own_of(after), before.locals[0].series.values
            for place in one.tree.at("subdistrict"):
                values = before.locals[place].series.values
                same = np.isfinite(values) & (np.abs(values / district - 1) < 1e-9) & (values != 100)
                hidden += int((same & ~own[place]).sum())
                assert not (same & ~own[place] & own[0]).any()
    assert hidden > 50


@pytest.fixture(scope="module")
def districts() -> list[Composed]:
    return [composed(seed) for seed in range(240)]


def test_figures_are_made_of_the_numbers_that_are_told(districts: list[Composed]) -> None:
    """Whatever the hidden numbers of district and subdistricts are, the figures are the same."""
    hidden = model = 0
    for one in districts:
        said = one.figures()
        poisoned: list[Indexed] = []
        for indexed, published in zip(one.indexed, one.discreet(), strict=True):
            own, locals_ = own_of(published), list[Local]()
            for place, local in enumerate(indexed.locals):
                values, errors = local.series.values.copy(), local.series.errors.copy()
                if one.tree.areas[place].level != "community" and np.isfinite(values).any():
                    veiled = ~own[place]
                    veiled[int(np.argmax(np.isfinite(values)))] = False  # the base is 100 for everybody
                    values[veiled] *= 1.37
                    errors[veiled] += 1.0
                    hidden += int((veiled & np.isfinite(values)).sum())
                series = replace(local.series, values=values, errors=errors)
                locals_.append(replace(local, series=series))
            poisoned.append(replace(indexed, locals=locals_))
        assert replace(one, indexed=poisoned).figures() == said
        model += sum(figure.basis == "model" for figure in said)
    assert min(hidden, model) > 3 * len(districts)


def test_communities_give_no_hidden_number_of_their_subdistrict_away(districts: list[Composed]) -> None:
    """Neither one of them nor their mean weighted by the stock, to whom scaled communities would return."""
    asked = 0
    for one in districts:
        for before, after in zip(one.indexed, one.discreet(), strict=True):
            if before.span.frequency != "quarter":
                continue
            own = own_of(after)
            for place in one.tree.at("subdistrict"):
                children = one.tree.children(place)
                weights = np.array([one.stock.of(one.tree.communities(child)) for child in children])
                levels = np.array([after.locals[child].series.values for child in children])
                for period in np.flatnonzero(~own[place] & np.isfinite(levels).all(axis=0)).tolist():
                    number = before.locals[place].series.values[period]
                    if number == 100:
                        continue
                    asked += 1
                    told: FloatArray = np.append(levels[:, period], np.average(levels[:, period], weights=weights))
                    around = before.locals[0].series.values[period]
                    told = np.append(told, around) if own[0, period] else told
                    assert (np.abs(told / number - 1) > 1e-9).all()
    assert asked > len(districts) / 4


def test_leases_that_may_not_speak_are_not_in_their_community(districts: list[Composed]) -> None:
    """With other rents in them its figures are the same: it moves as what is told around it."""
    silenced = 0
    for one in districts[:80]:
        said, changed = one.figures(), list[Indexed]()
        for indexed in one.indexed:
            locals_ = list(indexed.locals)
            for place in one.tree.at("subdistrict") if indexed.span.frequency == "quarter" else ():
                leases = locals_[place].part.leases
                showings = [one.judgements.showings[FIRST + 3 * period] for period in range(2)]
                quiet = np.array([
                    showings[period][place_of(one.tree, community), indexed.lets, "quarter", FIRST + 3 * period] is Showing.PARENT
                    for period, community in zip(leases.period.tolist(), leases.community.tolist(), strict=True)
                ], np.bool_)  # fmt: skip
                silenced += int(quiet.sum())
                part = replace(locals_[place].part, leases=replace(leases, y=leases.y + 0.5 * quiet))
                locals_[place] = replace(locals_[place], part=part)
            changed.append(replace(indexed, locals=locals_))
        assert replace(one, indexed=changed).figures() == said
    assert silenced > 80


def test_rules_are_those_that_are_given(districts: list[Composed]) -> None:
    carried = 0
    for one in districts[:20]:
        said = one.figures()
        alone = index_figures(one.sample, one.tree, one.discreet(), one.judgements, rules=replace(RULES, roll_up=False))
        for before, after in zip(said, alone, strict=True):
            if isinstance(before, Carried) and before.flag is None:
                carried += 1
                assert (after.value, after.basis, after.reason) == (None, "none", "suppressed")
            elif before.flag is None:
                assert after == before
    assert carried > 20
    span = districts[0].indexed[-1].span
    strict = judged(districts[0].sample, districts[0].tree, span, since=0, rules=replace(RULES, few=10_000, thin=10_000))
    assert not {showing for showings in strict.showings.values() for showing in showings.values()} & OWN


def own_of(indexed: Indexed) -> BoolArray:
    """Whose own number is told, (areas, periods)."""
    return np.array([shown.along == place for place, shown in enumerate(indexed.shown)])


def place_of(tree: Tree, community: int) -> int:
    """Where a community is in the tree."""
    return next(place for place, area in enumerate(tree.areas) if area.id == community)


def test_guidance_rents_of_the_hidden_are_the_districts_for_their_own_stock() -> None:
    # a year of 80 leases at 40 yuan, 60 at 20, and 20 at 80, these of one landlord: their subdistrict is hidden, and another one that it
    # would follow from. The district's level is what it says of itself: its five units of stock at 40, 80, 80, 40 and 20 yuan, 260 / 5 = 52
    tree = tree_of([1, 2, 1, 1])
    rows = [(100, FIRST + at % 12, 1_000 + at, 1, 40.0) for at in range(20)]
    rows += [(200 + at % 2, FIRST + at // 2 % 12, 7, 1, 80.0) for at in range(20)]
    rows += [(300, FIRST + at % 12, 2_000 + at, 1, 40.0) for at in range(60)]
    rows += [(400, FIRST + at % 12, 3_000 + at, 1, 20.0) for at in range(60)]
    sample = Sample("residential", extract_of(rows), np.ones(len(rows), np.bool_))
    ids = np.array([100, 200, 201, 300, 400])
    dwellings = Dwellings(ids, np.zeros(5, np.int64), np.zeros((5, len(ATTRIBUTES))))
    figures, _ = guide_figures(sample, tree, dwellings, dt.date(2024, 1, 1), rules=RULES)
    said = {one.area_id: (one.basis, one.value) for one in figures}
    district, west, middle, east, *_ = figures
    assert [one.basis for one in (district, west, middle, east)] == ["direct", "model", "model", "direct"]
    assert {id_ for id_, (basis, _) in said.items() if basis == "model"} == {2, 3, 100, 200, 201}
    assert {said[id_][1] for id_ in (2, 3, 100, 200, 201)} == {district.value} == {Decimal("52.00")}
    assert said[4] == said[300] == ("direct", Decimal("40.00"))
    assert said[5] == said[400] == ("direct", Decimal("20.00"))
    widths = [float(one.low or 0) / float(one.value or 1) for one in (district, west, middle)]
    assert max(widths) - min(widths) < 0.001  # with the district's band
