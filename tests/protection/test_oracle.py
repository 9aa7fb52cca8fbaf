"""For every account, table and verb: the rows reached under row-level security are those that the hand-drawn district says, no others."""

import pytest

from tests.protection.doors import CLASSES, Register, Root, acting, dressed, run, tried
from tests.protection.oracle import NEW_ROWS, OTHER_ROWS, differences, hidden_from, wrong_inserts
from tests.protection.rights import OPEN, TABLES, open_rows
from tests.protection.seed import ACCOUNTS, GRIDS, Account

WRITERS = [account for account in ACCOUNTS if account.scope in {"field", "subdistrict", "district", "loader"}]


def named(account: Account) -> str:
    return f"{account.username}-by-{account.scope}"


def test_every_table_of_the_register_is_in_the_oracle(root: Root) -> None:
    there = run(
        root,
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('reg', 'sync') AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition",
    )
    assert {name for (name,) in there} == {table.name for table in TABLES} | OPEN
    assert {table.name for table in TABLES} == {noun if "." in noun else f"reg.{noun}" for noun in NEW_ROWS} | set(OTHER_ROWS)


def test_every_table_holds_rows_to_be_hidden(root: Root) -> None:
    assert [
        t.name
        for t in TABLES
        if t.name not in {"reg.layer", "reg.rent_cut", "sync.feed_meta"} and run(root, f"SELECT count(*) FROM {t.name}")[0][0] < 2
    ] == []


def test_accounts_are_thirty_or_more_over_every_class_and_grid() -> None:
    assert len(ACCOUNTS) >= 30
    assert {account.scope for account in ACCOUNTS} == set(CLASSES) - {"public", "auth"}
    assert {grid for account in ACCOUNTS for grid in account.grids} == GRIDS


@pytest.mark.parametrize("account", ACCOUNTS, ids=named)
def test_account_reads_and_updates_exactly_its_rows(root: Root, register: Register, account: Account) -> None:
    assert differences(root, register, [account]) == []


@pytest.mark.parametrize("account", WRITERS, ids=named)
def test_account_writes_new_rows_into_its_grids_and_no_others(root: Root, register: Register, account: Account) -> None:
    assert wrong_inserts(root, register, account, NEW_ROWS) == []


@pytest.mark.parametrize(
    "username", ["w-one", "c-one", "s-one", "d-one", "a-one", "u-one", "w-disabled", "s-disabled", "d-disabled", "a-disabled"]
)
def test_account_writes_tables_without_grids_only_where_its_class_may(root: Root, register: Register, username: str) -> None:
    for account in (account for account in ACCOUNTS if account.username == username):
        with acting(root, register, account):
            for table, (statement, classes) in OTHER_ROWS.items():
                # the trail takes a row from anybody of a class, so that a refused stranger leaves one too
                may = account.scope in classes and (account.valid or table == "reg.audit")
                assert (tried(root, statement) == []) == may, f"{account.username} by {account.scope} into {table}"


@pytest.mark.parametrize("scope", CLASSES)
def test_without_a_context_only_public_geography_is_seen(root: Root, scope: str) -> None:
    with dressed(root, f"api_{scope}"):
        seen = {table.name: tried(root, f"SELECT count(*) FROM {table.name}") for table in TABLES}
        written = {name for name, (statement, _) in OTHER_ROWS.items() if tried(root, statement) != "42501"}
    assert {name for name, rows in seen.items() if rows not in ("42501", [(0,)])} == {t.name for t in TABLES if open_rows(t, scope)}
    assert written == (set() if scope == "public" else {"reg.audit"})


@pytest.mark.parametrize("scope", CLASSES)
def test_nobody_deletes_truncates_or_locks(root: Root, scope: str) -> None:
    with dressed(root, f"api_{scope}"):
        for table in TABLES:
            for statement in ("DELETE FROM {}", "TRUNCATE {}", "LOCK TABLE {} IN EXCLUSIVE MODE"):
                got = tried(root, statement.format(table.name))
                # who may delete rows may lock the table; without a context there are none
                assert got == ([] if scope in table.delete and statement != "TRUNCATE {}" else "42501"), statement.format(table.name)


@pytest.mark.parametrize("role", ["reg_owner", "sec_definer", "reg_dump_reader"])
def test_owner_definer_and_dump_see_every_row(root: Root, role: str) -> None:
    assert hidden_from(root, role, [table.name for table in TABLES]) == []
