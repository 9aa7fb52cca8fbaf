"""The words of reports, in Chinese and English."""

from collections.abc import Mapping
from typing import Final, Literal

from gridmgmt.registers.terms import Term, Terms

Language = Literal["zh", "en"]

WORDS: Final[Terms] = {
    "title": Term("房屋租赁指导租金与租金价格指数公报", "Guidance rents and rental price index"),
    "quarter": Term("{year}年第{number}季度", "Quarter {number} of {year}"),
    "edition": Term("第{edition}版", "Edition {edition}"),
    "published": Term("发布日期：{day}", "Published on {day}"),
    "draft": Term("草稿，未发布：状态为“{state}”，不得对外提供", "Draft, not published: {state}; not to be handed on"),
    "superseded": Term("本版已被后续版本取代", "A later edition has taken the place of this one"),
    "demo": Term("演示数据", "Demo data · 演示数据"),
    "page": Term("第 {page} 页，共 {pages} 页", "Page {page} of {pages}"),
    "headline": Term("本季要点", "At a glance"),
    "headline_note": Term(
        "指导租金单位为元/平方米·月；全区的中值为存量加权平均，低位、高位为其上下的典型区间，"
        "距离取租金第{low}、{high}百分位与中位数之差；指数以首期为100，变动按已发布的指数计算。",
        "Guidance rents are in yuan per square metre and month; the district's middle is the mean over the stock, and low and high are a "
        "typical spread around it, as far from it as the percentiles {low} and {high} of rents lie from their median. "
        "The first period of the index is 100; changes are those of the published index.",
    ),
    "use": Term("用途", "Use"),
    "low": Term("低位", "Low"),
    "middle": Term("中值", "Middle"),
    "high": Term("高位", "High"),
    "index": Term("指数", "Index"),
    "on_quarter": Term("环比", "On quarter"),
    "on_year": Term("同比", "On year"),
    "observations": Term("观测数（约）", "Observations, about"),
    "se": Term("标准误（对数）", "Standard error (log)"),
    "level": Term("级别", "Level"),
    "lets": Term("租约", "Leases"),
    "period": Term("时期", "Period"),
    "note": Term("备注", "Note"),
    "guide_sheet": Term("指导租金", "Guidance rents"),
    "guide_map": Term(
        "各社区{use}指导租金（中位数，元/平方米·月）", "Guidance rents of communities, {use} (median, yuan per m² and month)"
    ),
    "map_alt": Term(
        "{place}地图：各社区按{use}指导租金着色，最低{least}，最高{most}",
        "Map of {place}: communities shaded by the guidance rent, {use}, from {least} to {most}",
    ),
    "no_number": Term("未发布", "none published"),
    "index_chart": Term("{use}租金价格指数（全区，{frequency}）", "Rental price index, {use} (whole district, {frequency})"),
    "chart_alt": Term(
        "{use}租金价格指数折线图，{first}为{start}，{last}为{end}，阴影为95%置信区间",
        "Line of the rental price index, {use}: {start} in {first}, {end} in {last}; the band is the 95 % interval",
    ),
    "all": Term("全部租约", "All leases"),
    "new": Term("新签租约", "New lets"),
    "band": Term("95%置信区间", "95 % interval"),
    "month": Term("月度", "monthly"),
    "quarterly": Term("季度", "quarterly"),
    "index_tables": Term("租金价格指数", "Rental price index"),
    "index_quarters": Term("{use}，季度，{lets}", "{use}, quarterly, {lets}"),
    "index_months": Term("{use}，月度，{lets}", "{use}, monthly, {lets}"),
    "interval_low": Term("全区，区间下限", "District, lower limit"),
    "interval_high": Term("全区，区间上限", "District, upper limit"),
    "area": Term("区域", "Area"),
    "code": Term("代码", "Code"),
    "guide_tables": Term("各社区指导租金", "Guidance rents of communities"),
    "guide_caption": Term("{uses}（元/平方米·月：低位、中值、高位）", "{uses} (yuan per m² and month: low, middle, high)"),
    "guide_none": Term("以下用途在任何区域均无可公布的指导租金：{uses}", "No guidance rent can be told anywhere for: {uses}"),
    "legend": Term("符号说明", "Signs"),
    "method": Term("方法说明", "Method"),
    "runs": Term("计算记录", "Runs"),
    "product": Term("产品", "Product"),
    "frequency": Term("频率", "Frequency"),
    "digest": Term("摘要（SHA-256，前16位）", "Digest (SHA-256, first 16)"),
    "cut": Term("数据截止", "Data cut"),
    "guide": Term("指导租金", "Guidance rent"),
    "way": Term("方法", "Method"),
    "stock_prediction": Term("存量特征价格预测", "Hedonic prediction over the stock"),
}
"""Headings and sentences; braces are filled in by `say`."""

MARKS: Final[Terms] = {
    "m": Term(
        "模型估计：本区域自身数据不公开，数值由模型借助上级区域估得",
        "estimated by a model that borrows from wider areas; its own number is not shown",
    ),
    "f": Term("观测较少（11至30条），仅供参考", "few observations (11 to 30): to be read with care"),
    "r": Term(
        "提示复核：近十二个月同一单元租金的变动与指数相差超过2个百分点",
        "to be looked at again: over twelve months rents of the same units moved more than two points otherwise",
    ),
}
"""Marks on numbers."""

REASONS: Final[Terms] = {
    "suppressed": Term("为保护当事人而不公开", "not shown, to protect those concerned"),
    "held_back": Term("登记尚不完整，暂缓发布", "held back until most leases are registered"),
    "no_observations": Term("无观测", "nothing was observed"),
    "no_stock": Term("无此用途的房屋", "no housing of this use"),
    "base_empty": Term("首期无观测，无法与基期比较", "nothing was observed in the first period"),
    "disconnected": Term("与基期无可比联系", "nothing links it to the first period"),
    "other": Term("数据不足以估计", "the observations do not determine it"),
}
"""Why there is no number; what is not named here is `other`."""

STATES: Final[Terms] = {
    "computed": Term("已计算", "computed"),
    "reviewed": Term("已评审", "reviewed"),
    "approved": Term("已批准", "approved"),
    "published": Term("已发布", "published"),
    "superseded": Term("已取代", "superseded"),
    "rejected": Term("已否决", "rejected"),
}

METHOD: Final[Terms] = {
    "sources": Term(
        "数据来源：已备案租约、税务评估与问卷调查。租金统一折算为元/平方米·月，并区分新签与续签。面积或租金缺失、关联方、转租、"
        "单位混淆等情形的观测附理由单独存放，不参与计算。",
        "Sources: filed leases, tax assessments and surveys. All rents are turned into yuan per square metre and month; new lets are told "
        "from renewals. Observations without area or rent, between related parties, sublets and mixed-up units are set aside, each with "
        "its reason.",
    ),
    "trimming": Term(
        "剔除粗差：先按街道、用途、类别和年份分组，剔除与组中位数相差超过5个稳健标准差的对数租金；拟合后再剔除残差过大者。",
        "Gross errors are trimmed: within subdistrict, use, class and year those more than five robust standard deviations from the "
        "median of the logarithms; after the fit those of large residuals.",
    ),
    "index": Term(
        "指数：滚动窗口时间虚拟变量特征价格法，窗口两年，均值拼接，已发布数值不修订"
        "（Diewert 与 Fox，2017；欧盟统计局《住宅价格指数手册》，2013）。区间为95%。街道以上按存量加权汇总。",
        "Index: rolling-window time dummy, two years, mean splice; what was published is never revised (Diewert and Fox, 2017; Eurostat, "
        "RPPI Handbook, 2013). Intervals are of 95 %. Wider areas are weighted by the stock.",
    ),
    "guide": Term(
        "指导租金：以最近十二个月的观测拟合特征价格模型，对全部存量房屋预测，社区效应向所属街道收缩（Searle、Casella 与 McCulloch，1992）；"
        "中值：社区为中位数，街道和全区为存量加权平均；低位、高位为其上下的典型区间，距离取租金第{low}、{high}百分位与中位数之差。",
        "Guidance rents: a hedonic model of the last twelve months, predicted over the whole stock, with community effects shrunk towards "
        "their subdistrict (Searle, Casella and McCulloch, 1992). The middle is the median for a community, the mean over the stock for "
        "subdistricts and the district; low and high are a typical spread around it, as far from it as the percentiles {low} and {high} of "
        "rents lie from their median.",
    ),
    "disclosure": Term(
        "披露控制：观测不超过10条、出租人少于3人或单一出租人占比超过50%的数值不公开；为防止由合计与差额推算，另有数值一并隐去。"
        "观测数四舍五入至5的倍数（Hundepool 等，2012）。",
        "Disclosure control: no direct number rests on 10 observations or fewer, on fewer than three landlords, or on one with more than "
        "half; further numbers are hidden where one would follow from sums and differences. Counts are rounded to fives (Hundepool and "
        "others, 2012).",
    ),
    "repeat": Term(
        "可重复性：每次计算保存数据截止时刻、方法、参数、软件版本与结果摘要；凭下表可逐位重算并核对。",
        "Every run keeps its data cut, method, parameters, software and a digest of its values: it can be computed again to the last digit "
        "and compared with the table below.",
    ),
}
"""The method note, paragraph by paragraph."""


def say(language: Language, word: str, terms: Mapping[str, Term] = WORDS, /, **values: object) -> str:
    """The text of a word, its braces filled in."""
    term = terms[word]
    return (term.zh if language == "zh" else term.en).format(**values)
