"""Filters that cannot be used are refused in one line, at once, whatever they hold."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.cql2 import FilterError, Language, read_filter
from tests.counting import calls_below

QUERYABLES = {
    "geometry": "geometry", "code": "string", "name": "string", "floors": "integer", "height": "number", "let": "boolean", "built": "date",
}  # fmt: skip


def short(value: object) -> str:
    return str(value)[:40]


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("code", "code is not true or false"),
        ("code =", "at the end"),
        ("code = 'a", "not CQL2 at character 8"),
        ("code = 'a' code = 'b'", "expected AND, OR or the end at character 12, 'code'"),
        ("secret = 'x'", "there is no property 'secret'; there are geometry, code"),
        ('"secret" = \'x\'', "there is no property 'secret'"),
        ("geom IS NULL", "there is no property 'geom'"),
        ("id = 1", "there is no property 'id'"),
        ("house.secret = 'x'", "there is no property 'house.secret'"),
        ("\"code\"\" OR 1=1 --\" = 'x'", "expected"),
        ("pg_sleep(5) = 1", "there is no function 'pg_sleep' here"),
        ("pg_sleep(5)", "there is no operator or function 'pg_sleep' here"),
        ("floors = pg_sleep(5)", "floors takes a number"),
        ("casei(pg_sleep(5)) = 'x'", "there is no function 'pg_sleep'"),
        ("code = version()", "expected a property"),
        ("floors + 1 = 2", "expected AND, OR or the end at character 8, '\\+'"),
        ("floors = 1 + 1", "expected AND"),
        ("floors = 1 * 2", "not CQL2 at character 12, '\\* 2'"),
        ("code = 'a'::text", "not CQL2 at character 11"),
        ("code = 'a'; DROP TABLE house", "not CQL2 at character 11"),
        ("code = 'a' -- x", "at character 12, '-'"),
        ("code = 'a' /* x */", "not CQL2"),
        ("1 = 1", "= takes a property and values"),
        ("code = name", "code is compared with a value"),
        ("floors = 'x'", "floors takes a number"),
        ("floors = TRUE", "floors takes a number"),
        ("code = 1", "code takes a text in single quotes"),
        ("let = 'true'", "let takes true or false"),
        ("let > TRUE", "let is true or false"),
        ("built = '2020-01-01'", "built takes a day, such as DATE"),
        ("built = DATE('2020-02-30')", "there is no such day or time as 2020-02-30"),
        ("built = DATE('0000-01-01')", "there is no such day"),
        ("built = DATE('20200101')", "not a day or a time: '20200101'"),
        ("built = TIMESTAMP('2020-01-01')", "not a day or a time"),
        ("built = TIMESTAMP('9999-12-31T23:59:59Z')", "there is no such day or time"),
        ("code = DATE('2020-01-01')", "code takes a text"),
        ("floors = 1e999", "floors: a number is too large"),
        ("floors = 99999999999999999999", "floors: a number is too large"),
        ("floors = " + "9" * 5000, "more than 40 digits"),
        ("height = 1e999", "height: a number is too large"),
        ("floors LIKE '3%'", "like takes texts; floors is of type integer"),
        ("code LIKE '4\\'", "not CQL2 at character 11"),
        ("code LIKE '4\\\\'", "ends with a backslash"),
        ("code = '" + "\\'" * 30_000, "not CQL2 at character 8"),
        ("code LIKE name", "code is compared with a value"),
        ("CASEI(floors) = 3", "casei takes texts; floors is of type integer"),
        ("CASEI(code, name) = 'x'", "casei takes one text"),
        ("ACCENTI(code) = 'x'", "there is no function 'accenti'"),
        ("floors IN ()", "expected a property, a value or a function"),
        ("floors IN (" + ",".join(["1"] * 1001) + ")", "1 to 1,000 values"),
        ("floors BETWEEN 1", "expected AND at the end"),
        ("code NOT 'x'", "expected LIKE, BETWEEN or IN"),
        ("geometry = 1", "= does not apply to a geometry"),
        ("S_INTERSECTS(code, POINT(1 2))", "s_intersects takes a geometry; code is of type string"),
        ("S_INTERSECTS(geometry, geometry)", "not with another property"),
        ("S_INTERSECTS(geometry)", "s_intersects takes 2 arguments, not 1"),
        ("S_INTERSECTS(geometry, POINT(NaN 2))", "expected a number at character 30, 'NaN'"),
        ("S_INTERSECTS(geometry, POINT(1e999 2))", "not a finite number"),
        ("S_INTERSECTS(geometry, POINT(200 2))", "outside the reference system at 200, 2; longitude comes first"),
        ("S_INTERSECTS(geometry, POINT(1 2 3 4 5))", "a position has"),
        ("S_INTERSECTS(geometry, POINT(1 2, 3 4))", "a point has one position"),
        ("S_INTERSECTS(geometry, POLYGON((0 0,1 0,1 1)))", "a ring does not end where it begins at 1, 1"),
        ("S_INTERSECTS(geometry, POLYGON((0 0,1 1,0 1,1 0,0 0)))", "crosses or touches itself at 0.5, 0.5"),
        ("S_INTERSECTS(geometry, LINESTRING(" + ",".join(f"1 {n / 100}" for n in range(2001)) + "))", "more than 2,000 vertices"),
        ("S_TOUCHES(geometry, GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(1 2, 3 4)))", "takes collections of points, of lines or of areas"),
        ("S_EQUALS(geometry, GEOMETRYCOLLECTION(BBOX(0,0,2,2), BBOX(1,1,3,3)))", "crosses or touches itself at [12], [12]"),
        ("S_WITHIN(geometry, GEOMETRYCOLLECTION(POINT(1 2), POINT(200 2)))", "outside the reference system at 200, 2"),
        ("S_WITHIN(geometry, GEOMETRYCOLLECTION(" + ",".join(["POINT(1 2)"] * 101) + "))", "1 to 100 parts"),
        ("S_WITHIN(geometry, GEOMETRYCOLLECTION(" + ",".join("MULTIPOINT(" + ",".join(f"1 {n / 99:.4f}{m}" for n in range(999)) + ")"
                                                             for m in range(3)) + "))", "more than 2,000 vertices"),
        ("S_INTERSECTS(geometry, GEOMETRYCOLLECTION(" + ",".join(["POINT(1 2)"] * 101) + "))", "1 to 100 parts"),
        ("S_INTERSECTS(geometry, GEOMETRYCOLLECTION(GEOMETRYCOLLECTION(POINT(1 2))))", "type 'GeometryCollection' is not taken"),
        ("S_INTERSECTS(geometry, BBOX(1,2,3))", "bbox takes 4 numbers"),
        ("S_INTERSECTS(geometry, BBOX(0,50,1,40))", "south 50 lies above north 40"),
        ("S_RELATE(geometry, POINT(1 2), 'T')", "there is no operator or function 's_relate'"),
        ("DWITHIN(geometry, POINT(114 22.5), 0)", "more than 0 and at most 100,000 m"),
        ("DWITHIN(geometry, POINT(114 22.5), -1)", "more than 0"),
        ("DWITHIN(geometry, POINT(114 22.5), 1e9)", "at most 100,000 m"),
        ("DWITHIN(geometry, POINT(114 22.5), 1, miles)", "takes m or km"),
        ("DWITHIN(geometry, POINT(-66 22.5), 1)", "EPSG:4547, whose middle is 114"),
        ("T_AFTER(code, DATE('2020-01-01'))", "t_after takes days; code is of type string"),
        ("T_AFTER(DATE('2020-01-01'), DATE('2020-01-01'))", "t_after takes at least one property"),
        ("T_DURING(built, INTERVAL('2020-01-01','2019-01-01'))", "an interval ends before it begins"),
        ("T_DURING(built, INTERVAL('2020-01-01'))", "a first and a last day"),
        ("T_DURING(built, DATE('2020-01-01'))", "t_during takes an interval"),
        ("T_DURING(built, INTERVAL('x','..'))", "not a day or a time: 'x'"),
        ("(" * 21 + "let" + ")" * 21, "more than 20 brackets"),
        ("NOT " * 16_000 + "let", "more than 20 brackets or negations"),
        ("(" * 60_000, "more than 20 brackets"),
        ("a = " * 16_000 + "1", "expected AND"),
        (" OR ".join(["let"] * 200), "more than 100 conditions"),
        ("code = '" + "a" * 1_001 + "'", "at most 1,000 characters"),
        ("code = '" + "a" * 70_000 + "'", "longer than 65,536 characters"),
        ("code = 'a\0b'", "none of them NUL"),
    ],
    ids=short,
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_one_line(told: str, says: str) -> None:
    with pytest.raises(FilterError, match=says) as refused:
        read_filter(told, QUERYABLES)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("{", "is not JSON"),
        ("NaN", "is not JSON"),
        ("1", "a condition is expected"),
        ('"x"', "a condition is expected"),
        ("[]", "a condition is expected"),
        ("null", "a condition is expected"),
        ("{}", "an op and args"),
        ('{"op":"and"}', "an op and args"),
        ('{"op":["and"],"args":[]}', "an op and args"),
        ('{"op":"and","args":[]}', "and takes 2 or more arguments, not 0"),
        ('{"op":"and","args":[true],"filter":1}', "an op and args"),
        ('{"op":"=","args":[{"property":["code"]},"x"]}', "a property is expected"),
        ('{"op":"=","args":[{"property":"secret"},"x"]}', "there is no property 'secret'"),
        ('{"op":"=","args":[{"property":"code"},null]}', "code takes a text"),
        ('{"op":"=","args":[{"property":"code"},["x"]]}', "code takes a text"),
        ('{"op":"=","args":[{"property":"floors"},1e400]}', "is not JSON|too large"),
        ('{"op":"=","args":[{"property":"code"},"\\u0000"]}', "none of them NUL"),
        ('{"op":"=","args":[{"property":"code"},"\\ud800"]}', "is not JSON"),
        ('{"op":"in","args":[{"property":"code"},"x"]}', "in takes a list"),
        ('{"op":"*","args":[{"property":"floors"},2]}', "arithmetic is not taken"),
        ('{"op":"pg_sleep","args":[5]}', "there is no operator or function 'pg_sleep'"),
        ('{"op":"s_intersects","args":[{"property":"geometry"},{"type":"Point","coordinates":[1]}]}', "a position is a list"),
        ('{"op":"s_intersects","args":[{"property":"geometry"},{"type":"Point","coordinates":["1","2"]}]}', "a coordinate is not a number"),
        ('{"op":"s_intersects","args":[{"property":"geometry"},{"type":"Point","coordinates":[1,2,"3"]}]}', "a coordinate is not a number"),
        ('{"op":"s_intersects","args":[{"property":"geometry"},{"bbox":[true,0,1,1]}]}', "4 or 6 numbers"),
        ('{"op":"s_intersects","args":[{"property":"geometry"},{"type":"GeometryCollection","geometries":[]}]}', "1 to 100 parts"),
        ('{"op":"t_during","args":[{"property":"built"},{"interval":[1,2]}]}', "not a day or a time"),
        ('{"op":"not","args":[' * 50 + "true" + "]}" * 50, "nested more than 20 deep"),
        ('{"op":"not","args":[' * 1500 + "true" + "]}" * 1500, "is not JSON|nested more"),
    ],
    ids=short,
)  # fmt: skip
def test_json_that_cannot_be_used_is_refused_in_one_line(told: str, says: str) -> None:
    with pytest.raises(FilterError, match=says):
        read_filter(told, QUERYABLES, language="cql2-json")


@pytest.mark.parametrize("told", ["NOT (" * 24 + "let =", "((" * 13 + "floors=" * 3, "(floors IN (" * 20 + "1", "let AND " * 8_000 + "("])
def test_what_hangs_a_parser_that_backtracks_is_refused_after_some_calls_a_character(told: str) -> None:
    with calls_below(20 * len(told)), pytest.raises(FilterError):
        read_filter(told, QUERYABLES)


@settings(max_examples=300)
@given(st.lists(st.sampled_from([
    "code", "let", "=", "<>", "(", ")", "'x'", "1", "-", ",", "AND", "OR", "NOT", "LIKE", "IN", "BETWEEN", "IS", "NULL", "POINT", "BBOX",
    "DATE", "INTERVAL", "CASEI", "S_INTERSECTS", "geometry", '"', "'", "\\", "%", "楼", "\0", "1e999", "{", "TRUE",
])))  # fmt: skip
def test_no_heap_of_words_brings_the_reader_down(words: list[str]) -> None:
    languages: tuple[Language, ...] = ("cql2-text", "cql2-json")
    for language in languages:
        with suppress(FilterError):
            read_filter(" ".join(words), QUERYABLES, language=language)
