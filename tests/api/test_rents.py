"""/v1/rents: published numbers for everybody, drafts and steps for the office."""

import csv
import io
import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from gridmgmt.rents.releases import Figure
from tests.api.conftest import LogIn
from tests.drawn import Drawn
from tests.places import NORTH, SOUTH
from tests.rented import add_like, figure, release_all, take_steps

Ids = dict[str, uuid.UUID]


@pytest.fixture
def made(drawn: Drawn) -> Ids:
    return release_all(drawn.database, drawn.places, SOUTH)


def step(client: TestClient, release: uuid.UUID, name: str, *, match: str = "*", **body: Any) -> Any:
    return client.post(f"/v1/rents/releases/{release}/{name}", headers={"If-Match": match}, json=body)


def test_nothing_published_is_told_as_such(client: TestClient) -> None:
    for path in ("guide", "index"):
        answer = client.get(f"/v1/rents/{path}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "nothing was published yet")
    assert client.get("/v1/rents/releases").json() == []


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("guide?quarter=2024Q5", 422, "quarter"),
        ("guide?use=tent", 422, "use"),
        ("guide?area=4403", 422, "area"),
        ("guide?f=pdf", 422, "f"),
        ("index?frequency=week", 422, "frequency"),
        ("index?from=2024", 422, "from"),
        ("index?lets=old", 422, "lets"),
        ("index?limit=0", 422, "limit"),
        ("index?colour=red", 422, "colour"),
        ("index?from=2024-05-01&to=2024-04-30", 422, "from"),
        ("guide?quarter=2024Q1&release=01a20bda-6f32-73f6-a6a5-fce8449bafa0", 422, "quarter"),
        ("index?quarter=2024Q1&release=01a20bda-6f32-73f6-a6a5-fce8449bafa0", 422, "quarter"),
        ("guide?quarter=1999Q1", 404, "quarter"),
    ],
)
def test_bad_parameter_is_named(client: TestClient, made: Ids, path: str, status: int, field: str) -> None:
    answer = client.get(f"/v1/rents/{path}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)


def test_drafts_and_their_notes_are_for_the_office_alone(client: TestClient, log_in: LogIn, made: Ids) -> None:
    for name, visitor in (("draft", client), ("reviewed", log_in("worker")), ("approved", log_in("admin"))):
        assert visitor.get(f"/v1/rents/releases/{made[name]}").status_code == 404
        assert visitor.get("/v1/rents/guide", params={"release": str(made[name])}).status_code == 404
    (shown,) = client.get("/v1/rents/releases").json()
    assert (shown["id"], shown["state"], shown["note"], shown["reviewed_at"]) == (str(made["published"]), "published", None, None)
    office = log_in("district").get("/v1/rents/releases").json()
    assert {one["id"] for one in office} == {str(one) for one in made.values()}
    assert {one["note"] for one in office} == {f"note of {name}" for name in made}


def test_reviewer_does_not_approve_and_no_step_is_left_out(log_in: LogIn, made: Ids) -> None:
    district = log_in("district")
    for name in ("approve", "publish"):
        assert step(district, made["draft"], name).status_code == 409
    assert step(district, made["draft"], "review", note="sound").json()["note"] == "sound"
    refused = step(district, made["draft"], "approve")
    assert (refused.status_code, refused.json()["detail"]) == (403, "whoever reviewed a release does not approve it")
    assert step(district, made["draft"], "review").status_code == 409
    assert step(district, made["published"], "reject").status_code == 409


@pytest.mark.parametrize("note", ["a\u0000b", "a\u001bb", "x" * 4001])
def test_note_that_cannot_be_kept_is_refused_by_name(log_in: LogIn, made: Ids, note: str) -> None:
    refused = step(log_in("district"), made["draft"], "review", note=note)
    assert (refused.status_code, [one["field"] for one in refused.json()["errors"]]) == (422, ["note"])
    assert step(log_in("district"), made["draft"], "review", note="two\nlines").json()["note"] == "two\nlines"


def test_step_names_the_version_that_was_read(log_in: LogIn, made: Ids) -> None:
    district, path = log_in("district"), f"/v1/rents/releases/{made['reviewed']}"
    assert district.post(f"{path}/approve", json={}).status_code == 428
    tag = district.get(path).headers["etag"]
    assert step(district, made["reviewed"], "approve", match='"v1"').status_code == 412
    assert step(district, made["reviewed"], "approve", match=tag).json()["state"] == "approved"


def test_publishing_another_edition_supersedes_the_first(client: TestClient, log_in: LogIn, made: Ids) -> None:
    assert step(log_in("district"), made["approved"], "publish").json()["state"] == "published"
    states = {one["id"]: one["state"] for one in client.get("/v1/rents/releases").json()}
    assert states == {str(made["approved"]): "published", str(made["published"]): "superseded"}
    assert client.get("/v1/rents/guide").json()["items"][0]["value"] == "40.00"


def test_published_numbers_are_for_everybody(client: TestClient, made: Ids) -> None:
    (guide,) = client.get("/v1/rents/guide").json()["items"]
    assert (guide["code"], guide["level"], guide["use"], guide["period"]) == (SOUTH, "community", "residential", "2024-01-01")
    assert [guide[name] for name in ("low", "value", "high", "n_told", "basis")] == ["32.00", "40.00", "48.00", 40, "direct"]
    (index,) = client.get("/v1/rents/index", params={"frequency": "quarter", "lets": "all", "from": "2024-01-01"}).json()["items"]
    assert (index["value"], index["lets"], index["frequency"]) == ("100.00", "all", "quarter")
    assert client.get("/v1/rents/index", params={"from": "2024-04-01"}).json() == {"items": [], "next": None}
    assert client.get("/v1/rents/guide", params={"area": NORTH}).json()["items"] == []


@pytest.mark.parametrize("product", ["guide", "index"])
def test_pages_go_on_in_the_release_that_they_began_in(client: TestClient, drawn: Drawn, made: Ids, product: str) -> None:
    areas = [drawn.places.areas[code] for code in (SOUTH, NORTH)]
    another(drawn, made["published"], [figure(area, "41.00", product=product) for area in areas])
    begun = client.get(f"/v1/rents/{product}", params={"limit": 1}).json()
    another(drawn, made["published"], [figure(area, "55.00", product=product) for area in areas])
    rest = client.get(f"/v1/rents/{product}", params={"limit": 1, "cursor": begun["next"]}).json()
    assert [(one["code"], one["value"]) for one in begun["items"] + rest["items"]] == [(SOUTH, "41.00"), (NORTH, "41.00")]
    assert rest["next"] is None
    assert [one["value"] for one in client.get(f"/v1/rents/{product}").json()["items"]] == ["55.00", "55.00"]


def another(drawn: Drawn, like: uuid.UUID, figures: list[Figure]) -> uuid.UUID:
    """A published release of the next quarter."""
    release = add_like(drawn.database, like, "2024Q2", figures)
    take_steps(drawn.database, drawn.places, release)
    return release


def test_revisions_tell_all_that_a_figure_says_in_one_row(client: TestClient, drawn: Drawn, made: Ids) -> None:
    guide = replace(figure(drawn.places.areas[SOUTH], "40.00"), high=Decimal(90), flag="few", n_told=None)
    later = another(drawn, made["published"], [guide])
    asked: dict[str, Any] = {"url": f"/v1/rents/releases/{later}/revisions", "params": {"since": str(made["published"])}}
    first, second = client.get(**asked).json()
    said = {
        "value": "40.00", "low": "32.00", "high": "48.00", "se": "0.0100", "n_told": 40, "basis": "direct", "flag": None, "reason": None,
    }  # fmt: skip
    assert (first["before"], first["after"]) == (said, said | {"high": "90.00", "flag": "few", "n_told": None})
    assert (second["product"], second["before"]["value"], second["after"]) == ("index", "100.00", None)
    asked["params"]["f"] = "csv"
    answer = client.get(**asked)
    assert answer.headers["content-type"].startswith("text/csv")
    row, gone = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert [row[f"{name}_{when}"] for name in ("high", "flag", "n_told") for when in ("before", "after")] == [
        "48.00", "90.00", "", "few", "40", "",
    ]  # fmt: skip
    assert (gone["value_before"], gone["value_after"], gone["basis_after"]) == ("100.00", "", "")


def test_what_a_guidance_rent_is_is_told(client: TestClient, app: FastAPI) -> None:
    told = app.openapi()["components"]["schemas"]["GuideFigure"]["description"]
    layer = client.get("/ogc/collections/guide-rents").json()["description"]
    for said in (told, layer):
        words = " ".join(said.split())
        assert "median for a community" in words
        assert "mean over the stock" in words
        assert "typical spread around it" in words


def test_figures_as_a_file(client: TestClient, made: Ids) -> None:
    answer = client.get("/v1/rents/guide", params={"f": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="guide-rents-2024Q1.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert (row["code"], row["value"], row["reason"]) == (SOUTH, "40.00", "")


@pytest.mark.parametrize(
    ("rent_fen", "verdict", "place"),
    [
        # 100 m²; the band is 32 – 40 – 48 yuan: at its ends the 20th and the 80th percentile
        (310_000, "below", (0, 20)),
        (320_000, "within", (19.9, 20.1)),
        (400_000, "within", (50, 50)),
        (480_000, "within", (79.9, 80.1)),
        (900_000, "above", (99, 100)),
    ],
)
def test_rent_is_held_against_the_band(log_in: LogIn, made: Ids, rent_fen: int, verdict: str, place: tuple[float, float]) -> None:
    body = {"area": SOUTH, "use": "residential", "rent_fen": rent_fen, "area_m2": 100}
    answer = log_in("worker").post("/v1/rents/check", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["verdict"] == verdict
    assert place[0] <= answer.json()["percentile"] <= place[1]


def test_ends_of_the_band_stand_where_its_run_put_them(log_in: LogIn, drawn: Drawn) -> None:
    release_all(drawn.database, drawn.places, SOUTH, band={"low": 0.1, "high": 0.9})
    for rent_fen, place in ((320_000, 10), (480_000, 90)):
        body = {"area": SOUTH, "use": "residential", "rent_fen": rent_fen, "area_m2": 100}
        assert log_in("worker").post("/v1/rents/check", json=body).json()["percentile"] == place


def test_rent_without_a_guidance_rent_is_told_so(log_in: LogIn, made: Ids) -> None:
    body = {"area": NORTH, "use": "residential", "rent_fen": 100, "area_m2": 1}
    answer = log_in("worker").post("/v1/rents/check", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (404, "area")
    assert log_in("worker").post("/v1/rents/check", json=body | {"area_m2": 0}).status_code == 422


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"rent_fen": 100_000_000_000, "area_m2": 1e-300}, "area_m2"),  # no floor area; their quotient has no digits left
        ({"area_m2": 0.99}, "area_m2"),
        ({"area_m2": 100_001}, "area_m2"),
        ({"rent_fen": 100_000_000_000, "area_m2": 100}, "rent_fen"),  # ten million yuan per m²
        ({"rent_fen": 4_999, "area_m2": 100}, "rent_fen"),  # 0.4999 yuan
        ({"rent_fen": 1, "area_m2": 100_000}, "rent_fen"),
    ],
)
def test_rent_that_would_be_no_observation_is_refused_by_name(log_in: LogIn, made: Ids, given: dict[str, object], field: str) -> None:
    body = {"area": SOUTH, "use": "residential", "rent_fen": 400_000, "area_m2": 100} | given
    answer = log_in("worker").post("/v1/rents/check", json=body)
    assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (422, [field])


def test_methods_name_their_sources(client: TestClient) -> None:
    methods = {one["name"]: one for one in client.get("/v1/rents/methods").json()}
    assert [name for name, one in methods.items() if one["default"]] == ["rolling"]
    assert "Bailey, Muth and Nourse" in methods["repeat"]["source"]
    assert all(one["title_zh"] for one in methods.values())
