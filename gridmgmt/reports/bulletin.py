"""The bulletin 公报 of a release as PDF: maps, charts, tables and the method, in Chinese or English.

It holds what was published and nothing else: every number of it is a figure of the release or the quotient of two. The same release gives
the same bytes.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from gridmgmt.registers.terms import USES
from gridmgmt.rents.catalogue import METHODS
from gridmgmt.reports.drawings import Border, Line, Patch, Point, line_chart, shade_map
from gridmgmt.reports.issue import Cell, Issue, Place
from gridmgmt.reports.typesetting import typeset
from gridmgmt.reports.wording import MARKS, METHOD, REASONS, STATES, Language, say

Text = Mapping[str, Any]
QUARTERS: Final = 8
MONTHS: Final = 13
ABREAST: Final = 3
"""Uses beside each other in a table."""
BLUE, ORANGE = "#2c7fb8", "#d95f0e"
WIDTH: Final = 482.0
"""Of the text, in points."""


def bulletin(issue: Issue, language: Language) -> bytes:
    """The PDF, PDF/A-2a and PDF/UA-1. Raises BusyError and TypesettingError as `typeset` does."""
    return typeset("bulletin.typ", content_of(issue, language))


def content_of(issue: Issue, language: Language) -> dict[str, Any]:
    """What the template sets, text by text."""
    making = _Making(issue, language)
    release, day = issue.release, issue.release["published_at"]
    subtitle = [making.quarter(issue.start), say(language, "edition", edition=release["edition"])]
    if day is not None:
        subtitle.append(say(language, "published", day=district_day(day).isoformat()))
    content: dict[str, Any] = {
        "lang": language,
        "title": say(language, "title"),
        "place": f"{issue.root.name} {issue.root.code}" if issue.places else "",
        "subtitle": subtitle,
        "date": _ymd(district_day(day or release["computed_at"])),
        "notice": making.notice(),
        "demo": say(language, "demo") if issue.demo else None,
        "page": say(language, "page", page="{page}", pages="{pages}"),
        "sections": [
            {"heading": say(language, "headline"), "parts": making.headline()},
            {"heading": None, "parts": [*making.maps(), *making.charts()]},
            {"heading": say(language, "index_tables"), "parts": making.index_tables()},
            {"heading": say(language, "guide_tables"), "parts": making.guide_tables()},
            {"heading": say(language, "method"), "parts": making.method()},
        ],
    }
    content["legend"] = {"heading": say(language, "legend"), "lines": making.legend()}
    return content


def district_day(moment: dt.datetime) -> dt.date:
    """The day in the district, eight hours before UTC."""
    return moment.astimezone(dt.timezone(dt.timedelta(hours=8))).date()


def reason_of(cell: Cell) -> str:
    """The reason why a figure has no number, as `REASONS` names it."""
    return "other" if cell.reason is None or cell.reason not in REASONS else cell.reason


def mark_of(cell: Cell) -> str | None:
    """The mark on a figure's number."""
    return "m" if cell.basis == "model" else {"few": "f", "review": "r"}.get(cell.flag or "")


def change(later: Cell | None, earlier: Cell | None) -> str:
    """How a published index moved, in percent; a dash where one of the two was not published."""
    if later is None or earlier is None or later.value is None or earlier.value is None:
        return "–"
    return f"{100 * (later.value / earlier.value - 1):+.1f}%"


@dataclass
class _Making:
    issue: Issue
    language: Language
    told: set[str] = field(default_factory=set)
    """Reasons and marks that occur, to be explained."""

    def say(self, word: str, **values: object) -> str:
        return say(self.language, word, **values)

    def use(self, use: str) -> str:
        words = say(self.language, use, USES)
        return words[0].upper() + words[1:]

    def quarter(self, day: dt.date) -> str:
        return self.say("quarter", year=day.year, number=(day.month + 2) // 3)

    def band(self) -> dict[str, str]:
        """The ends of the guidance rents' bands in percent, as their runs were computed with."""
        guided = [run["parameters"] for run in self.issue.runs if run["product"] == "guide"]
        return {name: f"{100 * guided[0][name]:g}" if guided else "–" for name in ("low", "high")}

    def notice(self) -> str | None:
        state = self.issue.release["state"]
        if state == "published":
            return None
        return self.say("superseded") if state == "superseded" else self.say("draft", state=say(self.language, state, STATES))

    def headline(self) -> list[Text]:
        root, start = self.issue.root.id, self.issue.start
        heads = ("use", "low", "middle", "high", "index", "on_quarter", "on_year", "observations")
        rows: list[list[Text]] = []
        for use in self.issue.uses:
            guide, index = self.issue.guides(use).get(root), self.issue.series(use, "quarter").get(root, {})
            now = index.get(start)
            moves = [change(now, index.get(_earlier(start, back))) for back in (1, 4)]
            counted = "–" if guide is None or guide.n_told is None else str(guide.n_told)
            rows.append([_plain(self.use(use)), *self._band(guide), self._value(now), *map(_plain, moves), _plain(counted)])
        table = _table([self.say(head) for head in heads], rows, left=1)
        return [table, {"kind": "note", "text": self.say("headline_note", **self.band())}]

    def maps(self) -> Iterable[Text]:
        communities = self.issue.at("community")
        borders = [Border(one.shape, one.name) for one in self.issue.at("subdistrict")]
        for use in self.issue.uses:
            guides = self.issue.guides(use)
            values = [_number(guides[one.id].value) if one.id in guides else None for one in communities]
            shown = [value for value in values if value is not None]
            if not shown:
                continue
            patches = [Patch(one.shape, value) for one, value in zip(communities, values, strict=True)]
            drawn = shade_map(patches, borders, none=self.say("no_number"), width=WIDTH, tallest=215)
            least, most = (f"{number:.2f}" for number in (min(shown), max(shown)))
            alt = self.say("map_alt", place=self.issue.root.name, use=self.use(use), least=least, most=most)
            yield {"kind": "drawing", "caption": self.say("guide_map", use=self.use(use)), "alt": alt, "svg": drawn}

    def charts(self) -> Iterable[Text]:
        for use in self.issue.uses:
            months = self.issue.series(use, "month").get(self.issue.root.id, {})
            frequency = "month" if 5 * len(_told(months)) >= 4 * len(months) > 0 else "quarter"  # a line of gaps tells nothing
            whole, new = (self.issue.series(use, frequency, lets).get(self.issue.root.id, {}) for lets in ("all", "new"))
            told = _told(whole)
            if len(told) < 2:
                continue
            lines = [Line(self.say("all"), _points(whole), BLUE)]
            if _told(new):
                lines.append(Line(self.say("new"), _points(new), ORANGE, dashed=True))
            told_of = {"use": self.use(use), "frequency": self.say("month" if frequency == "month" else "quarterly")}
            ends = {"first": f"{told[0].period:%Y-%m}", "start": told[0].value, "last": f"{told[-1].period:%Y-%m}", "end": told[-1].value}
            drawn = line_chart(lines, band=self.say("band"), width=WIDTH, height=150)
            alt = self.say("chart_alt", **told_of, **ends)
            yield {"kind": "drawing", "caption": self.say("index_chart", **told_of), "alt": alt, "svg": drawn}

    def index_tables(self) -> list[Text]:
        made: list[Text] = []
        for use in self.issue.uses:
            for frequency, caption, most in (("quarter", "index_quarters", QUARTERS), ("month", "index_months", MONTHS)):
                for lets in ("all", "new"):
                    by_area = self.issue.series(use, frequency, lets)
                    days = sorted({day for series in by_area.values() for day in series})[-most:]
                    if not days or not any(_told(series) for series in by_area.values()):
                        continue
                    made.append(self._index_table(self.say(caption, use=self.use(use), lets=self.say(lets)), by_area, days, frequency))
        return made

    def _index_table(self, caption: str, by_area: Mapping[int, Mapping[dt.date, Cell]], days: Sequence[dt.date], frequency: str) -> Text:
        heads = [f"{day:%Y-%m}" if frequency == "month" else f"{day.year}Q{(day.month + 2) // 3}" for day in days]
        rows: list[list[Text]] = []
        for place in self.issue.at("district", "subdistrict"):
            series = by_area.get(place.id, {})
            rows.append([_plain(place.name), *(self._value(series.get(day)) for day in days)])
            if place is self.issue.root:
                rows += [
                    [_small(self.say(f"interval_{end}")), *(_small(_text(getattr(series.get(day), end, None))) for day in days)]
                    for end in ("low", "high")
                ]
        return _table([self.say("area"), *heads], rows, left=1, caption=caption, wide=len(days) > QUARTERS)

    def guide_tables(self) -> list[Text]:
        guided = [use for use in self.issue.uses if self.issue.guides(use)]
        uses = [use for use in guided if any(cell.value is not None for cell in self.issue.guides(use).values())]
        made: list[Text] = []
        for at in range(0, len(uses), ABREAST):
            abreast = uses[at : at + ABREAST]
            told = [self.issue.guides(use) for use in abreast]
            rows: list[list[Text] | Text] = [self._guide_row(self.issue.root, told)]
            for subdistrict in self.issue.at("subdistrict"):
                rows.append({"group": self._guide_row(subdistrict, told)})
                rows += [self._guide_row(one, told) for one in self.issue.at("community") if one.parent == subdistrict.id]
            heads = [self.say("code"), self.say("area"), *(self.say(word) for _ in abreast for word in ("low", "middle", "high"))]
            names = [self.use(use) for use in abreast]
            caption = self.say("guide_caption", uses=self._listed(names))
            made.append({**_table(heads, rows, left=2, caption=caption), "above": names, "across": 3})
        silent = [self.use(use) for use in guided if use not in uses]
        if silent:  # a table of dashes tells less
            made.append({"kind": "note", "text": self.say("guide_none", uses=self._listed(silent))})
        return made

    def _listed(self, names: Sequence[str]) -> str:
        return ("、" if self.language == "zh" else ", ").join(names)

    def _guide_row(self, place: Place, told: Sequence[Mapping[int, Cell]]) -> list[Text]:
        return [_plain(place.code), _plain(place.name), *(text for guides in told for text in self._band(guides.get(place.id)))]

    def method(self) -> list[Text]:
        paragraphs: list[Text] = [{"kind": "paragraph", "text": say(self.language, word, METHOD, **self.band())} for word in METHOD]
        heads = ("product", "frequency", "use", "way", "cut", "digest")
        rows = [
            [
                _plain(self.say("guide" if run["product"] == "guide" else "index")),
                _plain(self.say("month" if run["frequency"] == "month" else "quarterly")),
                _plain(self.use(run["use"])),
                _plain(self._method(run["method"])),
                _plain(f"{run['data_cut'].astimezone(dt.UTC):%Y-%m-%d %H:%M:%SZ}"),
                _plain(run["digest"][:16]),
            ]
            for run in self.issue.runs
        ]
        return [*paragraphs, _table([self.say(head) for head in heads], rows, left=6, caption=self.say("runs"))]

    def _method(self, name: str) -> str:
        if name in METHODS:
            return METHODS[name].title_zh if self.language == "zh" else METHODS[name].title
        return self.say(name) if name == "stock_prediction" else name

    def legend(self) -> list[Text]:
        lines: list[Text] = [{"sign": mark, "text": say(self.language, mark, MARKS)} for mark in MARKS if mark in self.told]
        return lines + [
            {"sign": f"– {SIGNS[reason]}", "text": say(self.language, reason, REASONS)} for reason in REASONS if reason in self.told
        ]

    def _band(self, cell: Cell | None) -> list[Text]:
        """Low, middle and high; the middle has the mark."""
        if cell is None or cell.value is None:
            return [_plain("–"), self._value(cell), _plain("–")]
        return [_plain(_text(cell.low)), {**self._value(cell), "strong": True}, _plain(_text(cell.high))]

    def _value(self, cell: Cell | None) -> Text:
        if cell is None:
            return _plain("–")
        sign = reason_of(cell) if cell.value is None else mark_of(cell)
        if sign is not None:
            self.told.add(sign)
        return {"text": _text(cell.value), "mark": SIGNS.get(sign or "", sign)}


SIGNS: Final = dict(zip(REASONS, "1234567", strict=True))
"""The signs beside a dash that tell why there is no number."""


def _table(heads: Sequence[str], rows: Sequence[object], *, left: int, caption: str | None = None, wide: bool = False) -> dict[str, Any]:
    """A table whose first `left` columns are words; `wide` ones are set small."""
    return {"kind": "table", "caption": caption, "heads": list(heads), "rows": rows, "left": left, "wide": wide}


def _plain(text: str) -> Text:
    return {"text": text}


def _small(text: str) -> Text:
    return {"text": text, "small": True}


def _text(number: Decimal | None) -> str:
    return "–" if number is None else f"{number:.2f}"


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _told(series: Mapping[dt.date, Cell]) -> list[Cell]:
    return [cell for cell in series.values() if cell.value is not None]


def _points(series: Mapping[dt.date, Cell]) -> list[Point]:
    return [Point(day, *(_number(number) for number in (cell.value, cell.low, cell.high))) for day, cell in series.items()]


def _earlier(start: dt.date, quarters: int) -> dt.date:
    month = start.year * 12 + start.month - 1 - 3 * quarters
    return dt.date(month // 12, month % 12 + 1, 1)


def _ymd(day: dt.date) -> list[int]:
    return [day.year, day.month, day.day]
