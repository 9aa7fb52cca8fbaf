"""What was published of rents is what it was, column by column, whoever writes: the owner of the tables too."""

import pytest

from tests.protection.doors import Root, run
from tests.protection.seed import RELEASES, RUNS
from tests.protection.test_rules import checked

COLUMNS = (
    "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
    " AND attidentity = '' ORDER BY attnum"
)
OTHERWISE = {
    "uuid": "gen_random_uuid()",
    "text": "coalesce({0}, '') || 'X'",
    "date": "coalesce({0}, '2000-01-01') - 1",
    "timestamp with time zone": "coalesce({0}, now()) - interval '1 day'",
    "integer": "coalesce({0}, 0) + 1",
    "bigint": "coalesce({0}, 0) + 1",
    "numeric": "coalesce({0}, 0) + 1",
    "jsonb": "'{{\"x\": 1}}'",
    "bytea": "coalesce({0}, '') || 'X'",
}
"""Another value of each type."""


@pytest.mark.parametrize("place", [0, 1], ids=["superseded", "published"])
def test_no_column_of_a_published_release_is_written(root: Root, place: int) -> None:
    taken: list[str] = []
    for column, kind in run(root, COLUMNS, ["reg.rent_release"]):
        if column != "state":  # which steps follow is the subject of the promises
            change = f"UPDATE reg.rent_release SET {column} = {OTHERWISE[kind].format(column)} WHERE id = '{RELEASES[place]}'"
            if checked(root, "SET LOCAL ROLE reg_owner", change) != "rents_are_kept":
                taken.append(column)
    assert taken == []
    run(root, "SET LOCAL ROLE reg_owner")
    said = "SELECT to_jsonb(r) FROM reg.rent_release r WHERE id = %s"
    before = run(root, said, [RELEASES[place]])
    run(root, "UPDATE reg.rent_release SET note = note WHERE id = %s", [RELEASES[place]])
    assert run(root, said, [RELEASES[place]]) == before  # not even the version


def test_superseding_takes_nothing_else_along(root: Root) -> None:
    """The one step that a published release takes is the next edition's, and it tells nothing else of it."""
    kept = "SELECT to_jsonb(r) - 'state' - 'version' FROM reg.rent_release r WHERE id = %s"
    before = run(root, kept, [RELEASES[1]])
    for state in ("reviewed", "approved", "published"):
        run(root, f"UPDATE reg.rent_release SET state = '{state}' WHERE id = '{RELEASES[2]}'")
        if state == "reviewed":
            run(root, "SET LOCAL session_replication_role = replica")
            run(root, f"UPDATE reg.rent_release SET reviewed_by = 1 WHERE id = '{RELEASES[2]}'")
            run(root, "SET LOCAL session_replication_role = origin")
    assert run(root, "SELECT state FROM reg.rent_release WHERE id = %s", [RELEASES[1]]) == [("superseded",)]
    assert run(root, kept, [RELEASES[1]]) == before


def test_draft_keeps_its_name_and_who_took_its_steps(root: Root) -> None:
    for change in (
        "quarter = '2019Q3'",
        "edition = 7",
        "computed_by = 9",
        "reviewed_at = now(), reviewed_by = 1",
        "id = gen_random_uuid()",
    ):
        assert checked(root, f"UPDATE reg.rent_release SET {change} WHERE id = '{RELEASES[2]}'") == "rents_are_kept", change


@pytest.mark.parametrize(
    ("table", "key"), [("rent_run", "id"), ("rent_value", "run_id"), ("rent_release_run", "run_id"), ("rent_figure", "run_id")]
)
def test_no_column_of_what_was_computed_is_written(root: Root, table: str, key: str) -> None:
    columns = run(root, COLUMNS, [f"reg.{table}"])
    assert columns
    for column, kind in columns:
        change = f"UPDATE reg.{table} SET {column} = {OTHERWISE[kind].format(column)} WHERE {key} = '{RUNS[0]}'"
        assert checked(root, "SET LOCAL ROLE reg_owner", change) == "rents_are_kept", column
    for statement in (f"DELETE FROM reg.{table}", f"TRUNCATE reg.{table} CASCADE"):
        assert checked(root, "SET LOCAL ROLE reg_owner", statement) == "rents_are_kept"
