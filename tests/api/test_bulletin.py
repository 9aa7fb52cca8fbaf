"""/v1/rents/releases/{id}/bulletin: the published one for everybody, drafts for the office, made once."""

import io
import uuid

import pytest
from fastapi import FastAPI
from pypdf import PdfReader
from python_calamine import CalamineWorkbook
from starlette.testclient import TestClient

from api.dependencies import Parts
from tests.api.conftest import LogIn
from tests.drawn import Drawn
from tests.places import SOUTH
from tests.rented import release_all

Ids = dict[str, uuid.UUID]


@pytest.fixture
def made(drawn: Drawn) -> Ids:
    return release_all(drawn.database, drawn.places, SOUTH)


def test_draft_is_for_the_office_and_published_ones_for_everybody(client: TestClient, log_in: LogIn, made: Ids) -> None:
    draft, published = (f"/v1/rents/releases/{made[name]}/bulletin" for name in ("draft", "published"))
    for visitor in (client, log_in("worker"), log_in("admin")):
        assert visitor.get(draft).status_code == 404
        assert visitor.get(f"/v1/rents/releases/{uuid.UUID(int=7)}/bulletin").status_code == 404
    for query, field in (("lang=fr", "lang"), ("f=doc", "f"), ("colour=red", "colour")):
        refused = client.get(f"{published}?{query}")
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)

    office = log_in("district").get(draft, params={"lang": "en"})
    assert office.status_code == 200, office.text
    assert "Draft, not published: computed; not to be handed on" in PdfReader(io.BytesIO(office.content)).pages[0].extract_text()
    assert client.get(draft, params={"lang": "en"}).status_code == 404  # also now that it is made

    answer = client.get(published, params={"f": "xlsx"})
    assert answer.headers["content-disposition"] == 'attachment; filename="bulletin-2024Q1-1.zh.xlsx"'
    assert answer.headers["content-language"] == "zh"
    guide = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0).to_python()
    assert (guide[2][0], guide[2][5:8]) == (SOUTH, [32.0, 40.0, 48.0])


def test_bulletin_is_made_once_and_not_sent_again(app: FastAPI, client: TestClient, made: Ids) -> None:
    path = f"/v1/rents/releases/{made['published']}/bulletin?f=xlsx"
    first = client.get(path)
    assert first.status_code == 200, first.text
    parts: Parts = app.state.parts
    assert parts.documents.find((made["published"], first.headers["etag"])) == first.content
    parts.documents.put((made["published"], first.headers["etag"]), b"from the shelf")
    assert client.get(path).content == b"from the shelf"
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"{path}&lang=en").headers["etag"] != first.headers["etag"]
