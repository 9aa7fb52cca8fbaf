import hashlib
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import func, select

from gridmgmt.database import Database
from gridmgmt.demo.district import build, is_built
from gridmgmt.demo.scales import SCALES
from gridmgmt.errors import ConflictError, ForbiddenError
from gridmgmt.models import Base, Building, Grid, Person
from gridmgmt.registers.identity_numbers import parse_identity_number
from gridmgmt.security.accounts import log_in
from gridmgmt.security.passwords import Passwords
from gridmgmt.settings import Address
from tests.gridmgmt.demo.conftest import TODAY, Demo, loader
from tests.places import SEALER, draw, register

CHOSEN_ANEW = {"recorded_from", "created_at", "password_hash", "id_enc", "phone_enc", "at", "xid"}
"""Columns that hold the time of the build, or a fresh nonce or salt."""


@pytest.fixture
def empty(own_database: Address) -> Iterator[Database]:
    with closing(register(own_database)) as database:
        yield database


def test_it_is_built_in_demo_mode_only(empty: Database) -> None:
    with pytest.raises(ForbiddenError):
        build(empty, SEALER, loader(empty), scale="tests", today=TODAY, demo_mode=False)


def test_it_is_not_built_over_another_register(empty: Database) -> None:
    draw(empty)
    with pytest.raises(ConflictError) as refused:
        build(empty, SEALER, loader(empty), scale="tests", today=TODAY, demo_mode=True)
    assert refused.value.slug == "register-not-empty"
    assert not is_built(empty, loader(empty))


def test_it_is_not_built_twice(demo: Demo) -> None:
    assert is_built(demo.database, loader(demo.database))
    with pytest.raises(ConflictError) as refused:
        build(demo.database, SEALER, loader(demo.database), scale="tests", today=TODAY, demo_mode=True)
    assert refused.value.slug == "demo-is-built"


def test_an_interrupted_build_is_finished_by_the_next_with_the_same_content(demo: Demo, empty: Database) -> None:
    def interrupt(noun: str, _done: int, _total: int) -> None:
        if noun == "lease":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(empty, SEALER, loader(empty), scale="tests", today=TODAY, demo_mode=True, progress=interrupt)
    assert not is_built(empty, loader(empty))
    summary = build(empty, SEALER, loader(empty), scale="tests", today=TODAY, demo_mode=True)
    assert is_built(empty, loader(empty))
    assert summary.stories == demo.summary.stories
    with psycopg.connect(empty.address.conninfo("postgres"), autocommit=True) as superuser:
        assert digests(superuser) == digests(demo.superuser)


def test_it_is_as_large_as_its_scale_says(demo: Demo) -> None:
    scale = SCALES["tests"]
    counted = {
        "grids": demo.one("SELECT count(*) FROM reg.grid"),
        "communities": demo.one("SELECT count(*) FROM reg.area WHERE level = 'community'"),
        "buildings": demo.one("SELECT count(*) FROM reg.building"),
        "rental": demo.one("SELECT count(*) FROM reg.building WHERE rental"),
        "units": demo.one("SELECT count(*) FROM reg.unit"),
        "residents": demo.one("SELECT count(*) FROM reg.residence WHERE valid_to IS NULL"),
        "residences": demo.one("SELECT count(*) FROM reg.residence"),
        "managers": demo.one("SELECT count(*) FROM reg.manager WHERE state = 'active' AND valid_to IS NULL"),
        "workers": demo.one("SELECT count(*) FROM reg.account WHERE role = 'worker'"),
    }
    assert counted == {
        "grids": 12, "communities": 6, "buildings": 60, "rental": 40, "units": 600, "residents": 500, "residences": 2_000, "managers": 36,
        "workers": 14,
    }  # fmt: skip
    running = demo.one("SELECT count(*) FROM reg.lease WHERE parent_id IS NULL AND %s < coalesce(ended_on, valid_to)", TODAY)
    assert running == scale.leases
    assert 200 <= demo.one("SELECT count(*) FROM reg.lease WHERE valid_from >= %s::date - 365", TODAY) <= 300


def test_rows_are_counted_as_they_are(demo: Demo) -> None:
    for noun, rows in demo.summary.rows.items():
        assert demo.one(f"SELECT count(*) FROM reg.{noun}") == rows


def test_no_name_number_or_phone_could_be_real(demo: Demo) -> None:
    assert (
        demo.one("SELECT count(*) FROM reg.person WHERE name NOT LIKE '%%演' OR id_mask NOT LIKE '00%%' OR phone_mask NOT LIKE '100%%'")
        == 0
    )
    assert demo.one("SELECT count(*) FROM reg.landlord WHERE name NOT LIKE '%%演'") == 0
    assert demo.one("SELECT count(*) FROM reg.lease WHERE lessor_name NOT LIKE '%%演'") == 0
    assert demo.one("SELECT count(*) FROM reg.area WHERE NOT approximate") == 0


def test_sealed_numbers_open_and_agree_with_what_is_seen(demo: Demo) -> None:
    sealed = demo.rows(
        "SELECT i.id, i.id_enc, i.id_bi, p.id_mask, p.sex, p.birth_year, p.id, s.phone_enc, p.phone_mask"
        " FROM reg.person p JOIN reg.person_secret s ON s.person_id = p.id JOIN reg.identity i ON i.id = s.identity_id"
    )
    assert len(sealed) == demo.summary.rows["person"]
    for identity, number_enc, blind, mask, sex, born, person, phone_enc, phone_mask in sealed:
        number = SEALER.open("identity|id_enc", identity, bytes(number_enc))
        parsed = parse_identity_number(number, today=TODAY, demo=True)
        assert (parsed.sex, parsed.birth_date.year) == (sex, born)
        assert mask == number[:6] + "********" + number[14:]
        assert bytes(blind) == SEALER.blind_index(number)
        phone = SEALER.open("person_secret|phone_enc", person, bytes(phone_enc))
        assert phone_mask == phone[:3] + "****" + phone[7:]


def test_everybody_is_written_in_the_grid_of_the_home(demo: Demo) -> None:
    elsewhere = (
        "SELECT count(*) FROM reg.person p JOIN reg.residence r ON r.person_id = p.id WHERE r.valid_to IS NULL AND r.grid_id <> p.grid_id"
    )
    assert demo.one(elsewhere) == 0
    assert demo.one("SELECT count(*) FROM reg.person_past") == 0


def test_only_the_grown_sign_leases_or_manage_buildings(demo: Demo) -> None:
    young = "SELECT count(*) FROM reg.person WHERE birth_year > 2026 - 23 AND id IN (SELECT {} FROM reg.{})"
    assert demo.one(young.format("lessee_id", "lease")) == 0
    assert demo.one(young.format("person_id", "manager")) == 0


def test_footprints_stay_inside_their_grid_and_apart(demo: Demo) -> None:
    leaving = "SELECT count(*) FROM reg.building b JOIN reg.grid g ON g.id = b.grid_id WHERE NOT ST_Covers(g.geom, b.footprint)"
    assert demo.one(leaving) == 0
    assert (
        demo.one("SELECT count(*) FROM reg.building a JOIN reg.building b ON a.id < b.id AND ST_Intersects(a.footprint, b.footprint)") == 0
    )


@pytest.mark.parametrize(("username", "codes"), [("district", ("440306022", "440306023")), ("subdistrict", ("440306022",))])
def test_an_account_logs_in_and_sees_its_area(demo: Demo, username: str, codes: tuple[str, ...]) -> None:
    there = "SELECT count(*) FROM reg.{} x JOIN reg.area a ON a.id = x.subdistrict_id WHERE a.code = ANY (%s)"
    actor = log_in(demo.database, Passwords(), username, "demo")
    with demo.database.transaction(actor, read_only=True) as session:
        seen = [session.scalar(select(func.count()).select_from(model)) for model in (Building, Person)]
    assert seen == [demo.one(there.format(noun), list(codes)) for noun in ("building", "person")]


@pytest.mark.parametrize("username", ["admin", "auditor"])
def test_an_account_without_an_area_logs_in(demo: Demo, username: str) -> None:
    assert log_in(demo.database, Passwords(), username, "demo").role == username


def test_community_and_worker_see_their_grids_only(demo: Demo) -> None:
    community, worker = (log_in(demo.database, Passwords(), name, "demo") for name in ("community", "worker"))
    with demo.database.transaction(community, read_only=True) as session:
        seen_by_community = session.scalars(select(Grid.code).order_by(Grid.code)).all()
    with demo.database.transaction(worker, read_only=True) as session:
        seen_by_worker = session.scalars(select(Grid.code).order_by(Grid.code)).all()
    assert {code[:12] for code in seen_by_community} == {"440306022001"}
    assert seen_by_worker == ["440306022001001", "440306022001002"]


def test_every_grid_has_a_worker_who_is_no_stand_in(demo: Demo) -> None:
    covered = demo.one("SELECT count(DISTINCT grid_id) FROM reg.grid_assignment WHERE NOT stand_in")
    assert covered == 12


BY_CHANCE = frozenset({"audit", "layer_change", "building_cell", "resident_count"})
"""Tables whose rows hang on transactions or on chance."""


def digests(superuser: psycopg.Connection[tuple[object, ...]]) -> dict[str, str]:
    """A hash over all rows of each table, without what differs from build to build."""
    made: dict[str, str] = {}
    for table in Base.metadata.tables.values():
        if table.schema != "reg" or table.name in BY_CHANCE:
            continue
        # serial numbers follow the order of writing, which the interruption changes only for what was undone
        columns = ", ".join(column.name for column in table.columns if column.name not in CHOSEN_ANEW and column.name != "version")
        rows = superuser.execute(f"SELECT t::text FROM (SELECT {columns} FROM reg.{table.name}) t ORDER BY 1".encode()).fetchall()
        made[table.name] = hashlib.sha256("\n".join(str(row) for row in rows).encode()).hexdigest()
    return made
