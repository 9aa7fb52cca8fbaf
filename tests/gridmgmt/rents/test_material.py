"""What methods are given of an area: its leases, and the stock that they stand for."""

import datetime as dt

import numpy as np
import pytest

from gridmgmt.rents.catalogue import METHODS
from gridmgmt.rents.computing import compute_index
from gridmgmt.rents.material import Material, estimate
from gridmgmt.rents.methods.leases import leases_of
from gridmgmt.rents.samples import Floorspace, Part, Span
from tests.drawn import Drawn
from tests.gridmgmt.rents.observed import change, operator, survey
from tests.places import SOUTH

SPAN = Span(2023 * 12, 2, "month")
INDEX = 100 * np.exp(0.05)
"""Half of the stock moved by 0.1 and half by nothing: 105.127."""


def material(kinds: list[tuple[int, int, int, float]], stock: list[tuple[int, int, float]]) -> Material:
    """Units let twice: of each kind the community, the stratum (twice the class, and one more for a new let), how many there are and how
    their rents moved; the stock by community and class."""
    rows = [(unit, kind) for unit, kind in enumerate(kind for kind in kinds for _ in range(kind[2]))]
    period = np.tile(np.array([0, 1]), len(rows))
    unit, community, stratum = (
        np.repeat(np.array(column, np.int64), 2)
        for column in ([unit for unit, _ in rows], [kind[0] for _, kind in rows], [kind[1] for _, kind in rows])
    )
    y = np.log(40) + period * np.repeat(np.array([kind[3] for _, kind in rows]), 2)
    leases = leases_of(y, period, periods=2, community=community, stratum=stratum, unit=unit)
    places, classes, areas = zip(*stock, strict=True)
    floorspace = Floorspace(np.array(places, np.int64), np.array(classes, np.int64), np.array(areas))
    return Material(Part(leases, np.zeros(2, np.int64), unit), SPAN, floorspace)


def stock_weighted(given: Material) -> float:
    return float(estimate(given, "stock_weighted", METHODS["stock_weighted"].parameters).values[1])


def test_stock_stands_for_a_class_and_not_for_a_kind_of_let() -> None:
    # one class: each pair weighs one, and the mean is (90 · 0 + 10 · 0.1) / 100
    one = material([(1, 0, 90, 0.0), (1, 1, 10, 0.1)], [(1, 0, 1000.0)])
    assert stock_weighted(one) == pytest.approx(100 * np.exp(0.01), abs=5e-4)
    # two classes of equal stock, of which only the first has both kinds of let
    two = material([(1, 0, 10, 0.1), (1, 1, 10, 0.1), (1, 2, 20, 0.0)], [(1, 0, 500.0), (1, 1, 500.0)])
    assert stock_weighted(two) == pytest.approx(INDEX, abs=5e-4)


def test_stock_that_weighs_is_that_of_the_area(drawn: Drawn) -> None:
    """In the south 100 m² stand in each of two classes, of which one moved by 0.1; elsewhere 98,000 m² of the other."""
    change(drawn, "UPDATE reg.unit SET area_m2 = CASE code WHEN '4403990010010000002000201' THEN 100 ELSE 50 END WHERE use = 'residential'")
    change(drawn, "UPDATE reg.unit SET area_m2 = 98000 WHERE id = :id", id=drawn.places.units["school-1"])
    change(drawn, "UPDATE reg.building SET nature = 'commodity' WHERE name = 'school'")
    for unit, later in (("village-201", 221_034), ("tower-101", 200_000)):
        for month, rent in ((1, 200_000), (2, later)):
            survey(drawn, f"{unit}-{month}", unit=unit, rent_fen=rent, begins=dt.date(2022, month, 5), ends=dt.date(2023, month, 5))
    first, last = dt.date(2022, 1, 1), dt.date(2022, 2, 1)
    # medians of 40 yuan become 44.2068 on one half of the stock
    for method, expected in (("stock_weighted", INDEX), ("median", 100 * (40 + 44.2068) / 80)):
        with drawn.database.transaction(operator(drawn)) as session:
            done = compute_index(session, SOUTH, "residential", first, last, method=method)
        assert float(done.outcome.values[1].value or 0) == pytest.approx(expected, abs=5e-4), method


def test_index_of_medians_has_errors_that_a_repeat_gives_again() -> None:
    """Each median of 400 rents has the error √(π/2) · 0.2 / 20 = 0.01253, the difference of two √2 times as much."""
    noise = np.random.default_rng(3).normal(0, 0.2, 800)
    y, period = np.log(40) + noise, np.arange(800) % 2
    leases = leases_of(y, period, periods=2, community=np.ones(800, np.int64))
    stock = Floorspace(np.array([1]), np.array([0]), np.array([1000.0]))
    given = Material(Part(leases, np.zeros(2, np.int64), np.zeros(800, np.int64)), SPAN, stock)
    parameters = METHODS["median"].parameters
    one, again = (estimate(given, "median", parameters) for _ in range(2))
    assert one.errors[0] == 0
    assert one.errors[1] == pytest.approx(0.01253 * np.sqrt(2), rel=0.25)
    np.testing.assert_array_equal(one.errors, again.errors)
    # the seed and the number of draws are the run's: other ones give other digits, and no other number
    other = estimate(given, "median", {**parameters, "seed": parameters["seed"] + 1})
    assert other.errors[1] != one.errors[1]
    np.testing.assert_array_equal(other.values, one.values)


def test_one_unit_leaves_an_index_of_medians_without_errors() -> None:
    """Nothing can be drawn anew of one unit: its number stands, and no error is made up."""
    found = estimate(material([(1, 0, 1, 0.1)], [(1, 0, 1000.0)]), "median", METHODS["median"].parameters)
    assert found.values[1] == pytest.approx(100 * np.exp(0.1))
    assert np.isnan(found.errors[1])
