"""The embedded database comes up whatever happened to it, or says in one line why it cannot."""

import json
import os
import shutil
import signal
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from gridmgmt.operations.cluster import Cluster, ClusterError, down, locate, prepare, reset, status, up
from tests.served import becomes

NewHome = Callable[[str], Path]


@pytest.fixture
def new_home(run_folder: Path, worker: str, numbers: Iterator[int]) -> Iterator[NewHome]:
    """Gives folders where nothing is yet; what is made there is taken away again."""
    given: list[Path] = []

    def give(name: str) -> Path:
        given.append(run_folder / f"{worker}-{next(numbers)}-{name}")
        return given[-1]

    yield give
    for folder in given:
        reset(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def home(run_folder: Path, worker: str) -> Path:
    """One home for all tests that mend what they break; each begins with `up`."""
    return run_folder / f"{worker}-mended"


@pytest.fixture
def running(home: Path) -> Cluster:
    return up(home, durable=False)


def ask(cluster: Cluster, question: str, *, role: str = "postgres", database: str = "postgres") -> object:
    with psycopg.connect(cluster.conninfo(role, database), autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    return None if row is None else row[0]


def do(cluster: Cluster, *statements: str) -> None:
    with psycopg.connect(cluster.conninfo("postgres", "postgres"), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def pid_of(home: Path) -> int:
    pid = status(home).pid
    assert pid is not None
    return pid


def test_home_with_a_dollar_sign_is_refused(run_folder: Path) -> None:
    with pytest.raises(ClusterError, match="without quotes, \\$ and backslashes"):
        up(run_folder / "a$b")


def test_home_that_cannot_be_made_is_named() -> None:
    with pytest.raises(ClusterError, match=r"/proc/nowhere cannot be made: .*; set GRIDMGMT_HOME to a folder of your own"):
        up(Path("/proc/nowhere"))


def test_cluster_that_was_never_made_is_absent_and_says_what_to_run(new_home: NewHome) -> None:
    folder = new_home("absent")
    assert status(folder).state == "absent"
    assert down(folder) is False
    with pytest.raises(ClusterError, match="run gridmgmt db up"):
        locate(folder)


def test_data_of_another_version_are_left_alone_and_explained(new_home: NewHome) -> None:
    folder = new_home("old")
    data = folder / "postgresql"
    (data / "global").mkdir(parents=True)
    (data / "global" / "pg_control").touch()
    (data / "PG_VERSION").write_text("9\n")
    if os.geteuid() == 0:
        shutil.chown(data, "postgres")
    with pytest.raises(ClusterError, match="was made by PostgreSQL 9, and the usable versions installed here are: 1"):
        up(folder)
    assert (data / "PG_VERSION").read_text() == "9\n"


def test_damaged_record_of_the_places_is_explained(running: Cluster, home: Path) -> None:
    record = (home / "cluster.json").read_text()
    (home / "cluster.json").write_text("{")
    with pytest.raises(ClusterError, match=r"cluster\.json is damaged: delete it"):
        status(home)
    (home / "cluster.json").write_text(record)
    assert status(home).data == str(running.home.data)


def test_server_that_refuses_its_configuration_gives_its_reason(running: Cluster, home: Path) -> None:
    down(home)
    main = running.home.data / "postgresql.conf"
    sound = main.read_text()
    main.write_text(f"{sound}nonsense = 1\n")
    with pytest.raises(ClusterError, match=r"did not start: configuration file .* contains errors"):
        up(home, durable=False)
    main.write_text(sound)
    assert ask(up(home, durable=False), "SELECT 1") == 1


def test_role_outside_the_map_is_refused(running: Cluster) -> None:
    do(running, "DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger LOGIN")
    with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
        ask(running, "SELECT 1", role="stranger")


def test_second_up_finds_the_same_server(running: Cluster, home: Path) -> None:
    before = pid_of(home)
    assert up(home, durable=False) == running
    assert pid_of(home) == before
    assert locate(home) == running


def test_two_ups_at_once_make_one_cluster(new_home: NewHome) -> None:
    folder = new_home("raced")
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        tries = [pool.submit(up, folder, durable=False, say=said.append) for _ in range(2)]
        first, second = [tried.result() for tried in tries]
    assert first == second
    assert len([line for line in said if line.startswith("Making a database")]) == 1


def test_killed_server_comes_back_with_its_rows(running: Cluster, home: Path) -> None:
    do(running, "SET synchronous_commit = on", "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 7 AS n")
    os.kill(pid_of(home), signal.SIGKILL)
    said: list[str] = []
    assert ask(up(home, durable=False, say=said.append), "SELECT n FROM kept") == 7
    assert said == ["The database was not shut down; it replays its log"]


def test_pid_file_that_names_a_stranger_is_dropped(running: Cluster, home: Path) -> None:
    down(home)
    (running.home.data / "postmaster.pid").write_text(f"{os.getpid()}\n{running.home.data}\n1\n5432\n\n\n")
    if os.geteuid() == 0:
        shutil.chown(running.home.data / "postmaster.pid", running.home.owner)
    assert status(home).state == "down"
    assert ask(up(home, durable=False), "SELECT 1") == 1


def test_socket_that_was_deleted_is_made_again(running: Cluster, home: Path) -> None:
    shutil.rmtree(running.home.sockets)
    assert status(home).state == "starting"
    assert ask(up(home, durable=False), "SELECT 1") == 1


def test_data_folder_open_to_others_is_closed(running: Cluster, home: Path) -> None:
    down(home)
    running.home.data.chmod(0o755)
    up(home, durable=False)
    assert stat.S_IMODE(running.home.data.stat().st_mode) == 0o700


def test_data_folder_that_is_no_cluster_is_moved_aside(new_home: NewHome) -> None:
    folder = new_home("broken")
    made = up(folder, durable=False)
    down(folder)
    (made.home.data / "PG_VERSION").unlink()
    assert status(folder).state == "incomplete"
    assert ask(up(folder, durable=False), "SELECT 1") == 1
    assert [path.name for path in made.home.place.glob("postgresql.broken-*/global")] == ["global"]


def test_interrupted_initdb_leaves_nothing_behind(new_home: NewHome) -> None:
    folder = new_home("interrupted")
    (folder / "postgresql.new" / "base").mkdir(parents=True)
    (folder / "postgresql.new" / "PG_VERSION").write_text("15\n")
    made = up(folder, durable=False)
    assert sorted(path.name for path in made.home.place.iterdir() if path.name.startswith("postgresql")) == ["postgresql"]


def test_server_whose_folder_was_deleted_is_ended(new_home: NewHome) -> None:
    folder = new_home("deleted")
    up(folder, durable=False)
    before = pid_of(folder)
    shutil.rmtree(folder)
    assert ask(up(folder, durable=False), "SELECT 1") == 1
    assert not Path(f"/proc/{before}/exe").exists()


def test_long_path_gets_a_short_socket_folder_and_keeps_it(new_home: NewHome) -> None:
    folder = new_home("x" * 120)
    made = up(folder, durable=False)
    assert len(os.fsencode(made.home.sockets / ".s.PGSQL.5432")) <= 107
    assert stat.S_IMODE(made.home.sockets.stat().st_mode) == 0o700
    assert ask(up(folder, durable=False), "SELECT 1") == 1
    assert locate(folder).home.sockets == made.home.sockets
    reset(folder)
    assert not made.home.sockets.exists()


def test_path_with_spaces_and_chinese_words_serves(new_home: NewHome) -> None:
    made = up(new_home("with space 网格"), durable=False)
    assert ask(made, "SELECT 1") == 1


def test_home_closed_to_the_databases_user_gets_another_place(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    tmp_path.chmod(0o700)
    said: list[str] = []
    made = up(folder, durable=False, say=said.append)
    assert ask(made, "SELECT 1") == 1
    if os.geteuid() == 0:  # the server runs as postgres
        assert made.home.place.parent == Path("/var/lib")
        assert f"{folder} is closed to the user postgres, who runs the database; its files are in {made.home.place}" in said
        assert json.loads((folder / "cluster.json").read_text())["place"] == str(made.home.place)
    else:
        assert made.home.place == folder
    reset(folder)
    assert not made.home.data.exists()


def test_moved_home_is_found_again(new_home: NewHome) -> None:
    before, after = new_home("before"), new_home("after")
    made = up(before, durable=False)
    do(made, "CREATE TABLE kept AS SELECT 7 AS n")
    down(before)
    before.rename(after)
    assert ask(up(after, durable=False), "SELECT n FROM kept") == 7


def test_copied_home_is_a_cluster_of_its_own(new_home: NewHome) -> None:
    original, copy = new_home("original"), new_home("copy" + "x" * 120)
    first = up(original, durable=False)
    down(original)
    shutil.copytree(original, copy)
    if os.geteuid() == 0:
        for path in (copy / "postgresql", *(copy / "postgresql").rglob("*"), *(copy / "log").iterdir()):
            shutil.chown(path, "postgres")
    first, second = up(original, durable=False), up(copy, durable=False)
    assert ask(first, "SHOW data_directory") == str(original / "postgresql")
    assert ask(second, "SHOW data_directory") == str(copy / "postgresql")


def test_cluster_is_durable_unless_asked_otherwise_and_only_on_a_socket(new_home: NewHome, cluster: Cluster) -> None:
    durable = up(new_home("durable"))
    names = ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "server_encoding", "TimeZone")
    assert [ask(durable, f"SHOW {name}") for name in names] == ["on", "on", "on", "", "UTF8", "UTC"]
    assert [ask(cluster, f"SHOW {name}") for name in names] == ["off", "off", "off", "", "UTF8", "UTC"]


def test_log_holds_no_value(running: Cluster) -> None:
    with psycopg.connect(running.conninfo("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS person")
        connection.execute("CREATE TABLE person (number text PRIMARY KEY)")
        connection.execute("INSERT INTO person VALUES ('440306199001019999')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO person VALUES ('440306199001019999')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO person VALUES (%s)", ["440306199001019999"])

    def log() -> str:
        return "".join(path.read_text() for path in running.home.log.glob("*.log"))

    assert becomes(lambda: log().count("duplicate key") >= 2, seconds=10)  # a process of its own writes it, when it comes to that
    assert "440306199001019999" not in log()


def test_prepare_may_be_said_twice(running: Cluster) -> None:
    for _ in range(2):
        prepare(running, "twice")
    assert ask(running, "SELECT current_user", role="api_field", database="twice") == "api_field"


def test_reset_deletes_the_data_and_keeps_the_keys(new_home: NewHome) -> None:
    folder = new_home("reset")
    made = up(folder, durable=False)
    (folder / "keys").mkdir()
    (folder / "keys" / "context.key").touch()
    reset(folder)
    assert status(folder).state == "absent"
    assert not made.home.data.exists()
    assert (folder / "keys" / "context.key").exists()
