"""Disclosure control: what each rule hides, by hand."""

import numpy as np
import pytest

from gridmgmt.rents.methods.disclosure import Cause, Cells, Rules, Showing, complete, judge, primary, rounded
from gridmgmt.rents.methods.series import IntArray
from gridmgmt.rents.methods.tables import Table


def cells(n: list[int], *, landlords: list[int] | None = None, largest: list[int] | None = None, fixed: list[int] | None = None) -> Cells:
    """Cells of as many landlords as leases, each lease 50 m² at 40 yuan, unless told otherwise."""
    return Cells(
        n=np.array(n),
        landlords=np.array(landlords or n),
        largest=np.array(largest or [min(1, one) for one in n]),
        amounts=np.array(n) * 2000.0,
        fixed=np.isin(np.arange(len(n)), fixed or []),
    )


def shown(table: Table, given: Cells) -> list[str]:
    return [showing.value for showing in judge(table, given).showings]


def test_cells_that_cannot_be_are_refused() -> None:
    for n, landlords, largest in (([3], [4], [1]), ([3], [1], [4]), ([3, 3], [1], [1]), ([3], [0], [1]), ([0], [0], [1])):
        with pytest.raises(ValueError, match="cell"):
            cells(n, landlords=landlords, largest=largest)
    table = Table.cross(np.array([-1, 0, 0]))
    with pytest.raises(ValueError, match="lowest"):
        Cells.of(table, np.array([0]), np.array([1]), np.array([1.0]))


def test_tables_that_do_not_add_up_are_refused() -> None:
    for sums in (((0, ()),), ((0, (0, 1)),), ((0, (1, 1)),), ((0, (3,)),)):
        with pytest.raises(ValueError, match="sum"):
            Table(3, sums)
    with pytest.raises(ValueError, match="circle"):
        Table(2, ((0, (1,)), (1, (0,)))).bottom_up()


def test_limits_are_those_of_the_rules() -> None:
    given = cells([0, 10, 11, 30, 31, 40, 40, 40], landlords=[0, 10, 11, 30, 31, 2, 3, 3], largest=[0, 1, 1, 1, 1, 20, 20, 21])
    assert primary(given, Rules()) == [None, Cause.FEW, None, None, None, Cause.LANDLORDS, None, Cause.DOMINANT]
    # no sums: nothing follows from anything
    assert shown(Table(8, ()), given) == ["parent", "model", "flagged", "flagged", "direct", "parent", "direct", "parent"]


def test_numbers_of_leases_are_rounded_to_fives() -> None:
    assert rounded(np.array([11, 12, 13, 17, 18, 2503])).tolist() == [10, 10, 15, 15, 20, 2505]
    assert rounded(np.array([5, 14, 15, 16]), 10).tolist() == [10, 10, 20, 20]
    verdicts = judge(Table(2, ()), cells([4, 44]))
    assert verdicts.counts.tolist() == [-1, 45]


def test_a_second_child_is_hidden_lest_the_first_follows_from_the_parent() -> None:
    table = Table.cross(np.array([-1, 0, 0, 0, 0]))
    verdicts = judge(table, cells([208, 8, 100, 60, 40]))
    assert [cause and cause.value for cause in verdicts.causes] == [None, "few", None, None, "complement"]
    # it is not grave: what hides it may be told by a model; a landlord's cell and what hides it may not
    assert [showing.value for showing in verdicts.showings] == ["direct", "model", "direct", "direct", "model"]
    assert shown(table, cells([208, 8, 100, 60, 40], landlords=[150, 1, 90, 50, 30], largest=[8, 8, 2, 2, 2])) == [
        "direct",
        "parent",
        "direct",
        "direct",
        "parent",
    ]


def test_a_complement_too_small_to_hide_behind_is_not_enough() -> None:
    # a tenth of 30's amount cannot hide in half of 1's: a larger one goes too, or instead
    table = Table.cross(np.array([-1, 0, 0, 0]))
    given = cells([131, 30, 1, 100], landlords=[90, 2, 1, 80], largest=[20, 20, 1, 2])
    assert shown(table, given) == ["direct", "parent", "parent", "parent"]


def test_what_two_hidden_children_leave_over_is_itself_a_cell() -> None:
    # 4 and 5 leases hide each other, but 9 are still too few, and each knows the other's
    assert shown(Table.cross(np.array([-1, 0, 0, 0])), cells([109, 4, 5, 100])) == ["direct", "model", "model", "model"]


def test_children_of_two_landlords_each_are_safe_as_their_parent_of_ten() -> None:
    # the sum of the five is the parent, and whose leases these are is known: ten landlords, the largest with a tenth
    table = Table(6, ((0, (1, 2, 3, 4, 5)),))
    given = cells([100, 20, 20, 20, 20, 20], landlords=[10, 2, 2, 2, 2, 2], largest=[10] * 6)
    assert shown(table, given) == ["direct", "parent", "parent", "parent", "parent", "parent"]
    # beside a child that is told they are what it leaves over, and of eight landlords when these are all different
    leases = np.concatenate([np.repeat([1, 2, 3, 4], 20), np.full(40, 5)])
    different = np.concatenate([np.arange(80) // 10, np.arange(40) + 100])
    verdicts = judge(table, Cells.of(table, leases, different + 1, np.ones(120)))
    assert [one.value for one in verdicts.showings] == ["direct", "parent", "parent", "parent", "parent", "direct"]
    # of two landlords in all, it hides with them what is told of another
    same = np.concatenate([np.arange(80) % 20 // 10, np.arange(40) + 100])
    verdicts = judge(table, Cells.of(table, leases, same + 1, np.ones(120)))
    assert "direct" not in {one.value for one in verdicts.showings[1:]}


def test_months_follow_from_windows_and_are_hidden_with_them() -> None:
    # months 2, 3, 4, 5; windows 0 = 2 + 3 + 4, 1 = 3 + 4 + 5; month 5 of one landlord: 5 = 1 - 0 + 2
    table = Table(6, ((0, (2, 3, 4)), (1, (3, 4, 5))))
    verdicts = judge(table, cells([120, 92, 40, 40, 40, 12], landlords=[90, 70, 30, 30, 30, 1], largest=[3, 12, 2, 2, 2, 12]))
    assert verdicts.showings[5] is Showing.PARENT
    assert verdicts.hidden.sum() > 1
    # with the window before published already, something of the new one is withheld: the month before it cannot be called back
    held = judge(
        table, cells([120, 92, 40, 40, 40, 12], landlords=[90, 70, 30, 30, 30, 1], largest=[3, 12, 2, 2, 2, 12], fixed=[0, 2, 3, 4])
    )
    assert (held.hidden.tolist(), held.unprotected.any()) == ([False, True, False, False, False, True], False)


def test_cells_that_nobody_publishes_hide_others_for_nothing() -> None:
    table = Table.cross(np.array([-1, 0, 0, 0]))
    given, third = cells([148, 8, 100, 40]), np.array([False, False, False, True])
    assert judge(table, given).hidden.tolist() == [False, True, False, True]
    assert [cause and cause.value for cause in judge(table, given, withheld=third).causes] == [None, "few", None, "complement"]
    # unsafe itself, it must not follow from the others: 100 and 48 of the whole would tell it
    assert judge(table, cells([148, 48, 92, 8]), withheld=third).hidden.tolist() == [False, True, False, True]


def test_late_leases_are_not_told_by_two_releases_of_one_cell() -> None:
    # 0 as it is now = 1 as it was published + 2 the leases filed since then, of one landlord: the new number would tell theirs
    table, late = Table(3, ((0, (1, 2)),)), np.array([False, False, True])
    assert judge(table, cells([61, 60, 1], fixed=[1]), withheld=late).hidden.tolist() == [True, False, True]
    assert judge(table, cells([95, 60, 35], fixed=[1]), withheld=late).hidden.tolist() == [False, False, True]


def test_a_window_is_not_told_when_one_lease_is_all_that_came_into_it() -> None:
    # 0 now = 2 shared + 3 new, 1 before = 2 shared + 4 gone, published; the difference is new less gone
    table, inner = Table(5, ((0, (2, 3)), (1, (2, 4)))), np.array([False, False, True, True, True])
    # whose lease went would know the rent of whose came; of thirty for twenty nobody knows anything
    for new, gone, hidden in ((1, 0, True), (1, 1, True), (30, 20, False)):
        given = cells([60 + new, 60 + gone, 60, new, gone], fixed=[1])
        verdicts = judge(table, given, withheld=inner)
        assert (bool(verdicts.hidden[0]), verdicts.unprotected.any()) == (hidden, False)


def test_what_is_given_away_already_cannot_be_protected() -> None:
    table = Table.cross(np.array([-1, 0, 0]))
    verdicts = judge(table, cells([108, 8, 100], fixed=[0, 2]))
    assert verdicts.unprotected.tolist() == [False, True, False]
    assert judge(table, cells([108, 8, 100], fixed=[1])).unprotected.tolist() == [False, True, False]


def test_landlords_are_counted_over_parts_not_added_up() -> None:
    # one landlord lets in both communities
    table = Table.cross(np.array([-1, 0, 0]), np.array([-1, 0]))
    at: IntArray = np.array([3, 3, 5, 5, 5])  # cells are (area, period): 0 whole area and period, 3 = (1, 1), 5 = (2, 1)
    found = Cells.of(table, at, np.array([7, 8, 7, 7, 9]), np.array([1.0, 2, 3, 4, 5]))
    assert found.n.tolist() == [5, 5, 2, 2, 3, 3]
    assert found.landlords.tolist() == [3, 3, 2, 2, 2, 2]
    assert found.largest.tolist() == [3, 3, 1, 1, 2, 2]
    assert found.amounts.tolist() == [15, 15, 3, 3, 12, 12]


def test_the_newest_month_waits_for_its_leases() -> None:
    # the median of 100, 100, 90 is 100
    assert not complete([100, 100, 90, 79])
    assert complete([100, 100, 90, 80])
    assert complete([100, 2])  # two months tell nobody what is usual
    assert not complete([500] * 12 + [100] * 12 + [79])
    assert complete([500] * 12 + [100] * 12 + [80])
