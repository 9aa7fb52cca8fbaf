import pytest
import shapely

from geo.bbox import BBoxError, Box, parse_bbox
from geo.crs import EXCHANGES, Exchange


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "count"),
        ("113,22,114", "count"),
        ("113,22,114,23,5", "count"),
        ("113,22,114,23,1,2,3", "count"),
        ("1," * 5000, "count"),
        ("abc", "count"),
        ("113,22,114,north", "number"),
        ("113,22,114,", "number"),
        ("113,22,114,nan", "number"),
        ("113,22,114,inf", "number"),
        ("113,22,114,1_0", "number"),
        ("113,22,114,0x10", "number"),
        ("113,22,114,２３", "number"),
        ("113,22,114,23;DROP TABLE area", "number"),
        ("113,22,114,1e400", "finite"),
        ("-181,22,114,23", "range"),
        ("113,22,180.5,23", "range"),
        ("22,113,23,114", "range"),
        ("113,23,114,22", "order"),
        ("113,22,9,114,23,8", "order"),
    ],
)
def test_a_bbox_that_is_none_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(BBoxError) as refusal:
        parse_bbox(text)
    assert refusal.value.reason == reason
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("113.75,22.5,114,22.875", Box(113.75, 22.5, 114.0, 22.875)),
        (" 113.75 , 22.5,1.14e2,+22.875", Box(113.75, 22.5, 114.0, 22.875)),
        ("113.75,22.5,-10,114,22.875,400", Box(113.75, 22.5, 114.0, 22.875)),
        ("-180,-90,180,90", Box(-180.0, -90.0, 180.0, 90.0)),
        ("113.75,22.5,113.75,22.5", Box(113.75, 22.5, 113.75, 22.5)),
    ],
)
def test_a_bbox_has_four_numbers_or_six_with_heights(text: str, box: Box) -> None:
    assert parse_bbox(text) == box
    assert box.halves() == (box,)


def test_a_bbox_across_the_180th_meridian_has_two_halves() -> None:
    box = parse_bbox("177,-20,-178,-10")
    assert box.halves() == (Box(177.0, -20.0, 180.0, -10.0), Box(-180.0, -20.0, -178.0, -10.0))
    assert [shapely.from_wkb(half).bounds for half in box.literals()] == [(177, -20, 180, -10), (-180, -20, -178, -10)]


def by_code(code: str) -> Exchange:
    return next(one for uri, one in EXCHANGES.items() if uri.endswith(f"/{code}"))


@pytest.mark.parametrize("code", ["4490", "4326"])
def test_a_bbox_in_degrees_of_the_authority_begins_with_the_latitude(code: str) -> None:
    box = parse_bbox("22.5,113.75,22.875,114", by_code(code))
    assert (box.west, box.south, box.east, box.north) == (113.75, 22.5, 114.0, 22.875)
    beyond = parse_bbox("113.75,22.5,114,22.875", by_code(code))
    assert (beyond.south, beyond.north) == (113.75, 114.0)  # where nothing is
    with pytest.raises(BBoxError, match="latitudes lie between"):
        parse_bbox("180.5,22.5,181,22.875", by_code(code))


def test_a_bbox_in_metres_is_a_bent_quadrangle_of_degrees() -> None:
    """Corners by hand from the central meridian: there easting 500,000 is 114 degrees east whatever the northing."""
    box = parse_bbox("2490000,490000,2500000,500000", by_code("4547"))
    (shape,) = (shapely.from_wkb(one) for one in box.literals())
    assert shape.bounds[2] == pytest.approx(114, abs=1e-9)
    assert shape.bounds[2] - shape.bounds[0] == pytest.approx(10_000 / (111_320 * 0.9237), rel=2e-3)
    assert shapely.from_wkb(box.cores()[0]).is_empty
    assert shapely.get_num_coordinates(shape) == 65


def test_a_bbox_in_web_mercator_is_a_box_of_degrees() -> None:
    """20037508.34 m are 180 degrees, so a tenth is 18; north of the equator 2 atan(exp(y / 6378137 m)) - 90 degrees."""
    box = parse_bbox("0,0,2003750.834,2003750.834", by_code("3857"))
    assert shapely.from_wkb(box.literals()[0]).bounds == pytest.approx((0, 0, 18, 17.71101), abs=1e-5)
    assert shapely.from_wkb(box.cores()[0]).bounds == pytest.approx((2e-5, 2e-5, 18 - 2e-5, 17.71101 - 2e-5), abs=1e-5)


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("0,5000,1,4000", "4547", "order"),
        ("5000,0,4000,1", "3857", "order"),
        ("0,-1e9,1,1e9", "3857", "range"),
        ("1e8,0,2e8,1", "4547", "range"),
    ],
)
def test_a_bbox_in_metres_has_an_order_and_limits(text: str, code: str, reason: str) -> None:
    with pytest.raises(BBoxError) as refusal:
        parse_bbox(text, by_code(code))
    assert refusal.value.reason == reason


def test_a_box_covers_what_lies_on_its_edge_and_nothing_beyond() -> None:
    box = Box(113.7, 22.4, 114.0, 22.9)
    assert box.covers(113.7, 22.4, 113.8, 22.5)
    assert not box.covers(113.6, 22.4, 113.8, 22.5)
    assert not box.covers(113.9, 22.8, 113.95, 22.95)
