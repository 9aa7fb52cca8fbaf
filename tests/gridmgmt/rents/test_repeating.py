"""A run that is repeated later has the same digits, whatever was corrected, struck out, built or redrawn meanwhile."""

import datetime as dt
import uuid
from decimal import Decimal

from sqlalchemy import text

from gridmgmt.rents.composing import tree_values
from gridmgmt.rents.computing import compute_index
from gridmgmt.rents.guides import load_dwellings
from gridmgmt.rents.premises import Premises
from gridmgmt.rents.repeating import repeat
from gridmgmt.rents.runs import Outcome, Plan, store, take_cut, values_of_run
from gridmgmt.rents.samples import Sample, load_floorspace
from gridmgmt.rents.tree import load_tree
from tests.drawn import Drawn
from tests.gridmgmt.rents.observed import change, let, operator
from tests.places import DISTRICT

FIRST, END = dt.date(2022, 1, 1), dt.date(2024, 1, 1)


def run_of(drawn: Drawn, product: str) -> uuid.UUID:
    """A run over the whole district, as a release has it."""
    plan = Plan(
        "index" if product == "index" else "guide",
        "quarter",
        "rolling" if product == "index" else "stock_prediction",
        {"window_years": 2, "areas": "tree", "low": 0.1, "high": 0.9},
        drawn.places.areas[DISTRICT],
        "residential",
        FIRST if product == "index" else dt.date(2023, 10, 1),
        END,
    )
    with drawn.database.transaction(operator(drawn)) as session:
        cut = take_cut(session)
        dwellings = load_dwellings(session, "residential", END, cut)
        premises = Premises(
            tree=load_tree(session, plan.area_id, cut), floorspace=load_floorspace(session, "residential", cut), dwellings=dwellings
        )
        values = tree_values(plan, Sample.draw(session, "residential"), premises)
        return store(session, plan, Outcome(values, 0), cut, premises)


def test_the_same_digits_after_everything_has_changed(drawn: Drawn) -> None:
    let(drawn)
    with drawn.database.transaction(operator(drawn)) as session:
        plain = compute_index(session, DISTRICT, "residential", FIRST, dt.date(2023, 12, 1)).run_id
    runs = [plain, run_of(drawn, "index"), run_of(drawn, "guide")]

    change(drawn, "UPDATE reg.rent_observation SET deleted_at = transaction_timestamp() WHERE reference = '1-3-1'")
    let(drawn, 2, seed=2)
    change(drawn, "UPDATE reg.unit SET area_m2 = area_m2 * 3, floor = floor WHERE id = :id", id=drawn.places.units["tower-101"])
    change(drawn, "UPDATE reg.building SET built_year = 1990, nature = 'apartment', floors_above = floors_above + 1")
    change(drawn, "UPDATE reg.area SET valid_to = reg.today() WHERE level = 'community'")

    with drawn.database.transaction(operator(drawn)) as session:
        assert all(repeat(session, run).same for run in runs)
    changed = [run_of(drawn, "index"), run_of(drawn, "guide")]
    with drawn.database.transaction(operator(drawn)) as session:
        assert all(values_of_run(session, new) != values_of_run(session, old) for new, old in zip(changed, runs[1:], strict=True))
        assert any(value.value is not None and value.value > Decimal(100) for value in values_of_run(session, runs[1]))


def test_whoever_writes_units_while_a_run_is_computed_neither_waits_nor_changes_it(drawn: Drawn) -> None:
    let(drawn)
    with drawn.database.transaction(operator(drawn)) as slow:  # begins before the data cuts, and ends after them
        slow.execute(text("UPDATE reg.unit SET area_m2 = area_m2 * 3 WHERE id = :id"), {"id": drawn.places.units["tower-101"]})
        guided = run_of(drawn, "guide")
        with drawn.database.transaction(operator(drawn)) as session:
            medians = compute_index(session, DISTRICT, "residential", FIRST, dt.date(2023, 12, 1), method="median").run_id
            change(drawn, "UPDATE reg.unit SET floor = floor + 1 WHERE id = :id", id=drawn.places.units["tower-102"])
    with drawn.database.transaction(operator(drawn)) as session:
        assert [repeat(session, run).same for run in (guided, medians)] == [True, True]
