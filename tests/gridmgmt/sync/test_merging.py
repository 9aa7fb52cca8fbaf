"""What becomes of each field when two wrote the same row."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmgmt.sync.merging import POLICIES, Policy, changed_fields, decide

NAMES = ("a", "b", "c", "d")
ROWS = st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(0, 3)))
POLICY = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(POLICIES))
EACH = {name: (name,) for name in NAMES}


def form(value: int) -> dict[str, Any]:
    return dict.fromkeys(NAMES, value)


@pytest.mark.parametrize(
    ("policy", "present", "wanted", "written"),
    [
        ("client_wins", 1, 2, 2),
        ("max", 1, 2, 2),
        ("min", 3, 2, 2),
        ("union", ["x", "y"], ["z", "y"], ["x", "y", "z"]),
    ],
)
def test_policy_writes(policy: Policy, present: Any, wanted: Any, written: Any) -> None:
    decided = decide({"f": wanted}, {"f": present}, {"f"}, {"f": policy})
    assert (decided.write, decided.kept, decided.open) == ({"f": written}, frozenset(), frozenset())


@pytest.mark.parametrize(("policy", "present", "wanted"), [("server_wins", 1, 2), ("max", 2, 1), ("min", 2, 3), ("union", ["x"], [])])
def test_policy_keeps_what_is_there(policy: Policy, present: Any, wanted: Any) -> None:
    decided = decide({"f": wanted}, {"f": present}, {"f"}, {"f": policy})
    assert (decided.write, decided.kept, decided.open) == ({}, {"f"}, frozenset())


@pytest.mark.parametrize(("policy", "present", "wanted"), [("manual", 1, 2), ("max", None, 2), ("min", 1, "x"), ("union", "x", ["y"])])
def test_somebody_decides(policy: Policy, present: Any, wanted: Any) -> None:
    decided = decide({"f": wanted}, {"f": present}, {"f"}, {"f": policy})
    assert (decided.write, decided.kept, decided.open) == ({}, frozenset(), {"f"})


def test_field_that_no_policy_names_is_for_somebody_to_decide() -> None:
    assert decide({"f": 2}, {"f": 1}, {"f"}, {}).open == {"f"}


def test_values_are_compared_as_the_field_says() -> None:
    assert decide({"f": "A"}, {"f": "a"}, {"f"}, {}, same=lambda _, one, other: one == other.lower()).equal == {"f"}


@given(ROWS, ROWS, st.sets(st.sampled_from(NAMES)), POLICY, st.sets(st.sampled_from(NAMES)))
def test_every_field_is_decided_once(
    present: dict[str, int], row: dict[str, int], changed: set[str], policies: Mapping[str, Policy], given_names: set[str]
) -> None:
    wanted = {name: row[name] for name in given_names}
    decided = decide(wanted, present, changed, policies)
    parts = [set(decided.write), decided.equal, decided.kept, decided.open]
    assert set().union(*parts) == set(wanted)
    assert sum(map(len, parts)) == len(wanted)


@given(ROWS, ROWS, st.sets(st.sampled_from(NAMES)), POLICY)
def test_what_others_left_alone_is_written_and_what_is_there_already_is_not(
    present: dict[str, int], wanted: dict[str, int], changed: set[str], policies: Mapping[str, Policy]
) -> None:
    decided = decide(wanted, present, changed, policies)
    assert decided.equal == {name for name in NAMES if present[name] == wanted[name]}
    assert {name: wanted[name] for name in NAMES if name not in changed and name not in decided.equal}.items() <= decided.write.items()
    assert decided.kept | decided.open <= changed


@given(ROWS, ROWS, POLICY)
def test_deciding_again_after_writing_changes_nothing(
    present: dict[str, int], wanted: dict[str, int], policies: Mapping[str, Policy]
) -> None:
    once = {**present, **decide(wanted, present, NAMES, policies).write}
    assert decide(wanted, once, NAMES, policies).write == {}


@given(st.lists(ROWS, min_size=1, max_size=6), st.data())
def test_changes_of_others_are_found_form_by_form(history: list[dict[str, int]], data: st.DataObject) -> None:
    forms = dict(enumerate(history, 1))
    base = data.draw(st.integers(1, len(history)))
    own = data.draw(st.sets(st.integers(1, len(history))))
    expected = {name for v in range(base + 1, len(history) + 1) if v not in own for name in NAMES if forms[v][name] != forms[v - 1][name]}
    assert changed_fields(EACH, forms, base, len(history), own) == expected


def test_change_that_was_taken_back_is_a_change() -> None:
    assert changed_fields(EACH, {n: form(n % 2) for n in (1, 2, 3)}, 1, 3, ()) == set(NAMES)


def test_form_that_is_not_seen_may_have_differed_in_everything() -> None:
    forms = {1: form(1), 3: form(1)}
    assert changed_fields(EACH, forms, 1, 3, ()) == set(NAMES)
    assert changed_fields(EACH, forms, 0, 1, ()) == set(NAMES)
    assert changed_fields(EACH, forms, 0, 1, {1}) == set()


def test_field_of_several_columns_changes_with_each_of_them() -> None:
    forms = {1: {"amount": 1, "unit": "month"}, 2: {"amount": 1, "unit": "year"}}
    assert changed_fields({"rent": ("amount", "unit"), "only": ("amount",)}, forms, 1, 2, ()) == {"rent"}
