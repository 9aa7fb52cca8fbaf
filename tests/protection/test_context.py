"""The signed context: who has none, a forged one or somebody else's sees nothing, and no forgery raises an error that would tell why."""

import time
from dataclasses import replace

import psycopg
import pytest
from psycopg import errors

from tests.protection.doors import ATTACKERS, Register, Root, acting, persons, run, sign, visiting
from tests.protection.seed import BY_NAME, KEY

FORGED = {
    "empty": "",
    "words": "nobody in particular",
    "long": "v1|" * 100_000,
    "wide": "演" * 120,
    "without mac": "v1|seed|district|{account}||{pid}|{soon}|",
    "mac of zeroes": "v1|seed|district|{account}||{pid}|{soon}|" + "0" * 64,
    "key not known": "v1|nope|district|{account}||{pid}|{soon}|" + "0" * 64,
    "no number": "v1|seed|district|x||y|z|" + "0" * 64,
}


@pytest.mark.parametrize("forgery", sorted(FORGED))
def test_forged_context_shows_nothing_and_raises_nothing(register: Register, forgery: str) -> None:
    with psycopg.connect(register.address.conninfo("api_district")) as connection:
        context = FORGED[forgery].format(account=register.accounts["d-one"], pid=connection.info.backend_pid, soon=int(time.time()) + 30)
        assert run(connection, "SELECT sec.enter(%s, 0)", [context]) == [(None,)]
        run(connection, f"SET LOCAL app.ctx = '{context}'")
        assert persons(connection) == 0


def test_context_that_is_no_text_never_arrives(register: Register) -> None:
    with psycopg.connect(register.address.conninfo("api_district")) as connection, pytest.raises(errors.CharacterNotInRepertoire):
        connection.execute(b"SELECT sec.enter('v1|seed|\xff\xfe', 0)")


def contexts(register: Register, pid: int) -> dict[str, str]:
    """Contexts that were signed with the right key, or nearly, and are still not good for class district on this connection."""
    account = register.accounts["d-one"]
    good = sign(account, "district", pid)
    return {
        "other key": sign(account, "district", pid, key=KEY[::-1]),
        "expired": sign(account, "district", pid, expires=time.time() - 1),
        "other connection": sign(account, "district", pid + 1),
        "other class": sign(account, "field", pid),
        "other version": sign(account, "district", pid, version="v2"),
        "one digit off": good[:-1] + ("0" if good[-1] != "0" else "1"),
        "upper case mac": good[:-64] + good[-64:].upper().replace("0", "A", 1),
        "account changed": good.replace(f"|{account}|", f"|{register.accounts['d-two']}|"),
        "space before": " " + good,
        "twice": good + "|" + good,
        "nobody": sign(10**9, "district", pid),
    }


FAULTS = (
    "other key",
    "expired",
    "other connection",
    "other class",
    "other version",
    "one digit off",
    "upper case mac",
    "account changed",
    "space before",
    "twice",
    "nobody",
)


@pytest.mark.parametrize("fault", FAULTS)
def test_context_that_is_not_for_this_transaction_enters_nobody(register: Register, fault: str) -> None:
    with psycopg.connect(register.address.conninfo("api_district")) as connection:
        context = contexts(register, connection.info.backend_pid)[fault]
        assert run(connection, "SELECT sec.enter(%s, 0)", [context]) == [(None,)]
        assert persons(connection) == 0
        if fault != "nobody":  # an account that does not exist cannot be signed for but by the application itself
            run(connection, f"SET LOCAL app.ctx = '{context}'")
            assert persons(connection) == 0


def test_context_of_another_connection_is_worth_nothing(register: Register) -> None:
    with visiting(register, ATTACKERS["district"]) as mine, psycopg.connect(register.address.conninfo("api_district")) as theirs:
        ((context,),) = run(mine, "SELECT current_setting('app.ctx')")
        assert persons(mine) == 144
        run(theirs, f"SET LOCAL app.ctx = '{context}'")
        assert persons(theirs) == 0


def test_context_ends_with_its_transaction(register: Register) -> None:
    with psycopg.connect(register.address.conninfo("api_district")) as connection:
        run(connection, "SELECT sec.enter(%s, 0)", [sign(register.accounts["d-one"], "district", connection.info.backend_pid)])
        assert persons(connection) == 144
        connection.commit()
        assert persons(connection) == 0


def test_role_does_not_enter_a_class_that_is_not_the_accounts(register: Register) -> None:
    for username, scope in (
        ("w-one", "district"),
        ("w-one", "loader"),
        ("s-one", "field"),
        ("a-one", "district"),
        ("u-one", "admin"),
        ("d-one", "admin"),
        ("c-one", "subdistrict"),
    ):
        with psycopg.connect(register.address.conninfo(f"api_{scope}")) as connection:
            context = sign(register.accounts[username], scope, connection.info.backend_pid)
            assert run(connection, "SELECT sec.enter(%s, 0)", [context]) == [(None,)]


def test_token_of_an_older_epoch_enters_nobody(register: Register) -> None:
    with psycopg.connect(register.address.conninfo("api_district")) as connection:
        context = sign(register.accounts["d-one"], "district", connection.info.backend_pid)
        for epoch in (1, -1, None):
            assert run(connection, "SELECT sec.enter(%s, %s::int)", [context, epoch]) == [(None,)]


def test_disabled_account_enters_nothing_from_the_next_transaction_on(root: Root, register: Register) -> None:
    account = BY_NAME["c-one", "field"]
    with acting(root, register, account):
        assert persons(root) > 0
    run(root, "UPDATE reg.account SET disabled_at = now() WHERE username = %s", [account.username])
    gone = replace(account, valid=False)
    with acting(root, register, gone):
        assert persons(root) == 0


def test_assignment_that_ends_takes_the_rows_at_once(root: Root, register: Register) -> None:
    with acting(root, register, ATTACKERS["field"]):
        assert persons(root) == 9
    run(root, "UPDATE reg.grid_assignment SET valid_to = reg.today() WHERE account_id = %s", [register.accounts["w-one"]])
    with acting(root, register, ATTACKERS["field"]):
        assert persons(root) == 0
