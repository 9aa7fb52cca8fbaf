"""The index of a district by its subdistricts: worked by hand."""

import numpy as np

from gridmgmt.rents.district import tree_index
from gridmgmt.rents.extracts import Extract
from gridmgmt.rents.observations import ATTRIBUTES
from gridmgmt.rents.samples import Floorspace, Sample, Span
from gridmgmt.rents.tree import Area, Tree

TREE = Tree(
    (
        Area(1, "440399", "区", "district", -1),
        Area(2, "440399001", "西", "subdistrict", 0),
        Area(3, "440399002", "东", "subdistrict", 0),
        Area(4, "440399001001", "西一", "community", 1),
        Area(5, "440399002001", "东一", "community", 2),
    )
)
FIRST = 2023 * 12 + 6


def sample(rents: dict[int, list[float]], *, each: int = 3) -> Sample:
    """Leases of communities whose rents are these in the months from FIRST on, `each` a month."""
    rows = [(community, FIRST + at, rent) for community, series in rents.items() for at, rent in enumerate(series) for _ in range(each)]
    community, month, rent = (np.array(column) for column in zip(*rows, strict=True))
    n, own = len(rows), np.arange(len(rows))
    none = np.zeros(n, np.int64)
    logs = np.rint(np.log(np.nan_to_num(rent, nan=1.0)) * 1e6).astype(np.int64)
    x = np.zeros((n, len(ATTRIBUTES)), np.int64)
    return Sample("residential", Extract(month, community, community - 2, none, none, own, own, own, logs, x), np.ones(n, np.bool_))


def test_district_is_the_laspeyres_index_of_its_subdistricts_at_the_rents_of_the_base() -> None:
    # from 40 yuan each: the one climbs to 60, the other stays; of 300 m² and 100 m² the stock's rent goes from 16,000 to 22,000
    west, east = [40.0, 45.0, 50.0, 55.0, 60.0], [40.0] * 5
    stock = Floorspace(np.array([4, 5]), np.zeros(2, np.int64), np.array([300.0, 100.0]))
    district, *_ = tree_index(sample({4: west, 5: east}), TREE, stock, Span(FIRST, 5, "month"), "all")
    np.testing.assert_allclose(district.series.values, [100, 109.375, 118.75, 128.125, 137.5], rtol=1e-5)


def test_weights_are_new_in_january() -> None:
    # July to January; the base of February is January, when the west lets for 60 and the east for 40
    west, east = [40.0] * 6 + [60.0, 60.0], [40.0] * 7 + [50.0]
    stock = Floorspace(np.array([4, 5]), np.zeros(2, np.int64), np.array([100.0, 100.0]))
    district, *_ = tree_index(sample({4: west, 5: east}), TREE, stock, Span(FIRST, 8, "month"), "all")
    np.testing.assert_allclose(district.series.values[-2:], [125, 125 * 110 / 100], rtol=1e-5)


def test_subdistrict_without_leases_in_january_weighs_what_it_let_for_last() -> None:
    # the west, at 60 yuan since December, lets nothing in January; in February it is at 60 and the east, which was at 40, at 50
    west, east = [40.0] * 5 + [60.0, np.nan, 60.0], [40.0] * 7 + [50.0]
    stock = Floorspace(np.array([4, 5]), np.zeros(2, np.int64), np.array([100.0, 100.0]))
    found = sample({4: west, 5: east})
    some = Sample(found.use, found.extract.where(found.extract.log_rent > 0), found.kept[found.extract.log_rent > 0])
    district, *_ = tree_index(some, TREE, stock, Span(FIRST, 8, "month"), "all")
    np.testing.assert_allclose(district.series.values[-3:], [125, 125, 125 * 110 / 100], rtol=1e-5)
