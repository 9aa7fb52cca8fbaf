import pytest

from gridmgmt.intake.columns import find_private, match_columns
from gridmgmt.intake.importing import KINDS, Kind, columns_of
from gridmgmt.intake.refusals import FileRefusedError

UNITS = ("单元编码", "房屋编码", "楼层", "房号", "建筑面积", "用途")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "title",
    [
        *(
            "民族",
            "宗教信仰",
            "政治面貌",
            "是否党员",
            "上访记录",
            "指纹编号",
            "人脸照片",
            "门禁记录",
            "艾滋病",
            "既往病史",
            "是否怀孕",
            "吸毒史",
            "前科",
        ),
        *(
            "社区矫正",
            "重点人员",
            "是否重点人口",
            "信用分",
            "银行卡号",
            "开户行",
            "月收入",
            "工资",
            "活动轨迹",
            "籍贯",
            "民 族",
            "ＨＩＶ",
            "账号",
        ),
        *(
            "ethnicity",
            "Religion",
            "political_views",
            "Fingerprint template",
            "HIV status",
            "bankAccount",
            "salary",
            "GPS track",
            "riskScore",
        ),
        *("key person", "Criminal record", "pregnant", "native place", "income", "drug list"),
    ],
)
def test_a_column_that_the_register_refuses_to_hold_refuses_the_file_and_is_named(kind: Kind, title: str) -> None:
    header = [column.headers[0] for column in columns_of(kind)]
    with pytest.raises(FileRefusedError, match="refuses to hold") as caught:
        match_columns([*header, title], columns_of(kind))
    assert caught.value.field == title
    assert caught.value.slug == "private-column"


@pytest.mark.parametrize(
    "title",
    [
        *(
            "姓名",
            "备注",
            "户籍地",
            "登记类别",
            "统一社会信用代码",
            "租金收入",
            "违法建筑",
            "用电账号",
            "房屋风险等级",
            "证件类型",
            "国籍",
            "微信",
        ),
        *("rental income", "surface", "terrace", "trace", "enterprise", "fire risk", "interface", "correction date"),
    ],
)
def test_a_column_that_only_sounds_like_one_is_none(title: str) -> None:
    assert find_private(title) is None


def test_the_known_columns_themselves_are_not_private() -> None:
    for kind in KINDS:
        for column in columns_of(kind):
            assert [find_private(name) for name in (*column.headers, column.name)] == [None] * (len(column.headers) + 1)


def test_a_missing_column_is_told_with_all_that_are_known() -> None:
    with pytest.raises(FileRefusedError) as caught:
        match_columns(UNITS[:-1], columns_of("units"))
    assert str(caught.value) == (
        "the header in line 1 lacks 用途 (use); the columns known are 单元编码 (unit code), 房屋编码 (building), 楼层 (floor), 房号 (room),"
        " 建筑面积 (area), 用途 (use), 最大居住人数 (max occupants)"
    )


def test_a_row_where_the_header_belongs_is_not_repeated() -> None:
    with pytest.raises(FileRefusedError) as caught:
        match_columns(["张一", "000001198503120016", "13800000001"], columns_of("people"))
    assert "张一" not in str(caught.value)
    assert "0016" not in str(caught.value)


def test_two_columns_of_one_meaning_refuse_the_file() -> None:
    with pytest.raises(FileRefusedError, match=r"the columns 用途 and 房屋用途 mean the same: 用途 \(use\)"):
        match_columns([*UNITS, "房屋用途"], columns_of("units"))


def test_unknown_columns_are_warned_of() -> None:
    matched = match_columns([*UNITS, "备注", " "], columns_of("units"))
    assert matched.warnings == (
        "column 备注 is not known and was not read",
        "column number 8 without a header is not known and was not read",
    )


def test_columns_stand_in_any_order_and_are_spelt_freely() -> None:
    matched = match_columns(["USE", " Room", "Floor", "house_code", "建筑面积（㎡）", "ｕｎｉｔ　ｃｏｄｅ"], columns_of("units"))
    assert dict(matched.places) == {"use": 0, "room": 1, "floor": 2, "building": 3, "area": 4, "code": 5}
    assert matched.headers["area"] == "建筑面积（㎡）"


def test_no_two_columns_of_a_kind_share_a_header() -> None:
    for kind in KINDS:
        for column in columns_of(kind):
            for header in (*column.headers, column.name):
                known = [one for one in columns_of(kind) if not one.required or one.name == column.name]
                assert list(match_columns([header], known).places) == [column.name], (kind, header)
