"""Two writers at the same moment: the rules hold whoever is first, at any isolation level, and nobody is told less than the truth."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest
from psycopg import IsolationLevel, errors

from tests.protection.doors import Register, Root, entered, persons, run, tried
from tests.protection.promises import BUILDING
from tests.protection.seed import BY_NAME
from tests.protection.test_rules import grid, lease

OFFICE = BY_NAME["d-one", "district"]
WORKER = BY_NAME["w-one", "field"]
BOTH = pytest.mark.parametrize(
    "isolation", [IsolationLevel.READ_COMMITTED, IsolationLevel.REPEATABLE_READ], ids=["read-committed", "repeatable-read"]
)
LOST = ("23P01", "40001", "40P01", "55P03")
"""Refused, to be tried again, deadlocked, waited for too long: many at once that exclude each other wait in a ring."""


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


def at_once(pool: ThreadPoolExecutor, count: int, work: Callable[[int, Callable[[], object]], str]) -> list[str]:
    """Answers of so many writers, who meet at a barrier when each has taken its snapshot."""
    barrier = threading.Barrier(count)
    return [future.result(30) for future in [pool.submit(work, number, barrier.wait) for number in range(count)]]


def said(connection: Root, *statements: str) -> str:
    """`ok` when the statements are committed, else the constraint or the SQLSTATE of the refusal."""
    try:
        for statement in statements:
            run(connection, statement)
        connection.commit()
    except errors.Error as error:
        connection.rollback()
        return error.diag.constraint_name or error.sqlstate or "lost"
    return "ok"


def state(connection: Root, *statements: str) -> str:
    """The same, but always the SQLSTATE."""
    try:
        for statement in statements:
            run(connection, statement)
        connection.commit()
    except errors.Error as error:
        connection.rollback()
        return error.sqlstate or "lost"
    return "ok"


def waits(register: Register, connection: Root, future: "Future[str]") -> bool:
    """Whether what is sent over the connection comes to wait for a lock before it is done."""
    waiting = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
    with psycopg.connect(register.address.conninfo("postgres"), autocommit=True) as root:
        while not future.done():
            if run(root, waiting, [connection.info.backend_pid]) == [(True,)]:
                return True
            time.sleep(0.02)
    return False


@BOTH
def test_one_of_many_overlapping_grids_is_taken(own_register: Register, pool: ThreadPoolExecutor, isolation: IsolationLevel) -> None:
    years = ("1970", "1975") if isolation == IsolationLevel.READ_COMMITTED else ("1980", "1985")

    def draw(number: int, ready: Callable[[], object]) -> str:
        with entered(own_register, OFFICE, isolation) as connection:
            ready()
            code = f"{years[0][2]}{number:02d}"
            return state(
                connection, grid(code, 113.80 + number * 0.001, 113.81 + number * 0.001, f"{years[0]}-01-01", f"'{years[1]}-01-01'")
            )

    answers = at_once(pool, 6, draw)
    assert answers.count("ok") == 1
    assert set(answers) <= {"ok", *LOST}


def test_grid_drawn_meanwhile_is_waited_for_and_then_seen(own_register: Register, pool: ThreadPoolExecutor) -> None:
    years = ("1960-01-01", "'1965-01-01'")
    with entered(own_register, OFFICE) as first, entered(own_register, OFFICE) as second:
        run(first, grid("601", 113.80, 113.81, *years))
        run(first, "SET CONSTRAINTS ALL IMMEDIATE")  # looked, found nothing, and has not committed
        drawn = pool.submit(said, second, grid("602", 113.805, 113.815, *years))
        assert waits(own_register, second, drawn)
        first.commit()
        assert drawn.result(10) == "grid_no_overlap"


@BOTH
def test_one_of_many_main_residences_is_taken(own_register: Register, pool: ThreadPoolExecutor, isolation: IsolationLevel) -> None:
    year = 1950 if isolation == IsolationLevel.READ_COMMITTED else 1951
    move_in = (
        "INSERT INTO reg.residence (person_id, unit_id, grid_id, subdistrict_id, valid_from, valid_to)"
        f" SELECT person_id, unit_id, grid_id, subdistrict_id, '{year}-01-01', '{year}-12-31' FROM reg.residence WHERE person_id ="
        " (SELECT id FROM reg.person WHERE name = 'Somebody 80') AND valid_from = '2020-01-01'"
    )

    def enter(_: int, ready: Callable[[], object]) -> str:
        with entered(own_register, OFFICE, isolation) as connection:
            ready()
            return state(connection, move_in)

    answers = at_once(pool, 6, enter)
    assert answers.count("ok") == 1
    assert set(answers) <= {"ok", *LOST}


@BOTH
def test_one_of_many_leases_of_a_unit_is_taken(own_register: Register, pool: ThreadPoolExecutor, isolation: IsolationLevel) -> None:
    year = 2050 if isolation == IsolationLevel.READ_COMMITTED else 2060

    def let(number: int, ready: Callable[[], object]) -> str:
        with entered(own_register, OFFICE, isolation) as connection:
            ready()
            return state(connection, lease(f"R-{year}-{number}", f"{year}-01-0{number + 1}", f"{year + 1}-01-01"))

    answers = at_once(pool, 6, let)
    assert answers.count("ok") == 1
    assert set(answers) <= {"ok", *LOST}


SHRINK = "UPDATE reg.grid SET geom = public.ST_Multi(public.ST_MakeEnvelope({}, 22.70, {}, 22.71, 4490)) WHERE name = 'Grid {} 演'"


def test_building_that_waited_for_a_redraw_does_not_lie_outside_its_grid(own_register: Register, pool: ThreadPoolExecutor) -> None:
    # grid 8 loses its westernmost half thousandth, where nothing stands
    building = BUILDING.replace("113.8605", "113.8702").replace("'9'", "'8'")
    with entered(own_register, OFFICE) as draws, entered(own_register, OFFICE) as builds:
        run(draws, SHRINK.format(113.8705, 113.88, 8))
        built = pool.submit(said, builds, building)
        assert waits(own_register, builds, built)
        draws.commit()
        assert built.result(10) == "building_in_a_grid"


def test_redraw_that_waited_for_a_building_does_not_leave_it_outside(own_register: Register, pool: ThreadPoolExecutor) -> None:
    building = BUILDING.replace("113.8605", "113.9198").replace("'9'", "'7'")
    with entered(own_register, OFFICE) as draws, entered(own_register, OFFICE) as builds:
        run(builds, building)
        drawn = pool.submit(said, draws, SHRINK.format(113.91, 113.9195, 12))
        assert waits(own_register, draws, drawn)
        builds.commit()
        assert drawn.result(10) == "grid_keeps_its_buildings"


def test_head_lease_that_is_shortened_meanwhile_refuses_the_sublet(own_register: Register) -> None:
    with entered(own_register, OFFICE) as sublets, entered(own_register, OFFICE) as shortens:
        run(sublets, lease("S-1", "2021-01-01", "2030-01-01", parent="id"))
        assert said(shortens, "UPDATE reg.lease SET valid_to = '2029-01-01' WHERE number = 'L-70'") == "ok"
        assert said(sublets, "SELECT") == "lease_within_head"


def test_sublet_and_shortened_head_never_both_stand(own_register: Register, pool: ThreadPoolExecutor) -> None:
    """The commits themselves race: whoever is second sees the first."""
    for number in range(100, 106):
        until = f"(SELECT valid_to FROM reg.lease WHERE number = 'L-{number}')"
        sublet = lease(f"T-{number}", "2021-01-01", "2030-01-01", parent="id").replace("'L-70'", f"'L-{number}'")

        def write(which: int, ready: Callable[[], object], number: int = number, sublet: str = sublet) -> str:
            with entered(own_register, OFFICE) as connection:
                run(connection, sublet if which else f"UPDATE reg.lease SET valid_to = '2029-01-01' WHERE number = 'L-{number}'")
                ready()
                return said(connection, "SELECT")

        answers = at_once(pool, 2, write)
        assert "lease_within_head" in answers
        with psycopg.connect(own_register.address.conninfo("postgres")) as root:
            assert run(root, f"SELECT count(*) FROM reg.lease WHERE number = 'T-{number}' AND valid_to > {until}") == [(0,)]


def test_quota_gives_no_more_than_it_holds_to_many_at_once(own_register: Register, pool: ThreadPoolExecutor) -> None:
    with psycopg.connect(own_register.address.conninfo("postgres")) as root:
        run(root, "UPDATE sec.quota SET per_hour = 3 WHERE name = 'reveal'")
        ((person,),) = run(root, "SELECT id FROM reg.person WHERE grid_id = %s LIMIT 1", [own_register.grids[1]])

    def ask(_: int, ready: Callable[[], object]) -> str:
        with entered(own_register, WORKER) as connection:
            ready()
            return str(len(run(connection, "SELECT * FROM sec.reveal(%s, 'check', 'duty')", [person])))

    assert sorted(at_once(pool, 8, ask)) == ["0"] * 5 + ["1"] * 3
    with entered(own_register, WORKER, IsolationLevel.REPEATABLE_READ) as connection:
        assert tried(connection, "SELECT * FROM sec.reveal(%s, 'check', 'duty')", [person]) == "42501"
    with psycopg.connect(own_register.address.conninfo("postgres")) as root:
        assert run(root, "SELECT count(*) FROM reg.audit WHERE action = 'reveal' AND actor_id = %s", [own_register.accounts["w-one"]]) == [
            (3,)
        ]


def test_versions_count_by_one_and_the_past_has_no_gap(own_register: Register, pool: ThreadPoolExecutor) -> None:
    with psycopg.connect(own_register.address.conninfo("postgres")) as root:
        ((unit, first),) = run(root, "SELECT id, version FROM reg.unit WHERE grid_id = %s ORDER BY id LIMIT 1", [own_register.grids[10]])

    def correct(number: int, ready: Callable[[], object]) -> str:
        ready()
        for time_ in range(5):
            with entered(own_register, OFFICE) as connection:
                run(connection, "UPDATE reg.unit SET room = %s WHERE id = %s", [f"{number}-{time_}", unit])
        return "ok"

    assert at_once(pool, 4, correct) == ["ok"] * 4
    with psycopg.connect(own_register.address.conninfo("postgres")) as root:
        chain = run(
            root,
            "SELECT version, recorded_from, recorded_to FROM reg.unit_past WHERE id = %s UNION ALL"
            " SELECT version, recorded_from, NULL FROM reg.unit WHERE id = %s ORDER BY 1",
            [unit, unit],
        )
    assert [version for version, _, _ in chain][-21:] == list(range(first, first + 21))
    assert all(before[2] == after[1] and before[1] <= before[2] for before, after in itertools.pairwise(chain))


def test_same_number_entered_by_two_workers_at_once_is_one_identity(own_register: Register, pool: ThreadPoolExecutor) -> None:
    ensure = (
        "SELECT sec.person_ensure(reg.uuid7(), {}, gen_random_uuid(), {}, 'sealed', 1::smallint, 'N',"
        " NULL, NULL, NULL, NULL, NULL, 'floating')"
    )
    number = "'\\x000102030405060708090a0b0c0d0e0f'::bytea"

    def enter(which: int, ready: Callable[[], object]) -> str:
        account, place = ((WORKER, 1), (BY_NAME["w-two", "field"], 2))[which % 2]
        with entered(own_register, account) as connection:
            ready()
            return said(connection, ensure.format(own_register.grids[place], number))

    assert at_once(pool, 6, enter) == ["ok"] * 6
    with psycopg.connect(own_register.address.conninfo("postgres")) as root:
        found = run(
            root,
            "SELECT count(DISTINCT i.id), count(*) FILTER (WHERE s.is_first)"
            f" FROM reg.identity i JOIN reg.person_secret s ON s.identity_id = i.id WHERE id_bi = {number}",
        )
    assert found == [(1, 1)]


def test_account_disabled_by_another_connection_enters_no_further_transaction(own_register: Register) -> None:
    account = BY_NAME["c-two", "field"]
    with entered(own_register, account) as connection:
        assert persons(connection) == 36
    with entered(own_register, BY_NAME["a-one", "admin"]) as admin:
        run(admin, "UPDATE reg.account SET disabled_at = now(), epoch = epoch + 1 WHERE username = %s", [account.username])
    with entered(own_register, account) as connection:
        assert persons(connection) == 0
