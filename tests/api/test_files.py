"""Uploads by tus 1.0.0 over HTTP: files that come in pieces, are read as a whole, and belong to what they show."""

import base64
import hashlib
import uuid
from pathlib import Path

import psycopg
import pytest
from starlette.testclient import TestClient

from gridmgmt import settings
from tests.api.conftest import LogIn
from tests.api.trail import trail
from tests.api.uploads import JPEG, TUS, app, app_of, append, begin, maker, metadata, objects, photo, places, said, settings_of, upload
from tests.drawn import Drawn
from tests.places import Places

__all__ = ["app", "maker", "places"]


def test_options_tell_what_is_spoken(maker: TestClient) -> None:
    answer = maker.options("/v1/files")
    assert answer.status_code == 204
    told = {name: answer.headers[name] for name in ("Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm")}
    assert told == {
        "Tus-Version": "1.0.0",
        "Tus-Extension": "creation,checksum,expiration,termination",
        "Tus-Max-Size": "10000",
        "Tus-Checksum-Algorithm": "sha256,sha1",
    }


def test_file_comes_in_pieces_and_is_read_as_a_whole(drawn: Drawn, maker: TestClient, places: Places, tmp_path: Path) -> None:
    data, mine, device = photo(2_500), uuid.uuid4(), uuid.uuid4()
    told = metadata(id=mine, filename="门口 1.jpeg", filetype="image/jpeg", kind="building", entity=places.buildings["tower"])
    began = maker.post("/v1/files", headers=TUS | told | {"Upload-Length": "2500", "X-Device-Id": str(device)})
    assert (began.status_code, began.headers["Location"], began.headers["Upload-Offset"]) == (201, f"/v1/files/{mine}", "0")
    place = began.headers["Location"]
    for at in (0, 1_000, 2_000):
        digest = base64.b64encode(hashlib.sha256(data[at : at + 1_000]).digest()).decode()
        answer = append(maker, place, at, data[at : at + 1_000], **{"Upload-Checksum": f"sha256 {digest}"})
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(min(at + 1_000, 2_500)))
        assert ("Upload-Expires" in answer.headers) == (at < 2_000)
        asked = maker.head(place, headers=TUS)
        assert (asked.status_code, asked.content, asked.headers["Cache-Control"]) == (200, b"", "no-store")
        assert (asked.headers["Upload-Offset"], asked.headers["Upload-Length"]) == (str(min(at + 1_000, 2_500)), "2500")
    assert {pair.split(" ")[0] for pair in asked.headers["Upload-Metadata"].split(",")} == {"filename", "filetype", "kind", "entity"}
    assert [path.read_bytes() for path in objects(tmp_path)] == [data]

    read = maker.get(place)
    assert (read.content, read.headers["Content-Type"], read.headers["Content-Length"]) == (data, "image/jpeg", "2500")
    assert read.headers["Content-Disposition"] == (f"attachment; filename=\"{mine}.jpg\"; filename*=UTF-8''%E9%97%A8%E5%8F%A3%201.jpg")
    assert (read.headers["X-Content-Type-Options"], read.headers["Cache-Control"]) == ("nosniff", "private, no-store")
    assert read.headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert maker.get(place, headers={"If-None-Match": read.headers["ETag"]}).status_code == 304

    info = maker.get(f"{place}/info").json()
    assert info["links"][0].items() >= {"kind": "building", "entity_id": str(places.buildings["tower"])}.items()
    assert {name: info[name] for name in ("id", "device_id", "state", "length", "received", "content_type", "sha256", "filename")} == {
        "id": str(mine), "device_id": str(device), "state": "complete", "length": 2_500, "received": 2_500, "content_type": "image/jpeg",
        "sha256": hashlib.sha256(data).hexdigest(), "filename": "门口 1.jpeg",
    }  # fmt: skip
    assert [row[:4] for row in trail(drawn.address, "create", "append", "read", "describe") if row[1] == "file"] == [
        ("create", "file", str(mine), "ok"), ("append", "file", str(mine), "ok"), ("read", "file", str(mine), "ok"),
        ("read", "file", str(mine), "ok"), ("describe", "file", str(mine), "ok"),
    ]  # fmt: skip


def test_refused_read_leaves_its_trace(drawn: Drawn, log_in: LogIn, maker: TestClient) -> None:
    place = upload(maker, photo(500))
    log_in("worker-east").get(place)
    assert trail(drawn.address, "read_file") == [("read_file", "file", place[-36:], "refused", None)]


def test_same_beginning_twice_is_one_file(maker: TestClient) -> None:
    mine = uuid.uuid4()
    place = begin(maker, 500, id=mine, filename="a.jpg")
    append(maker, place, 0, photo(500)[:200])
    again = maker.post("/v1/files", headers=TUS | {"Upload-Length": "500"} | metadata(id=mine, filename="a.jpg"))
    assert (again.status_code, again.headers["Location"], again.headers["Upload-Offset"]) == (201, place, "200")


def test_file_belongs_to_whoever_sees_what_it_is_linked_to(log_in: LogIn, maker: TestClient, places: Places) -> None:
    links = {"building": places.buildings["tower"], "unit": places.units["tower-101"], "resident": places.people["li"],
             "residence": places.residences["zhang-at-tower"], "lease": places.leases["village-let"],
             "manager": places.managers["zhang-for-village"]}  # fmt: skip
    for kind, entity in links.items():
        place = upload(maker, photo(500), kind=kind, entity=entity)
        seen = {name: log_in(name).get(place).status_code for name in ("worker", "community", "subdistrict", "district")}
        assert set(seen.values()) == {200}, kind
        assert [log_in(name).get(place).status_code for name in ("worker-east", "subdistrict-east")] == [404, 404], kind


@pytest.mark.parametrize("kind", ["building", "inspection"])
def test_file_of_what_is_not_there_yet_or_not_seen_stays_with_its_maker(
    log_in: LogIn, maker: TestClient, places: Places, kind: str
) -> None:
    for entity in (uuid.uuid4(), places.buildings["mill"]):
        place = upload(maker, photo(500), kind=kind, entity=entity)
        assert maker.get(f"{place}/info").json()["links"] == []
        assert [log_in(name).get(place).status_code for name in ("worker-east", "subdistrict", "district")] == [404, 404, 200]


@pytest.mark.parametrize(
    ("head", "content_type", "ending"),
    [
        (JPEG, "image/jpeg", "jpg"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png", "png"),
        (b"RIFF\x00\x01\x00\x00WEBPVP8 ", "image/webp", "webp"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "image/heic", "heic"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "image/heic", "heic"),
        (b"%PDF-1.7\n", "application/pdf", "pdf"),
    ],
)
def test_type_is_told_by_the_first_bytes(maker: TestClient, head: bytes, content_type: str, ending: str) -> None:
    read = maker.get(upload(maker, head + b"\x00" * 300, filename="shot.exe"))
    assert read.headers["Content-Type"] == content_type
    assert read.headers["Content-Disposition"].endswith(f"''shot.{ending}")


def test_given_up_file_leaves_nothing(maker: TestClient, tmp_path: Path) -> None:
    place = begin(maker, 500)
    append(maker, place, 0, photo(500)[:200])
    assert maker.delete(place, headers=TUS).status_code == 204
    assert objects(tmp_path) == []
    assert said(maker.delete(place, headers=TUS)) == (410, "gone")


def test_limits_are_those_of_the_settings(drawn: Drawn, tmp_path: Path) -> None:
    rules = settings.Uploads(upload_bytes=300, upload_chunk_least=10, upload_chunk_most=20, upload_days=2, upload_open=1)
    own = app_of(drawn, settings_of(tmp_path, rules, files=str(tmp_path / "photos")))
    token = own.state.parts.tokens.issue(drawn.places.accounts["worker"])
    with TestClient(own, headers={"Authorization": f"Bearer {token}"}) as maker:
        assert said(maker.post("/v1/files", headers=TUS | {"Upload-Length": "301"})) == (413, "too-large")
        place = begin(maker, 40)
        assert said(maker.post("/v1/files", headers=TUS | {"Upload-Length": "30"})) == (409, "too-many-files")
        assert [append(maker, place, 0, photo(40)[:size]).status_code for size in (9, 21, 20)] == [422, 413, 204]
    assert len(list((tmp_path / "photos").rglob("0-*"))) == 1
    with psycopg.connect(drawn.address.conninfo("postgres")) as superuser:
        assert superuser.execute("SELECT (expires_at - created_at)::text FROM sync.file").fetchall() == [("2 days",)]
