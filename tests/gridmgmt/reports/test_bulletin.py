"""The bulletin: what it says, how it says that there is no number, and that it is the same tomorrow."""

import datetime as dt
import io
from typing import Any

import pytest
from pypdf import PdfReader

from gridmgmt.reports.bulletin import bulletin, change, content_of
from tests.gridmgmt.reports.issued import DISTRICT, WEST, issue, number, quarters


@pytest.fixture(scope="module")
def printed() -> bytes:
    return bulletin(issue(), "zh")


def parts(content: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [part for section in content["sections"] for part in section["parts"] if part["kind"] == kind]


def rows(table: dict[str, Any]) -> list[list[str]]:
    told = [row["group"] if isinstance(row, dict) else row for row in table["rows"]]
    return [[cell["text"] + (f" {cell['mark']}" if cell.get("mark") else "") for cell in row] for row in told]


def test_index_moved_as_its_published_numbers_say() -> None:
    one, other, hidden = (quarters(DISTRICT, value)[0] for value in ("104.00", "105.04", None))
    assert change(other, one) == "+1.0%"  # 105.04 ÷ 104.00 = 1.01
    assert change(one, other) == "-1.0%"
    assert change(one, hidden) == change(hidden, one) == change(None, one) == "–"


def test_headline_holds_the_district_against_the_last_quarter_and_year() -> None:
    table = parts(content_of(issue(), "en"), "table")[0]
    # on the year: 105.04 against the first quarter of 2023, 100.00
    assert rows(table) == [["Residential", "37.80", "42.00", "46.20", "105.04", "+1.0%", "+5.0%", "40"]]


def test_middle_is_called_what_it_is_and_the_band_a_spread_around_it() -> None:
    for language, district, communities, spread in (
        ("en", "the district's middle is the mean over the stock", "the median for a community", "typical spread around it"),
        ("zh", "全区的中值为存量加权平均", "社区为中位数，街道和全区为存量加权平均", "典型区间"),
    ):
        content = content_of(issue(), "zh" if language == "zh" else "en")
        note = parts(content, "note")[0]["text"]
        method = " ".join(one["text"] for one in parts(content, "paragraph"))
        assert district in note
        assert communities in method
        assert all(spread in text for text in (note, method))


def test_cell_without_a_number_has_a_dash_and_its_reason() -> None:
    content = content_of(issue(), "en")
    guide = parts(content, "table")[-2]
    assert rows(guide) == [
        ["440399", "试验区", "37.80", "42.00", "46.20"],
        ["440399001", "南街道", "37.80", "42.00", "46.20"],
        ["440399001001", "西社区", "36.00", "40.00 f", "44.00"],
        ["440399001002", "中<社>区", "–", "– 1", "–"],
        ["440399001003", "东社区", "40.05", "44.50 m", "48.95"],
    ]
    assert [line["sign"] for line in content["legend"]["lines"]] == ["m", "f", "– 1"]
    assert content["legend"]["lines"][-1]["text"] == "not shown, to protect those concerned"


def test_reason_that_has_no_words_is_told_as_too_little_data() -> None:
    cells = [number("guide", DISTRICT, None, reason="collinear")]
    (line,) = content_of(issue(cells=cells), "en")["legend"]["lines"]
    assert line == {"sign": "– 7", "text": "the observations do not determine it"}


def test_use_without_any_guidance_rent_is_named_in_place_of_a_table_of_dashes() -> None:
    hidden = [number("guide", area, None, use="plant") for area in (DISTRICT, WEST)]
    content = content_of(issue(cells=[number("guide", DISTRICT, "42.00"), *hidden]), "en")
    assert [table["above"] for table in parts(content, "table") if "above" in table] == [["Residential"]]
    assert parts(content, "note")[-1]["text"] == "No guidance rent can be told anywhere for: Plant"
    assert rows(parts(content, "table")[0])[-1][:3] == ["Plant", "–", "– 1"]


def test_release_without_figures_of_an_index_still_prints() -> None:
    assert parts(content_of(issue(cells=[number("guide", DISTRICT, "42.00")]), "zh"), "drawing") == []


def test_draft_and_demo_data_are_told_as_such() -> None:
    draft = content_of(issue(state="computed"), "zh")
    assert draft["notice"] == "草稿，未发布：状态为“已计算”，不得对外提供"
    assert draft["date"] == [2024, 4, 2]
    published = content_of(issue(demo=False), "zh")
    assert (published["notice"], published["demo"]) == (None, None)
    assert content_of(issue(state="superseded"), "en")["notice"] == "A later edition has taken the place of this one"
    # 17:00 UTC is the next day in the district
    assert published["subtitle"] == ["2024年第1季度", "第2版", "发布日期：2024-04-21"]


def test_every_page_says_what_it_is(printed: bytes) -> None:
    reader = PdfReader(io.BytesIO(printed))
    pages = [page.extract_text() for page in reader.pages]
    assert all("演示数据" in page for page in pages)
    whole = "\n".join(pages)
    for said in ("房屋租赁指导租金与租金价格指数公报", "试验区", "44.50", "105.04", "0123456789abcdef", "为保护当事人而不公开"):
        assert said in whole
    assert reader.metadata is not None
    assert reader.metadata.title == "试验区 440399 房屋租赁指导租金与租金价格指数公报"
    assert f"第 {len(pages)} 页，共 {len(pages)} 页" in pages[-1]


def test_same_release_gives_the_same_bytes_on_another_day(printed: bytes) -> None:
    assert bulletin(issue(), "zh") == printed
    reader = PdfReader(io.BytesIO(printed))
    assert reader.metadata is not None
    assert reader.metadata.creation_date is not None
    assert reader.metadata.creation_date.date() == dt.date(2024, 4, 21)
    assert reader.xmp_metadata is not None
    assert "pdfaid:conformance" in reader.xmp_metadata.stream.get_data().decode()


def test_drawings_say_in_words_what_they_show() -> None:
    shade, chart = parts(content_of(issue(), "en"), "drawing")
    assert shade["alt"] == "Map of 试验区: communities shaded by the guidance rent, Residential, from 40.00 to 44.50"
    assert chart["alt"].startswith("Line of the rental price index, Residential: 100.00 in 2023-01, 105.04 in 2024-01")
