"""Whatever is sent below /ogc, nothing breaks: an answer, or a refusal that is a problem and names a parameter or member that was sent."""

import json
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.api.editing import ANY, BUILDINGS, GEOJSON, PATCH, feature, square
from tests.drawn import Drawn

MANY: Final = settings(max_examples=120, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NASTY: Final = (
    "", " ", "0", "-1", "1e400", "NaN", "inf", "9" * 30, "2147483648", "true", "null", "..", "../..", "2024-02-30", "2024-01-01/..",
    "2024-01-01T00:00:00Z", "113.8,22.5,114,22.7", "170,-10,-170,10", "1,2,3", "1,2,3,4,5,6", "a,b,c,d", "'", '"', "%", "\\", "演示",
    "name", "-name,rental", "name,name", "json", "cql2-json", "http://www.opengis.net/def/crs/EPSG/0/4547", "exact", "self_built",
)  # fmt: skip
NAMES: Final = (
    "bbox", "bbox-crs", "crs", "datetime", "filter", "filter-lang", "filter-crs", "limit", "cursor", "count", "sortby", "properties",
    "as_of", "f", "lang", "name", "rental", "floors_above", "nature", "built_year", "house_code", "no-such", "Name",
)  # fmt: skip
VALUES = st.sampled_from(NASTY) | st.text(max_size=12) | st.floats().map(str) | st.integers().map(str)

PROPERTIES = st.sampled_from(["name", "rental", "floors_above", "nature", "built_year", "geometry", "secret", '"name"'])
NUMBERS = st.sampled_from(["0", "-7", "2.5", "1e3", "1e-3", "2147483648", "9" * 20, "1e308", ".5", "+1"])
TEXTS = st.sampled_from(["''", "'a'", "'it''s'", "'%_'", "'\\'", "'演'", "CASEI('A')", "ACCENTI('é')"])
TIMES = st.sampled_from(["DATE('2024-01-01')", "TIMESTAMP('2024-01-01T00:00:00Z')", "INTERVAL('2020-01-01','..')", "INTERVAL('..','..')"])
SHAPES = st.sampled_from(
    ["POINT(114 22)", "POINT(1e9 2)", "LINESTRING(113 22,114 23)", "POLYGON((113 22,115 22,115 23,113 22))", "BBOX(113,22,115,23)",
     "MULTIPOINT((113 22),(114 22))", "POLYGON((0 0,1 1))", "GEOMETRYCOLLECTION(POINT(114 22),LINESTRING(113 22,114 23))", "POINT EMPTY"]
)  # fmt: skip
SCALARS = PROPERTIES | NUMBERS | TEXTS | TIMES | st.sampled_from(["TRUE", "FALSE", "CASEI(name)"])
SIMPLE = st.one_of(
    st.tuples(SCALARS, st.sampled_from(["=", "<>", "<", ">=", "LIKE", "NOT LIKE", "!="]), SCALARS).map(" ".join),
    st.tuples(
        PROPERTIES, st.sampled_from(["IS NULL", "IS NOT NULL", "IN (1,2)", "IN ('a','b')", "BETWEEN 1 AND 2", "NOT BETWEEN 'a' AND 'b'"])
    ).map(" ".join),
    st.tuples(
        st.sampled_from(["S_INTERSECTS", "S_WITHIN", "S_CONTAINS", "S_DISJOINT", "S_TOUCHES", "S_CROSSES", "S_EQUALS", "S_OVERLAPS"]),
        PROPERTIES | SHAPES,
        SHAPES | PROPERTIES,
    ).map(lambda parts: f"{parts[0]}({parts[1]},{parts[2]})"),
    st.tuples(
        st.sampled_from(["T_AFTER", "T_BEFORE", "T_DURING", "T_INTERSECTS", "T_EQUALS", "T_MEETS", "T_STARTS"]), PROPERTIES | TIMES, TIMES
    ).map(lambda parts: f"{parts[0]}({parts[1]},{parts[2]})"),
    PROPERTIES,
    st.text(alphabet="()'\",=<>ANDORNOTx1 .\\%_$;-", max_size=20),
)
FILTERS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"),
        inner.map(lambda one: f"NOT ({one})"),
    ),
    max_leaves=5,
)
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8), st.just([]),
    st.just({}),    st.sampled_from(["Point", "Polygon", "9" * 400, "\x00", "2026-02-30", [[[114, 22]]], [1e308, 1e308],
                     {"type": "Point"}]),
)  # fmt: skip


@pytest.fixture
def asking(log_in: LogIn) -> TestClient:
    return log_in("worker")


def checked(answer: Any, sent: set[str]) -> None:
    """The answer is one, or a problem that blames what was sent."""
    if answer.status_code < 300:
        return
    assert answer.status_code in {400, 404, 409, 412, 413, 415, 428}, answer.text
    problem = answer.json()
    assert (answer.headers["content-type"], problem["status"]) == ("application/problem+json", answer.status_code)
    for error in problem["errors"]:
        assert {error["field"], error["field"].partition(".")[0]} & sent, problem


BROKEN: Final = (
    ("limit=1&name=%00", "name"), ("name=%FF", "name"), ("limit=1&address=%ED%A0%80&f=json", "address"), ("name=%E6%BC&x=1", "name"),
    ("name=%zz", "name"), ("name=%", "name"), ("name=%26%00", "name"), ("nature=palace", "nature"), ("nature=", "nature"),
)  # fmt: skip


def test_value_that_cannot_be_names_its_parameter(asking: TestClient) -> None:
    for query, field in BROKEN:
        answer = asking.get(f"{BUILDINGS}?{query}")
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, [field]), query


@MANY
@given(st.dictionaries(st.sampled_from(NAMES) | st.text("ab%=&?#[].演", max_size=5), VALUES, max_size=4))
def test_parameters_of_any_kind_are_answered_or_refused(asking: TestClient, given: dict[str, str]) -> None:
    checked(asking.get(BUILDINGS, params=given), {name[:100] for name in given})


@MANY
@given(FILTERS, st.sampled_from(["buildings", "communities"]))
def test_filters_of_any_kind_are_answered_or_refused(asking: TestClient, text: str, layer: str) -> None:
    checked(asking.get(f"/ogc/collections/{layer}/items", params={"filter": text, "count": "exact"}), {"filter"})


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """A feature in which one or two members are something else, missing, or more."""
    body = json.loads(json.dumps(feature(draw(st.sampled_from([None, square(300, 300, 9)])))))
    for _ in range(draw(st.integers(1, 2))):
        at: Any = body
        parent: Any = None
        key: Any = None
        while isinstance(at, dict | list) and at and (parent is None or draw(st.booleans())):
            parent = at
            key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            at = at[key]
        if parent is None:
            break
        parent[key] = json.loads(json.dumps(draw(JUNK)))
    return body


MEMBERS = {"type", "geometry", "properties", "id", "body", "If-Match", "Content-Crs"}


@MANY
@given(spoilt(), st.sampled_from(["POST", "PUT", "PATCH"]))
def test_bodies_of_any_kind_are_taken_or_refused(asking: TestClient, drawn: Drawn, body: Any, method: str) -> None:
    address = BUILDINGS if method == "POST" else f"{BUILDINGS}/{drawn.places.buildings['tower']}"
    headers = PATCH | ANY if method == "PATCH" else GEOJSON | ANY
    checked(asking.request(method, address, content=json.dumps(body), headers=headers), MEMBERS)
