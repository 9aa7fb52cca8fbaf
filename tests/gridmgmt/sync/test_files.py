"""Uploaded files below HTTP: pieces of any size, two writers at once, crashes between store and database, and the nightly job."""

import hashlib
import itertools
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as testing
from hypothesis import strategies as st

from gridmgmt.database import Actor
from gridmgmt.errors import BusyError, ConflictError, DistrictError, GoneError, InvalidError
from gridmgmt.models import File, FileLink
from gridmgmt.security.accounts import known_as
from gridmgmt.settings import Places as Folders
from gridmgmt.settings import SettingsError, Uploads, load_settings
from gridmgmt.sync import files
from gridmgmt.sync.files import Belongs, Expired
from gridmgmt.sync.stored import Stored
from tests.api.trail import as_superuser, trail
from tests.api.uploads import objects, photo
from tests.drawn import Drawn

RULES = Uploads(upload_bytes=100_000, upload_open=1_000)


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return Stored(tmp_path / "files")


@pytest.fixture
def maker(drawn: Drawn) -> Actor:
    return drawn.places.accounts["worker"]


@pytest.fixture
def loader(drawn: Drawn) -> Actor:
    operator = known_as(drawn.database, "local-operator")
    return Actor(operator.account_id, operator.username, operator.role, "loader", operator.epoch)


def begin(drawn: Drawn, maker: Actor, length: int, identifier: uuid.UUID | None = None) -> File:
    with drawn.database.transaction(maker) as session:
        return files.begin(session, maker, RULES, length=length, said={}, identifier=identifier)


def test_same_beginning_twice_at_once_is_one_file(drawn: Drawn, maker: Actor) -> None:
    """A repetition that overtakes the original must not be told that the id is taken: its sender would give the photo up."""
    photo, together = uuid.uuid4(), threading.Barrier(2)

    def at_once(length: int) -> uuid.UUID | str:
        try:
            with drawn.database.transaction(maker) as session:
                together.wait(10)
                return files.begin(session, maker, RULES, length=length, said={}, identifier=photo).id
        except ConflictError as refusal:
            return refusal.slug

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(at_once, [900, 900])) == [photo, photo]
        photo = uuid.uuid4()
        assert sorted(map(str, pool.map(at_once, [900, 901]))) == sorted([str(photo), "id-taken"])


def now(drawn: Drawn, actor: Actor, identifier: uuid.UUID) -> File:
    with drawn.database.transaction(actor) as session:
        return files.describe(session, actor, identifier)[0]


def upload(drawn: Drawn, maker: Actor, stored: Stored, data: bytes, cuts: list[int]) -> File:
    file = begin(drawn, maker, len(data))
    for start, end in itertools.pairwise([0, *cuts, len(data)]):
        file = files.append(drawn.database, maker, stored, file, data[start:end])
    return file


def contents(stored: Stored, file: File) -> bytes:
    return b"".join(stored.read(file.id, file.objects))


@testing(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(12, 20_000), cuts=st.lists(st.integers(1, 19_999), max_size=8, unique=True))
def test_pieces_of_any_size_give_the_same_bytes(  # noqa: PLR0917 -- pytest and hypothesis call by name
    drawn: Drawn, maker: Actor, stored: Stored, tmp_path: Path, length: int, cuts: list[int]
) -> None:
    data = photo(length)
    file = upload(drawn, maker, stored, data, sorted(cut for cut in cuts if cut < length))
    assert contents(stored, file) == data
    assert (file.state, file.sha256, file.content_type) == ("complete", hashlib.sha256(data).digest(), "image/jpeg")
    assert [path.name for path in objects(tmp_path) if str(file.id) in str(path)] == file.objects


def test_larger_file_than_one_write_is_put_together(drawn: Drawn, maker: Actor, stored: Stored) -> None:
    data = photo(1_000) * 12_000
    with drawn.database.transaction(maker) as session:
        file = files.begin(session, maker, Uploads(), length=len(data), said={})
    for at in range(0, len(data), 5_000_000):
        file = files.append(drawn.database, maker, stored, file, data[at : at + 5_000_000])
    assert contents(stored, file) == data


def test_of_two_who_append_the_same_piece_one_is_too_late(drawn: Drawn, maker: Actor, stored: Stored, tmp_path: Path) -> None:
    data, told = photo(2_000), list[object]()
    file = begin(drawn, maker, 2_000)
    ready = threading.Barrier(2)

    def append() -> None:
        ready.wait()
        try:
            told.append(files.append(drawn.database, maker, stored, file, data[:1_000]).received)
        except DistrictError as error:
            told.append((error.slug, error.facts["offset"]))

    writers = [threading.Thread(target=append) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(told, key=str) == [("offset-mismatch", 1_000), 1_000]
    assert len(objects(tmp_path)) == 1
    done = files.append(drawn.database, maker, stored, now(drawn, maker, file.id), data[1_000:])
    assert contents(stored, done) == data


def test_slower_writer_spoils_nothing_that_was_acknowledged(drawn: Drawn, maker: Actor, stored: Stored) -> None:
    """Both believe that the last piece is missing; the one who comes late has other bytes."""
    data = photo(2_000)
    half = files.append(drawn.database, maker, stored, begin(drawn, maker, 2_000), data[:1_000])
    done = files.append(drawn.database, maker, stored, half, data[1_000:])
    with pytest.raises(ConflictError):
        files.append(drawn.database, maker, stored, half, b"x" * 1_000)
    assert contents(stored, done) == data
    assert now(drawn, maker, done.id).objects == done.objects


def test_piece_that_was_written_and_not_counted_is_sent_again(
    drawn: Drawn, maker: Actor, loader: Actor, stored: Stored, tmp_path: Path
) -> None:
    data = photo(3_000)
    file = files.append(drawn.database, maker, stored, begin(drawn, maker, 3_000), data[:1_000])
    stored.put(file.id, 1_000, b"half of what was on its wa")  # and there the process died
    assert now(drawn, maker, file.id).received == 1_000
    for at in (1_000, 2_000):
        file = files.append(drawn.database, maker, stored, file, data[at : at + 1_000])
    assert contents(stored, file) == data
    assert len(objects(tmp_path)) == 2
    assert files.expire_files(drawn.database, loader, stored) == Expired(given_up=0, swept=1)
    assert [path.name for path in objects(tmp_path)] == file.objects
    assert files.expire_files(drawn.database, loader, stored) == Expired(given_up=0, swept=0)


def test_nightly_job_gives_up_what_is_overdue_and_nothing_else(
    drawn: Drawn, maker: Actor, loader: Actor, stored: Stored, tmp_path: Path
) -> None:
    complete = upload(drawn, maker, stored, photo(500), [])
    young, old = (files.append(drawn.database, maker, stored, begin(drawn, maker, 900), photo(500)) for _ in range(2))
    as_superuser(drawn.address, b"UPDATE sync.file SET expires_at = now() - interval '1 second' WHERE id = ANY (%s)", [old.id, complete.id])
    assert files.expire_files(drawn.database, loader, stored) == Expired(given_up=1, swept=2)
    assert [now(drawn, maker, file.id).state for file in (complete, young, old)] == ["complete", "open", "expired"]
    assert {path.parent.name for path in objects(tmp_path)} == {str(complete.id), str(young.id)}
    assert trail(drawn.address, "expire") == [("expire", "file", None, "ok", 1)]
    with drawn.database.transaction(maker) as session, pytest.raises(GoneError):
        files.awaiting(session, maker, old.id, 500)


def test_file_that_begins_anew_is_swept_after_again(drawn: Drawn, maker: Actor, loader: Actor, stored: Stored, tmp_path: Path) -> None:
    mine = uuid.uuid4()
    files.append(drawn.database, maker, stored, begin(drawn, maker, 900, identifier=mine), photo(500))
    as_superuser(drawn.address, b"UPDATE sync.file SET expires_at = now()")
    files.expire_files(drawn.database, loader, stored)
    assert objects(tmp_path) == []
    again = begin(drawn, maker, 900, identifier=mine)
    stored.put(mine, 0, b"left over")
    done = files.append(drawn.database, maker, stored, again, photo(900))
    assert files.expire_files(drawn.database, loader, stored) == Expired(given_up=0, swept=1)
    assert [path.name for path in objects(tmp_path)] == done.objects


def test_refused_file_keeps_no_byte(drawn: Drawn, maker: Actor, stored: Stored, tmp_path: Path) -> None:
    file = files.append(drawn.database, maker, stored, begin(drawn, maker, 900), b"x" * 500)
    with pytest.raises(InvalidError) as refused:
        files.append(drawn.database, maker, stored, file, b"x" * 400)
    assert refused.value.slug == "file-refused"
    assert objects(tmp_path) == []
    assert now(drawn, maker, file.id).state == "refused"


def test_store_that_does_not_answer_leaves_the_file_where_it_was(drawn: Drawn, maker: Actor, tmp_path: Path) -> None:
    (tmp_path / "files").write_text("no folder")
    file = begin(drawn, maker, 900)
    with pytest.raises(BusyError):
        files.append(drawn.database, maker, Stored(tmp_path / "files"), file, photo(500))
    assert now(drawn, maker, file.id).received == 0


def test_link_may_come_before_the_file(drawn: Drawn, maker: Actor, stored: Stored) -> None:
    mine, grid = uuid.uuid4(), drawn.places.grids["south-west"]
    place = Belongs(mine, "inspection", uuid.uuid4(), grid, drawn.places.areas["440399001"])
    with drawn.database.transaction(maker) as session:
        files.link(session, maker, [place, place])
        files.link(session, maker, [place])
    file = begin(drawn, maker, 500, identifier=mine)
    files.append(drawn.database, maker, stored, file, photo(500))
    for name in ("community", "subdistrict"):
        other = drawn.places.accounts[name]
        with drawn.database.transaction(other) as session:
            assert files.read(session, other, mine).id == mine
            assert [link.kind for link in session.query(FileLink)] == ["inspection"]


def test_link_to_a_grid_of_others_is_refused(drawn: Drawn, maker: Actor) -> None:
    place = Belongs(uuid.uuid4(), "inspection", uuid.uuid4(), drawn.places.grids["east-inner"], drawn.places.areas["440399002"])
    with pytest.raises(InvalidError) as refused, drawn.database.transaction(maker) as session:
        files.link(session, maker, [place])
    assert refused.value.slug == "outside-scope"


# where files lie


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (None, Path.cwd() / "here" / "files"),
        ("photos", Path.cwd() / "photos"),
        ("/srv/photos", Path("/srv/photos")),
        ("s3://district-photos/grid", "s3://district-photos/grid"),
    ],
)
def test_files_lie_in_the_home_unless_told_otherwise(given: str | None, place: Path | str) -> None:
    assert Folders(home=Path("here"), files=given).file_store == place


@pytest.mark.parametrize("given", ["http://files.example/", "s3://", "s3://Bucket", "gs://bucket", "s3://bucket/../other?x=1"])
def test_other_stores_are_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("GRIDMGMT_FILES", given)
    with pytest.raises(SettingsError, match=r"GRIDMGMT_FILES: neither a folder nor of the form s3://bucket/prefix"):
        load_settings()


def test_folder_of_files_is_closed_to_others(tmp_path: Path) -> None:
    Stored(tmp_path / "deep" / "files").try_out()
    assert (tmp_path / "deep" / "files").stat().st_mode & 0o777 == 0o700
    assert objects(tmp_path / "deep") == []
