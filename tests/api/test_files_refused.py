"""What uploads refuse, and whom: a file is as its sender announced it, and nobody else's."""

import base64
import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.api.trail import as_superuser
from tests.api.uploads import SMALL, TUS, app, append, begin, maker, metadata, objects, photo, places, said, upload
from tests.drawn import Drawn
from tests.places import Places

__all__ = ["app", "maker", "places"]


# who is refused


def test_stranger_is_refused_everything(client: TestClient, maker: TestClient) -> None:
    place = begin(maker, 500)
    asked = (
        client.options("/v1/files"), client.post("/v1/files", headers=TUS | {"Upload-Length": "5"}), append(client, place, 0, photo(500)),
        client.head(place, headers=TUS), client.get(place), client.get(f"{place}/info"), client.delete(place, headers=TUS),
    )  # fmt: skip
    assert {answer.status_code for answer in asked} == {401}


def test_accounts_without_rows_of_the_register_are_refused(log_in: LogIn) -> None:
    for name in ("admin", "auditor"):
        assert said(log_in(name).post("/v1/files", headers=TUS | {"Upload-Length": "5"})) == (403, "forbidden")


def test_file_of_another_account_is_not_there(log_in: LogIn, maker: TestClient) -> None:
    place, unknown = begin(maker, 500), f"/v1/files/{uuid.uuid4()}"
    for name in ("worker-east", "community", "subdistrict"):
        other = log_in(name)
        for here in (place, unknown):
            asked = (append(other, here, 0, photo(500)), other.get(here), other.get(f"{here}/info"), other.delete(here, headers=TUS))
            assert [said(answer) for answer in asked] == [(404, "not-found")] * 4
            assert other.head(here, headers=TUS).status_code == 404


def test_who_sees_a_file_does_not_append_to_it(log_in: LogIn, maker: TestClient, places: Places) -> None:
    place = begin(maker, 500, kind="building", entity=places.buildings["tower"])
    for name in ("community", "subdistrict", "district"):
        other = log_in(name)
        assert other.head(place, headers=TUS).headers["Upload-Offset"] == "0"
        assert said(append(other, place, 0, photo(500))) == (403, "forbidden")
        assert said(other.delete(place, headers=TUS)) == (403, "forbidden")


def test_naming_the_file_of_another_in_a_link_opens_nothing(drawn: Drawn, log_in: LogIn, maker: TestClient, places: Places) -> None:
    place = upload(log_in("worker-east"), photo(500))
    as_superuser(
        drawn.address,
        b"INSERT INTO sync.file_link (file_id, kind, entity_id, linked_by, grid_id, subdistrict_id)"
        b" SELECT %s, 'building', id, %s, grid_id, subdistrict_id FROM reg.building WHERE id = %s",
        uuid.UUID(place.rpartition("/")[2]), places.accounts["worker"].account_id, places.buildings["tower"],
    )  # fmt: skip
    assert maker.get(place).status_code == 404
    assert log_in("district").get(place).status_code == 200


# what is refused


@pytest.mark.parametrize("version", [None, "0.2.2", "2.0.0", "1.0.0, 1.0.0"])
def test_another_version_of_the_protocol_is_refused_before_anything_is_looked_at(maker: TestClient, version: str | None) -> None:
    headers = {} if version is None else {"Tus-Resumable": version}
    place = f"/v1/files/{uuid.uuid4()}"
    for answer in (maker.post("/v1/files", headers=headers), maker.patch(place, headers=headers), maker.delete(place, headers=headers)):
        assert said(answer) == (412, "protocol-version")
        assert (answer.headers["Tus-Version"], answer.headers["Tus-Resumable"]) == ("1.0.0", "1.0.0")


@pytest.mark.parametrize(
    ("length", "status", "slug"),
    [
        (None, 422, "invalid-value"),
        ("-1", 422, "invalid-value"),
        ("0", 422, "invalid-value"),
        ("1e3", 422, "invalid-value"),
        ("1_0", 422, "invalid-value"),
        ("99999999999999999999", 422, "invalid-value"),
        ("10001", 413, "too-large"),
    ],
)
def test_length_that_no_file_has_is_refused(maker: TestClient, length: str | None, status: int, slug: str) -> None:
    answer = maker.post("/v1/files", headers=TUS | ({} if length is None else {"Upload-Length": length}))
    assert said(answer) == (status, slug)
    assert answer.json()["errors"][0]["field"].lower() == "upload-length"
    assert answer.headers["Tus-Resumable"] == "1.0.0"


@pytest.mark.parametrize(
    "filename",
    [
        "../../etc/passwd", "..", ".", ".htaccess", "/etc/passwd", "a/b.jpg", "a\\b.jpg", "C:x.jpg",
        "a\x00.jpg", "a\n.jpg", "\u202egpj.exe",
        'a".jpg', "<a>.jpg", "", " ", "x" * 151,
    ],
)  # fmt: skip
def test_name_that_is_more_than_a_word_is_refused(maker: TestClient, filename: str) -> None:
    answer = maker.post("/v1/files", headers=TUS | {"Upload-Length": "5"} | metadata(filename=filename))
    assert said(answer) == (422, "invalid-value")
    assert answer.json()["errors"][0]["field"] == "Upload-Metadata.filename"


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("filename", "Upload-Metadata.filename"),
        ("filename !!!", "Upload-Metadata"),
        ("filename /////w==", "Upload-Metadata"),
        ("filename eA==,filename eA==", "Upload-Metadata"),
        (",", "Upload-Metadata"),
        ("relativePath eA==", "Upload-Metadata.relativePath"),
        (f"filetype {base64.b64encode(b'text/html').decode()}", "Upload-Metadata.filetype"),
        (f"kind {base64.b64encode(b'building').decode()}", "Upload-Metadata.entity"),
        (f"id {base64.b64encode(b'1').decode()}", "Upload-Metadata.id"),
        (f"sha256 {base64.b64encode(b'00').decode()}", "Upload-Metadata.sha256"),
        ("filename " + "eHh4" * 1200, "Upload-Metadata"),
    ],
)
def test_metadata_that_mean_nothing_are_refused_by_name(maker: TestClient, header: str, field: str) -> None:
    answer = maker.post("/v1/files", headers=TUS | {"Upload-Length": "5", "Upload-Metadata": header})
    assert said(answer) == (422, "invalid-value")
    assert answer.json()["errors"][0]["field"] == field


def test_id_that_is_taken_is_refused(log_in: LogIn, maker: TestClient) -> None:
    mine = uuid.uuid4()
    begin(maker, 500, id=mine)
    for client, length in ((maker, 501), (log_in("worker-east"), 500), (log_in("district"), 500)):
        answer = client.post("/v1/files", headers=TUS | {"Upload-Length": str(length)} | metadata(id=mine))
        assert said(answer) == (409, "id-taken")


def test_too_many_unfinished_files_are_refused_until_one_is_closed(maker: TestClient) -> None:
    places = [begin(maker, 500) for _ in range(SMALL.upload_open)]
    assert said(maker.post("/v1/files", headers=TUS | {"Upload-Length": "5"})) == (409, "too-many-files")
    assert maker.delete(places[0], headers=TUS).status_code == 204
    assert append(maker, begin(maker, 500), 0, photo(500)).status_code == 204
    begin(maker, 500)


@pytest.mark.parametrize("offset", ["-1", "x", "1_0", None])
def test_offset_that_is_no_number_is_refused(maker: TestClient, offset: str | None) -> None:
    headers = TUS | {"Content-Type": "application/offset+octet-stream"} | ({} if offset is None else {"Upload-Offset": offset})
    assert said(maker.patch(begin(maker, 500), content=photo(500), headers=headers)) == (422, "invalid-value")


def test_wrong_offset_is_refused_and_the_right_one_told(maker: TestClient) -> None:
    place = begin(maker, 500)
    assert append(maker, place, 0, photo(500)[:200]).headers["Upload-Offset"] == "200"
    for offset in (0, 100, 201, 500, 10_000):
        answer = append(maker, place, offset, photo(500)[200:])
        assert said(answer) == (409, "offset-mismatch")
        assert answer.json()["offset"] == 200
    assert maker.head(place, headers=TUS).headers["Upload-Offset"] == "200"


@pytest.mark.parametrize("media_type", ["application/octet-stream", "image/jpeg", "application/json", ""])
def test_bytes_by_another_media_type_are_refused(maker: TestClient, media_type: str) -> None:
    answer = append(maker, begin(maker, 500), 0, photo(500), **{"Content-Type": media_type})
    assert said(answer) == (415, "unsupported-media-type")


def test_piece_of_a_wrong_size_is_refused_and_nothing_of_it_kept(maker: TestClient, tmp_path: Path) -> None:
    place = begin(maker, 5_000)
    data = photo(5_000)
    assert said(append(maker, place, 0, data[:1_001])) == (413, "too-large")
    assert said(append(maker, place, 0, data[:99])) == (422, "invalid-value")
    for at in range(0, 4_900, 980):
        assert append(maker, place, at, data[at : at + 980]).status_code == 204
    before = objects(tmp_path)
    assert said(append(maker, place, 4_900, data[:101])) == (413, "too-large")
    assert objects(tmp_path) == before
    assert maker.head(place, headers=TUS).headers["Upload-Offset"] == "4900"


def test_piece_whose_size_is_not_announced_is_stopped(maker: TestClient, tmp_path: Path) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(1_000):
            yield b"x" * 500

    headers = TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert said(maker.patch(begin(maker, 5_000), content=endless(), headers=headers)) == (413, "too-large")
    assert objects(tmp_path) == []


@pytest.mark.parametrize(
    ("checksum", "status", "slug"),
    [
        (f"sha256 {base64.b64encode(hashlib.sha256(b'other').digest()).decode()}", 460, "checksum-mismatch"),
        (f"sha1 {base64.b64encode(hashlib.sha1(b'other').digest()).decode()}", 460, "checksum-mismatch"),
        ("sha256 ", 460, "checksum-mismatch"),
        ("sha256 ?", 400, "malformed-request"),
        ("md5 1B2M2Y8AsgTpgAmY7PhCfg==", 400, "malformed-request"),
        ("", 400, "malformed-request"),
    ],
)
def test_piece_with_another_checksum_is_refused_and_nothing_of_it_kept(
    maker: TestClient, tmp_path: Path, checksum: str, status: int, slug: str
) -> None:
    place = begin(maker, 500)
    assert said(append(maker, place, 0, photo(500), **{"Upload-Checksum": checksum})) == (status, slug)
    assert maker.head(place, headers=TUS).headers["Upload-Offset"] == "0"
    assert objects(tmp_path) == []


@pytest.mark.parametrize(
    "data",
    [
        b"<html>" + b" " * 500,
        b"MZ" + b"\x00" * 500,
        b"GIF89a" + b"\x00" * 500,
        b"\x00" * 500,
        b"PK\x03\x04" + b"x" * 500,
        b" " + photo(500),
    ],
    ids=["html", "exe", "gif", "zeros", "zip", "jpeg-after-a-blank"],
)
def test_file_that_is_not_what_it_should_be_is_dropped(maker: TestClient, tmp_path: Path, data: bytes) -> None:
    place = begin(maker, len(data), filename="photo.jpg", filetype="image/jpeg")
    assert append(maker, place, 0, data[:300]).status_code == 204
    assert said(append(maker, place, 300, data[300:])) == (422, "file-refused")
    assert objects(tmp_path) == []
    assert said(append(maker, place, 300, data[300:])) == (410, "gone")
    assert maker.head(place, headers=TUS).status_code == 410
    assert said(maker.get(place)) == (410, "gone")
    info = maker.get(f"{place}/info").json()
    assert (info["state"], info["received"], info["content_type"]) == ("refused", 300, None)


def test_file_with_another_sha256_than_announced_is_dropped(maker: TestClient, tmp_path: Path) -> None:
    place = begin(maker, 500, sha256=hashlib.sha256(photo(501)).hexdigest())
    assert said(append(maker, place, 0, photo(500))) == (422, "file-refused")
    assert objects(tmp_path) == []


def test_file_whose_time_is_over_is_gone_and_may_begin_anew(drawn: Drawn, maker: TestClient) -> None:
    mine = uuid.uuid4()
    place = begin(maker, 500, id=mine)
    append(maker, place, 0, photo(500)[:200])
    as_superuser(drawn.address, b"UPDATE sync.file SET expires_at = now()")
    assert said(append(maker, place, 200, photo(500)[200:])) == (410, "gone")
    assert maker.head(place, headers=TUS).status_code == 410
    assert said(maker.delete(place, headers=TUS)) == (410, "gone")
    assert begin(maker, 700, id=mine) == place
    assert append(maker, place, 0, photo(700)).status_code == 204
    assert maker.get(place).content == photo(700)


def test_open_file_is_not_read(maker: TestClient) -> None:
    assert said(maker.get(begin(maker, 500))) == (409, "file-incomplete")


def test_complete_file_is_kept(maker: TestClient) -> None:
    place = upload(maker, photo(500))
    assert said(maker.delete(place, headers=TUS)) == (409, "kept")
    assert said(append(maker, place, 0, photo(500))) == (409, "offset-mismatch")
    assert said(maker.post("/v1/files", headers=TUS | {"Upload-Length": "501"} | metadata(id=place[-36:]))) == (409, "id-taken")
    assert maker.get(place).content == photo(500)


def test_file_whose_bytes_are_lost_is_told_before_any_byte(maker: TestClient, tmp_path: Path) -> None:
    place = upload(maker, photo(500))
    for path in objects(tmp_path):
        path.unlink()
    assert said(maker.get(place)) == (503, "busy")
