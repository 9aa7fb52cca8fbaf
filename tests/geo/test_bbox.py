import pytest

from geo.bbox import BBoxError, Box, envelope, parse_bbox


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
    with pytest.raises(ValueError, match="two envelopes"):
        envelope(box)


def test_a_box_covers_what_lies_on_its_edge_and_nothing_beyond() -> None:
    box = Box(113.7, 22.4, 114.0, 22.9)
    assert box.covers(113.7, 22.4, 113.8, 22.5)
    assert not box.covers(113.6, 22.4, 113.8, 22.5)
    assert not box.covers(113.9, 22.8, 113.95, 22.95)
