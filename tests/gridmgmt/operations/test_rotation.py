"""Rotation of the sealing key."""

import uuid

import psycopg
from sqlalchemy import text

from gridmgmt.operations.operator import open_register
from gridmgmt.operations.rotation import rotate
from gridmgmt.security.keys import add_sealing_version, load_keys
from gridmgmt.security.sealing import Sealer, follow_keys
from tests.handhelds import enrolled
from tests.installed import Installed
from tests.places import NUMBERS, PEOPLE

VALUES = len(NUMBERS) + len(PEOPLE)
"""A number of each person, and a phone, or none, of each."""


def sealed(installed: Installed) -> list[tuple[str, int, bytes | None]]:
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        found = superuser.execute(
            "SELECT 'number', kv, id_enc FROM reg.identity UNION ALL SELECT 'phone', kv, phone_enc FROM reg.person_secret"
        )
        return found.fetchall()


def revealed(installed: Installed, name: str) -> tuple[str, str | None]:
    """Number and phone of a person, as the office's reveal opens them with the keys of now."""
    sealer = Sealer.of(load_keys(installed.settings))
    person = installed.drawn.places.people[name]
    with installed.register.database.transaction(installed.drawn.places.accounts["district"]) as session:
        row = session.execute(
            text("SELECT identity_id, id_enc, phone_enc FROM sec.reveal(:person, 'correction', 'test')"), {"person": person}
        ).one()
    phone = None if row.phone_enc is None else sealer.open("person_secret|phone_enc", person, row.phone_enc)
    return sealer.open("identity|id_enc", row.identity_id, row.id_enc), phone


def test_damaged_value_is_named_and_left_and_the_others_are_sealed_anew(installed: Installed) -> None:
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        person = installed.drawn.places.people["li"]
        superuser.execute(
            "UPDATE reg.person_secret SET phone_enc = set_byte(phone_enc, 20, 255 - get_byte(phone_enc, 20)) WHERE person_id = %s", [person]
        )
    done = rotate(installed.register)
    assert (done.damaged, done.resealed, done.left) == ((f"person_secret|{person}",), VALUES - 1, 1)


def test_dead_letters_are_sealed_anew_too(installed: Installed) -> None:
    device, mutation = enrolled(installed.drawn), uuid.uuid4()
    sealed_body = Sealer.of(load_keys(installed.settings)).seal("dead_letter|body_enc", mutation, '{"seq": 1}')
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        superuser.execute(
            "INSERT INTO sync.dead_letter (device_id, client_seq, mutation_id, account_id, kind, body_enc, kv, problem)"
            " VALUES (%s, 1, %s, %s, 'unit', %s, 1, '{}')",
            [device.id, mutation, device.actor.account_id, sealed_body],
        )
    assert rotate(installed.register).resealed == VALUES + 1
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        row = superuser.execute("SELECT kv, body_enc FROM sync.dead_letter").fetchone()
    assert row is not None
    assert (row[0], Sealer.of(load_keys(installed.settings)).open("dead_letter|body_enc", mutation, row[1])) == (2, '{"seq": 1}')


def test_phones_in_conflicts_are_sealed_anew_too(installed: Installed) -> None:
    device, conflict = enrolled(installed.drawn), uuid.uuid4()
    phone = Sealer.of(load_keys(installed.settings)).seal("conflict|phone_enc", conflict, "13912345678").hex()
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        superuser.execute(
            "INSERT INTO sync.conflict (id, code, kind, entity_id, grid_id, subdistrict_id, device_id, client_seq, fields, yours)"
            " SELECT %s, 'target-deleted', 'resident', id, grid_id, subdistrict_id, %s, 1, '{phone}',"
            " jsonb_build_object('phone_enc', %s::text) FROM reg.person LIMIT 1",
            [conflict, device.id, phone],
        )
    done = rotate(installed.register)
    assert (done.resealed, done.left) == (VALUES + 1, 0)
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        row = superuser.execute("SELECT decode(yours ->> 'phone_enc', 'hex') FROM sync.conflict").fetchone()
    assert row is not None
    assert (row[0][0], Sealer.of(load_keys(installed.settings)).open("conflict|phone_enc", conflict, row[0])) == (2, "13912345678")


def test_rotation_leaves_nothing_under_the_old_version_and_every_reveal_opens(installed: Installed) -> None:
    before = sealed(installed)
    assert {version for _, version, _ in before} == {1}
    done = rotate(installed.register)
    after = sealed(installed)
    assert (done.version, done.resumed, done.resealed, done.damaged, done.left) == (2, False, VALUES, (), 0)
    assert {version for _, version, _ in after} == {2}
    assert {value[0] for _, _, value in after if value is not None} == {2}
    assert revealed(installed, "zhang") == ("000001198503120016", "13800000001")
    assert revealed(installed, "wang") == ("000001200101010033", None)


def test_interrupted_rotation_is_finished_without_a_further_key(installed: Installed) -> None:
    add_sealing_version(installed.settings)
    with open_register(installed.settings) as register:
        done = rotate(register)
    assert (done.version, done.resumed, done.left) == (2, True, 0)
    assert sorted(load_keys(installed.settings).sealing) == [1, 2]


def test_rotation_is_in_the_trail(installed: Installed) -> None:
    rotate(installed.register)
    with installed.register.database.transaction(installed.drawn.places.accounts["auditor"]) as session:
        row = session.execute(text("SELECT n_rows, detail->>'version' AS version FROM reg.audit WHERE action = 'rotate'")).one()
    assert (row.n_rows, row.version) == (VALUES, "2")


def test_running_server_seals_under_the_new_version_without_a_restart(installed: Installed) -> None:
    sealer = follow_keys(installed.settings)
    before = sealer()
    assert sealer() is before
    rotate(installed.register)
    assert (before.version, sealer().version) == (1, 2)


def test_rotation_works_in_batches_and_tells_how_far_it_is(installed: Installed) -> None:
    told: list[tuple[int, int]] = []
    rotate(installed.register, lambda done, everything: told.append((done, everything)), batch=2)
    assert told[0] == (0, VALUES)
    assert (VALUES, VALUES) in told
    assert len(told) > 3


def test_more_values_than_one_batch_are_sealed_anew(installed: Installed) -> None:
    sealer = Sealer.of(load_keys(installed.settings))
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser, superuser.cursor() as cursor:
        ids = [row[0] for row in cursor.execute("SELECT gen_random_uuid() FROM generate_series(1, 5000)")]
        with cursor.copy("COPY reg.identity (id, id_bi, id_enc, kv) FROM STDIN") as copy:
            for one in ids:
                copy.write_row((one, one.bytes, sealer.seal("identity|id_enc", one, "000001196606060061"), 1))
    assert rotate(installed.register).resealed == 5000 + VALUES
