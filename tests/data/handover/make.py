"""Writes the small hand-over beside this file: `python tests/data/handover/make.py`. What must come of it stands in expected.json, by hand.

Two communities of Xixiang of 0.01 by 0.01 degrees, two grids in each. Nobody in it exists: numbers begin with 00, names end in 演.
"""

import csv
import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import shapely
import xlsxwriter
from stdnum.iso7064 import mod_11_2

from geo.datum import Datum, from_cgcs2000
from geo.tables import Table
from geo.writing import write_table

HERE: Final = Path(__file__).parent

AREAS: Final = (
    # children before parents: the order must not matter
    ("440306018001", "固戍社区", "community", "440306018", (113.86, 22.57, 113.87, 22.58)),
    ("440306018002", "南昌社区", "community", "440306018", (113.87, 22.57, 113.88, 22.58)),
    ("440306018", "西乡街道", "subdistrict", "440306", (113.86, 22.57, 113.88, 22.58)),
    ("440306", "宝安区", "district", None, (113.85, 22.56, 113.89, 22.59)),
)
GRIDS: Final = (
    ("440306018001001", "固戍西", (113.860, 22.57, 113.865, 22.58)),
    ("440306018001002", "固戍东", (113.865, 22.57, 113.870, 22.58)),
    ("440306018002001", "南昌西", (113.870, 22.57, 113.875, 22.58)),
    ("440306018002002", "南昌东", (113.875, 22.57, 113.880, 22.58)),
)
A, B, C, D, E = "4403060180010100001", "4403060180010200002", "4403060180020100003", "4403060180010100004", "4403060180020200005"
BUILDING_HEADER: Final = ("房屋编码", "楼栋名称", "地址", "经度", "纬度", "坐标系", "层数", "建成年份", "房屋性质", "是否出租")
UNIT_HEADER: Final = ("单元编码", "房屋编码", "楼层", "房号", "建筑面积（㎡）", "用途")
PEOPLE_HEADER: Final = ("姓名", "证件号码", "性别", "出生日期", "电话", "登记类别", "单元编码", "入住日期", "离开日期", "申报日期", "备注")
LEASE_HEADER: Final = (
    *("合同编号", "单元编码", "出租人", "承租人证件号码", "租金", "租金单位"),
    *("押金", "起始日期", "终止日期", "签订日期", "备案日期", "是否新租"),
)


def main() -> None:
    """Write every file but expected.json."""
    collection(
        "areas.geojson",
        [({"code": code, "name": name, "level": level, "parent": up}, shapely.box(*box)) for code, name, level, up, box in AREAS],
    )
    fields = (("code", "string"), ("name", "string"), ("scheme", "string"), ("valid_from", "date"))
    rows = [[code, name, "base", "2010-07-01", shapely.to_wkb(shapely.box(*box), hex=True)] for code, name, box in GRIDS]
    lines = [json.dumps(row).encode() for row in rows]
    write_table(HERE / "grids.gpkg", Table("grids", "gpkg", fields, "any", "EPSG:4490", {}), lines)
    collection("grids_faulty.geojson", faulty())
    table("buildings.csv", "utf-8-sig", ",", [BUILDING_HEADER, *buildings()])
    table("units.csv", "gb18030", ",", [UNIT_HEADER, *units()])
    people()
    table("leases.csv", "utf-8", ";", [LEASE_HEADER, *leases()])


def number(seventeen: str) -> str:
    """An identity number with its check character."""
    return seventeen + mod_11_2.calc_check_digit(seventeen)


ZHANG, LI, ZHAO, SUN = (number(one) for one in ("00000119850312001", "00000119900725004", "00000119780909003", "00000120010101005"))
NOBODY: Final = number("00000119660606006")


def faulty() -> list[tuple[dict[str, object], shapely.Polygon]]:
    """The grids with an overlap of 0.0002 x 0.01 degrees, a gap of 0.005 x 0.001 degrees and a polygon that crosses itself."""
    boxes = {
        "440306018001002": shapely.box(113.8648, 22.57, 113.870, 22.58),
        "440306018002001": shapely.box(113.870, 22.57, 113.875, 22.579),
        "440306018002002": shapely.Polygon([(113.875, 22.57), (113.88, 22.58), (113.88, 22.57), (113.875, 22.58)]),
    }
    return [
        ({"code": code, "name": name, "scheme": "base", "valid_from": "2010-07-01"}, boxes.get(code, shapely.box(*box)))
        for code, name, box in GRIDS
    ]


def shifted(lon: float, lat: float, datum: Datum) -> tuple[str, str]:
    """A place as a map of that datum gives it."""
    x, y = from_cgcs2000(lon, lat, datum)
    return f"{float(x):.9f}", f"{float(y):.9f}"


def buildings() -> list[Sequence[object]]:
    """Five good rows, eight bad ones, and a blank line."""
    rest = ("西乡街道固戍社区1巷1号",)
    return [
        (A, "固戍1栋", *rest, "113.8620", "22.5750", "CGCS2000", 7, 1998, "农民自建", "是"),
        (B, "固戍2栋", *rest, *shifted(113.8670, 22.5720, Datum.GCJ02), "GCJ-02", 12, 2005, "统建楼", "是"),
        (C, "南昌3栋", *rest, *shifted(113.8720, 22.5780, Datum.BD09), "BD09", 5, "", "厂区宿舍", "是"),
        (D, "固戍4栋", *rest, "113.8650", "22.5750", "国家2000", 9, 2001, "公寓", "否"),
        (E, "南昌5栋", *rest, "１１３．８７７７", "22.5733", "WGS84", "１２", "２０１０", "商品房", "yes"),
        (A[:18], "短码", *rest, "113.8620", "22.5750", "CGCS2000", 7, 1998, "农民自建", "是"),
        (A[:-1] + "6", "反了", *rest, "22.5750", "113.8620", "CGCS2000", 7, 1998, "农民自建", "是"),
        (A[:-1] + "7", "无数", *rest, "NaN", "22.5750", "CGCS2000", 7, 1998, "农民自建", "是"),
        (A[:-1] + "8", "不知", *rest, "113.8620", "22.5750", "西安80", 7, 1998, "农民自建", "是"),
        (A, "重复", *rest, "113.8620", "22.5750", "CGCS2000", 7, 1998, "农民自建", "是"),
        (A[:-1] + "9", "北京", *rest, "116.3970000", "39.9080000", "GCJ-02", 7, 1998, "农民自建", "是"),
        (A[:-2] + "10", "荒地", *rest, "113.8550", "22.5650", "CGCS2000", 7, 1998, "农民自建", "是"),
        (A[:-2] + "11", "少格", *rest, "113.8620", "22.5750", "CGCS2000", 7, 1998, "农民自建"),
        (),
    ]


def units() -> list[Sequence[object]]:
    """Five good rows and five bad ones."""
    return [
        (f"{A}001001", A, 1, "101", "45.5", "住宅"),
        (f"{A}002001", A, "２", "201", "30", "住宅"),
        (f"{B}001001", B, "1层", "商1", "88.80", "商铺"),
        (f"{C}000001", C, "B1", "库1", "1,200.00", "仓库"),
        (f"{D}003001", D, 3, "301", "60", "住宅"),
        ("9999999999999999999001001", "9999999999999999999", 1, "101", "20", "住宅"),
        (f"{A}003001", A, 3, "301", "0", "住宅"),
        (f"{A}004001", A, 4, "401", "三十", "住宅"),
        (f"{A}005001", A, 5, "501", "20", "神庙"),
        (f"{A}00600", A, 6, "601", "20", "住宅"),
    ]


def people() -> None:
    """Five good rows and six bad ones. Dates are cells of dates; one number is a cell of a number, and has lost its last digits."""
    day = dt.date
    one, two, shop, flat = f"{A}001001", f"{A}002001", f"{B}001001", f"{D}003001"
    wide = LI.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    wrong = NOBODY[:-1] + ("0" if NOBODY[-1] != "0" else "1")
    rows: list[Sequence[object]] = [
        ("张一演", ZHANG, "男", day(1985, 3, 12), "10012345671", "流动", one, day(2011, 3, 1), "", day(2011, 3, 5), "户主"),
        ("李二演", LI, "女", day(1990, 7, 25), "100 1234 5672", "户籍", two, day(2010, 1, 1), day(2011, 1, 1), "", ""),
        ("李二演", wide, "女", "1990年7月25日", "10012345672", "户籍", shop, day(2011, 1, 1), "", "2011/1/3", ""),
        ("王三演", ZHANG, "男", day(1985, 3, 12), "10012345673", "流动", flat, day(2012, 1, 1), "", "", ""),
        ("赵四演", ZHAO, "女", "19780909", "10012345674", "流动", flat, "2011-05-01", "", "2011-05-02", ""),
        ("张一演", ZHANG, "男", day(1985, 3, 12), "10012345671", "流动", flat, day(2012, 1, 1), "", "", ""),
        ("钱六演", wrong, "男", day(1966, 6, 6), "10012345675", "流动", one, day(2011, 1, 1), "", "", ""),
        ("钱六演", 990105196606060015.0, "男", day(1966, 6, 6), "10012345675", "流动", one, day(2011, 1, 1), "", "", ""),
        ("钱六演", NOBODY, "女", day(1966, 6, 6), "10012345675", "流动", "1" * 25, day(2011, 1, 1), "", "", ""),
        ("钱六演", NOBODY, "女", day(1966, 6, 6), "10012345675", "流动", one, day(2011, 1, 1), day(2010, 1, 1), "", ""),
        ("孙五演", SUN.lower(), "", "", "", "户籍", flat, day(2011, 6, 1), "", "", ""),
    ]
    with xlsxwriter.Workbook(HERE / "people.xlsx") as book:
        book.set_properties({"created": dt.datetime(2011, 7, 1, tzinfo=dt.UTC)})
        sheet, dated = book.add_worksheet("人口"), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, PEOPLE_HEADER)
        for line, row in enumerate(rows, 1):
            for column, value in enumerate(row):
                if isinstance(value, dt.date):
                    sheet.write_datetime(line, column, dt.datetime(value.year, value.month, value.day), dated)  # noqa: DTZ001 -- a day
                elif isinstance(value, float):
                    sheet.write_number(line, column, value)
                else:
                    sheet.write_string(line, column, str(value))


def leases() -> list[Sequence[object]]:
    """Five good rows and ten bad ones."""
    one, two, shop, flat = f"{A}001001", f"{A}002001", f"{B}001001", f"{D}003001"
    good = ("元/月", "1000", "2011-03-01", "2012-03-01", "2011-03-01", "", "是")
    return [
        ("HT-001", one, "刘房东演", ZHANG, "1,200", "元/月", "2,400", "2011-03-01", "2012-03-01", "2011-02-20", "2011-03-10", "是"),
        ("HT-002", two, "刘房东演", "", "２５．５０", "元/平方米·月", "", "2011/3/1", "20120301", "", "", "否"),
        ("HT-003", shop, "演示物业有限公司", LI, "12001", "元/年", "1000.50", "2011年3月1日", "2014年3月1日", "2011-03-01", "", "是"),
        ("HT-004", flat, "", NOBODY, *("800", *good)),
        ("HT-005", one, "刘房东演", "", *("900", "元/月", "", "2012-02-01", "2013-02-01", "", "", "否")),
        ("HT-006", one, "刘房东演", "", *("1300", "元/月", "", "2012-03-01", "2013-03-01", "", "", "否")),
        ("HT-007", flat, "刘房东演", "", "NaN", *good),
        ("HT-008", flat, "刘房东演", "", "1e400", *good),
        ("HT-009", flat, "刘房东演", "", "面议", *good),
        ("HT-010", flat, "刘房东演", "", "800", "元/月", "", "2011-02-30", "2012-03-01", "", "", "否"),
        ("HT-002", flat, "刘房东演", "", "800", *good),
        ("HT-011", flat, "刘房东演", "", "800", "元/月", "", "2011-03-01", "2011-02-01", "", "", "否"),
        ("HT-012", "1" * 25, "刘房东演", "", "800", *good),
        ("HT-013", flat, "刘房东演", "", "800", "美元/周", *good[1:]),
        ("HT-014", flat, "刘房东演", "", "-5", *good),
    ]


def collection(name: str, features: Sequence[tuple[dict[str, object], shapely.Polygon]]) -> None:
    """Write a FeatureCollection that says its reference system as desktops do."""
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}
    members = [{"type": "Feature", "properties": facts, "geometry": shapely.geometry.mapping(shape)} for facts, shape in features]
    document = {"type": "FeatureCollection", "crs": crs, "features": members}
    (HERE / name).write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def table(name: str, encoding: str, delimiter: str, rows: Sequence[Sequence[object]]) -> None:
    """Write a table as text."""
    with (HERE / name).open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


if __name__ == "__main__":
    main()
