"""The sums kept by triggers are those of a rebuild and of a look at what was known then, to the last digit."""

import datetime as dt
import random
from collections import defaultdict
from decimal import Decimal

import numpy as np
import psycopg
import pytest
from sqlalchemy import text

from gridmgmt.errors import ConflictError
from gridmgmt.rents.methods.leases import Leases
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.observations import ATTRIBUTES, MICRO, observe
from gridmgmt.rents.pair_statistics import load_pair_sums, rebuild_pairs
from gridmgmt.rents.samples import Span
from gridmgmt.rents.statistics import USES, Cells, load_cells, rebuild
from tests.drawn import Drawn
from tests.gridmgmt.rents.observed import ask, change, let, look, operator, survey, tell

Sums = dict[tuple[int, ...], tuple[int, ...]]
UNITS = ("tower-101", "tower-102", "village-201", "shop-1", "school-1", "mill-301")
MIDDLE = {"residential": 3_700_000, "shop": 4_600_000, "plant": 3_000_000}


def added(cells: Cells) -> Sums:
    """Number and sums of each cell that is not empty."""
    found: dict[tuple[int, ...], list[int]] = defaultdict(lambda: [0] * (1 + cells.sums.shape[1]))
    keys = zip(*(column.tolist() for column in (cells.month, cells.community, cells.use, cells.class_, cells.new_let)), strict=True)
    for key, n, sums in zip(keys, cells.n.tolist(), cells.sums.tolist(), strict=True):
        found[key] = [one + other for one, other in zip(found[key], [n, *sums], strict=True)]
    return {key: tuple(sums) for key, sums in found.items() if sums[0]}


def read(drawn: Drawn, cut: dt.datetime | None = None) -> Sums:
    with drawn.database.transaction(operator(drawn)) as session:
        return added(load_cells(session, cut=cut))


def rebuilt(drawn: Drawn) -> Sums:
    with drawn.database.transaction(operator(drawn)) as session:
        for use in USES:
            rebuild(session, use)
        return added(load_cells(session))


def pairs(drawn: Drawn) -> list[tuple[object, ...]]:
    """The sums over pairs of rents, each pair of months once."""
    return ask(
        drawn,
        "SELECT community_id, use, earlier, later, sum(n)::int, sum(sum_u)::bigint, sum(sum_uu)::bigint FROM reg.rent_pair_statistic"
        " GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0 OR sum(sum_u) <> 0 OR sum(sum_uu) <> 0 ORDER BY 1, 2, 3, 4",
    )


def pairs_rebuilt(drawn: Drawn) -> list[tuple[object, ...]]:
    with drawn.database.transaction(operator(drawn)) as session:
        for use in USES:
            rebuild_pairs(session, use)
    return pairs(drawn)


def limits(drawn: Drawn) -> None:
    """One group has limits of its own, and each use some for the groups that have none."""
    with drawn.database.transaction(operator(drawn)) as session:
        for use, centre in MIDDLE.items():
            values = {"use": use, "centre": centre}
            session.execute(text("INSERT INTO reg.rent_limit VALUES (0, :use, '', 0, 50, :centre, 300000, 'all')"), values)
        own = {"west": drawn.places.areas["440399001"]}
        session.execute(
            text("INSERT INTO reg.rent_limit VALUES (:west, 'residential', 'commodity', 2024, 20, 3600000, 50000, 'class')"), own
        )


def happening(drawn: Drawn, chance: random.Random, number: int) -> None:
    """Something that changes observations: new ones, corrected ones, their units and buildings, their leases."""
    match chance.randrange(7):
        case 0 | 1 | 2:
            survey(
                drawn,
                f"S-{chance.randrange(12) if number > 6 else number}",
                unit=chance.choice(UNITS),
                rent_fen=chance.choice((150_000, 180_000, 185_000, 190_000, 900_000, 5)),
                area=chance.choice((Decimal(50), Decimal("48.5"), Decimal("51.25"), None)),
                begins=dt.date(2024, chance.randrange(1, 4), 1),
                new_let=chance.random() < 0.5,
                sublet=chance.random() < 0.1,
            )
        case 3:
            change(drawn, "UPDATE reg.lease SET rent_fen = :rent WHERE state = 'signed'", rent=chance.randrange(50_000, 500_000))
        case 4:
            change(drawn, "UPDATE reg.building SET built_year = :year", year=chance.randrange(1980, 2010))
        case 5:
            use, unit = chance.choice(("residential", "plant")), drawn.places.units[chance.choice(UNITS)]
            change(drawn, "UPDATE reg.unit SET use = :use WHERE id = :unit", use=use, unit=unit)
        case _:
            change(drawn, "UPDATE reg.rent_observation SET deleted_at = now() WHERE reference = :one", one=f"S-{chance.randrange(12)}")
    look(drawn)


@pytest.mark.parametrize("seed", [1, 2])
def test_sums_follow_whatever_happens(drawn: Drawn, seed: int) -> None:
    chance = random.Random(seed)
    limits(drawn)
    look(drawn)
    then: list[tuple[dt.datetime, Sums]] = []
    for number in range(18):
        happening(drawn, chance, number)
        ((now,),) = ask(drawn, "SELECT clock_timestamp()")
        then.append((now, read(drawn)))
        assert read(drawn, now) == then[-1][1]
        if number % 6 == 5:
            assert rebuilt(drawn) == then[-1][1]
    assert len({str(sorted(sums.items())) for _, sums in then}) > 6
    for moment, sums in then:
        assert read(drawn, moment) == sums


def test_gross_error_is_left_out_and_comes_back_when_it_is_corrected(drawn: Drawn) -> None:
    limits(drawn)  # 36.60 yuan per m² and month, from exp(3.6 − 0.25) = 28.50 to exp(3.6 + 0.25) = 46.99
    survey(drawn, "S-1", rent_fen=185_000)
    assert sum(one[0] for one in read(drawn).values()) == 1
    survey(drawn, "S-1", rent_fen=1_850_000)
    assert read(drawn) == {}
    survey(drawn, "S-1", rent_fen=234_000)
    assert sum(one[0] for one in read(drawn).values()) == 1


def test_pairs_follow_whatever_happens(drawn: Drawn) -> None:
    chance, found = random.Random(4), 0
    limits(drawn)
    for number in range(24):
        survey(
            drawn,
            f"S-{chance.randrange(10)}",
            unit=chance.choice(("tower-101", "village-201")),
            rent_fen=chance.choice((170_000, 180_000, 190_000, 200_000, 900_000)),
            begins=dt.date(2024, chance.randrange(1, 7), 15),
            sublet=chance.random() < 0.1,
        )
        if number % 5 == 4:
            change(drawn, "UPDATE reg.rent_observation SET deleted_at = now() WHERE reference = :one", one=f"S-{chance.randrange(10)}")
        if number % 3 == 2:
            change(
                drawn, "UPDATE reg.unit SET use = :use WHERE id = :unit", use=chance.choice(USES[:2]), unit=drawn.places.units["tower-101"]
            )
            look(drawn)
        kept = pairs(drawn)
        found += len(kept)
        assert pairs_rebuilt(drawn) == kept
    assert found > 24


def test_many_observations_at_once_are_paired_as_few_are(drawn: Drawn) -> None:
    let(drawn, 220)  # in one statement, for which the trigger hashes
    kept = pairs(drawn)
    assert sum(int(str(row[4])) for row in kept) > 100
    assert pairs_rebuilt(drawn) == kept


def test_lease_between_two_others_takes_their_pair_apart(drawn: Drawn) -> None:
    """40 yuan in January, 50 in March, later 44 in February: ln 40 = 3.688879, ln 44 = 3.784190, ln 50 = 3.912023."""
    survey(drawn, "S-1", rent_fen=200_000, begins=dt.date(2024, 1, 1))
    survey(drawn, "S-3", rent_fen=250_000, begins=dt.date(2024, 3, 31))
    jan, feb, mar = (dt.date(2024, month, 1) for month in (1, 2, 3))
    assert [row[2:] for row in pairs(drawn)] == [(jan, mar, 1, 223_144, 223_144**2)]
    survey(drawn, "S-2", rent_fen=220_000, begins=dt.date(2024, 2, 1))
    assert [row[2:] for row in pairs(drawn)] == [(jan, feb, 1, 95_311, 95_311**2), (feb, mar, 1, 127_833, 127_833**2)]
    change(drawn, "UPDATE reg.rent_observation SET deleted_at = now() WHERE reference = 'S-2'")
    assert [row[2:] for row in pairs(drawn)] == [(jan, mar, 1, 223_144, 223_144**2)]
    with drawn.database.transaction(operator(drawn)) as session:
        place = np.array([row[0] for row in ask(drawn, "SELECT DISTINCT community_id FROM reg.rent_observation")])
        months = load_pair_sums(session, "residential", place, Span.between(jan, mar, "month"))
        quarters = load_pair_sums(session, "residential", place, Span.between(jan, mar, "quarter"))
    assert (months.first.tolist(), months.second.tolist(), months.n.tolist(), months.sum_u.tolist()) == ([0], [2], [1], [0.223144])
    assert len(quarters.n) == 0  # both in one quarter


def test_one_file_corrects_a_rent_and_brings_one_next_to_it(drawn: Drawn) -> None:
    """40 yuan in January become 44, and the same file tells of 50 in February: ln 44 = 3.784190, ln 50 = 3.912023."""
    survey(drawn, "S-1", rent_fen=200_000, begins=dt.date(2024, 1, 1))
    unit = drawn.places.units["tower-101"]
    said = ", ".join(
        f"('{name}', {rent}, date '{day}')" for name, rent, day in (("S-1", 220_000, "2024-01-01"), ("S-2", 250_000, "2024-02-01"))
    )
    tell(
        drawn,
        f"""SELECT 'survey' AS source, v.name AS reference, CAST('{unit}' AS uuid) AS unit_id, CAST(NULL AS uuid) AS landlord_id,
              TRUE AS new_let, FALSE AS related, FALSE AS sublet, v.day AS begins, v.day + 365 AS ends, CAST(v.rent AS bigint) AS rent_fen,
              CAST(50 AS numeric) AS area_m2 FROM (VALUES {said}) v (name, rent, day)""",
    )
    assert [row[4:] for row in pairs(drawn)] == [(1, 127_833, 127_833**2)]
    assert pairs_rebuilt(drawn) == pairs(drawn)


def test_limits_of_the_use_judge_a_group_without_its_own(drawn: Drawn) -> None:
    limits(drawn)  # exp(3.7 + 1.5) = 181.27 yuan for villages
    survey(drawn, "S-1", unit="village-201", area=Decimal(10), rent_fen=181_000)
    survey(drawn, "S-2", unit="village-201", area=Decimal(10), rent_fen=182_000)
    assert sum(one[0] for one in read(drawn).values()) == 1


def test_sums_of_one_survey(drawn: Drawn) -> None:
    """2,000 yuan for 50 m²: ln 40 = 3.688879; on the ground floor of thirty, year unknown, 366 days: ln(366 ÷ 365) = 0.002736."""
    change(drawn, "UPDATE reg.building SET built_year = NULL")
    survey(drawn, "S-1")
    ((n, sums),) = ask(drawn, "SELECT n, sums FROM reg.rent_statistic")
    y, x = 3_688_879, [0, 0, 0, 0, 1_000_000, -200_000, 1_000_000, 0, 1_000_000, 2_736]
    products = [one * other for place, one in enumerate(x) for other in x[place:]]
    assert (n, sums) == (1, [y, y * y, *x, *(one * y for one in x), *products])


def test_moments_of_cells_are_those_of_the_leases(drawn: Drawn) -> None:
    chance = random.Random(3)
    for number in range(30):
        survey(
            drawn,
            f"S-{number}",
            unit=chance.choice(("tower-101", "tower-102", "village-201", "mill-301")),
            rent_fen=chance.randrange(100_000, 400_000),
            begins=dt.date(2024, chance.randrange(1, 4), 1),
            new_let=chance.random() < 0.5,
        )
    with drawn.database.transaction(operator(drawn)) as session:
        cells = load_cells(session, ("residential",))
    names, community = np.unique(cells.community, return_inverse=True)
    _, stratum = np.unique(np.stack((cells.class_, cells.new_let)), axis=1, return_inverse=True)
    kept = cells.moments(cells.month - 2024 * 12, community.ravel(), stratum.ravel(), 3)
    rows = ask(
        drawn,
        f"SELECT extract(month FROM month)::int - 1, community_id, class, new_let, log_rent, {', '.join(ATTRIBUTES)}"
        " FROM reg.rent_observation ORDER BY reference",
    )
    orders = ("self_built", "collective", "factory_dormitory", "commodity")
    strata = [orders.index(row[2]) * 2 + row[3] for row in rows]
    every = np.arange(len(rows))
    leases = Leases(
        y=np.array([row[4] for row in rows]) / MICRO,
        period=np.array([row[0] for row in rows]),
        community=np.array([names.tolist().index(row[1]) for row in rows]),
        stratum=np.searchsorted(np.unique(strata), strata),
        x=np.array([row[5:] for row in rows]) / MICRO,
        unit=every,
        building=every,
        size=np.ones(len(rows)),
        periods=3,
    )
    counted = Moments.of(leases)
    for name in ("period", "community", "stratum", "n", "sum_y", "sum_yy", "sum_x", "sum_xy", "sum_xx"):
        np.testing.assert_allclose(getattr(kept, name), getattr(counted, name), rtol=0, atol=1e-9)


def test_writer_who_began_before_a_run_is_refused_and_begins_anew(drawn: Drawn) -> None:
    def late() -> None:
        with drawn.database.transaction(operator(drawn)) as session:
            with psycopg.connect(drawn.address.conninfo("postgres")) as run:
                run.execute("UPDATE reg.rent_cut SET cut = clock_timestamp()")
            observe(session)

    with pytest.raises(ConflictError):
        late()
    assert ask(drawn, "SELECT * FROM reg.rent_observation") == []
    assert look(drawn).written == 4
