"""What became of a file: rows taken, rows refused and why, and the report of it as text, JSON or Excel.

No reason repeats what a personal cell holds, and no reason repeats a cell that could not be read: in a file whose columns slipped, a
number of a person stands where a rent should.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gridmgmt.errors import DistrictError
from gridmgmt.intake.spreadsheets import write_sheets

DEMO_MARK = "演示数据"
MOST_SHOWN = 200
"""Refused rows and warnings that the text lists; the files list all."""


class FileRefusedError(DistrictError):
    """A file that is refused as a whole, before a row of it is looked at: unreadable, or a column missing, double or not to be held."""

    slug = "file-refused"


@dataclass(frozen=True, order=True)
class Refusal:
    """A row that was not written. Line 1 is the header, or the file as a whole; in a file of features the first has line 2."""

    line: int
    column: str
    reason: str


@dataclass(frozen=True)
class Report:
    """What an import did, or would have done. `accepted` counts rows that were written or corrected something, not the `unchanged`."""

    kind: str
    rows: int
    accepted: int
    unchanged: int
    refused: tuple[Refusal, ...]
    warnings: tuple[str, ...] = ()
    counts: Mapping[str, int] | None = None
    dry_run: bool = False
    demo: bool = False

    @property
    def complete(self) -> bool:
        """Whether every row was taken."""
        return not self.refused

    def as_json(self) -> dict[str, object]:
        """As the file of a report holds it."""
        marked: dict[str, object] = {"note": DEMO_MARK} if self.demo else {}
        return {
            **marked,
            "kind": self.kind,
            "dry_run": self.dry_run,
            "rows": self.rows,
            "accepted": self.accepted,
            "unchanged": self.unchanged,
            "refused": [{"line": one.line, "column": one.column, "reason": one.reason} for one in self.refused],
            "warnings": list(self.warnings),
            "counts": dict(self.counts or {}),
        }


def render_report(report: Report) -> str:
    """The report for a terminal, lines without colours; the first 200 refused rows and warnings."""
    return "\n".join(
        [*_summary(report), *_shortened(map(_told, report.refused)), *_shortened(f"warning: {one}" for one in report.warnings)]
    )


def write_report(report: Report, path: Path) -> None:
    """Write the report to `path`: an Excel file when it ends in .xlsx, JSON otherwise. Raises OSError."""
    if path.suffix.lower() == ".xlsx":
        write_sheets(path, _sheets(report))
    else:
        path.write_text(json.dumps(report.as_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _summary(report: Report) -> list[str]:
    taken = f"{report.rows:,} rows: {report.accepted:,} accepted, {report.unchanged:,} unchanged, {len(report.refused):,} refused"
    counted = [f"{name}: {count:,}" for name, count in (report.counts or {}).items() if count]
    return [
        *([DEMO_MARK] if report.demo else []),
        f"{report.kind}: {taken}",
        *([", ".join(counted)] if counted else []),
        *(["dry run: nothing was written"] if report.dry_run else []),
    ]


def _told(refusal: Refusal) -> str:
    place = f"line {refusal.line}" if refusal.line > 1 else "file"
    return f"{place}, {refusal.column}: {refusal.reason}" if refusal.column else f"{place}: {refusal.reason}"


def _shortened(lines: Iterable[str]) -> list[str]:
    rest = iter(lines)
    shown = list(islice(rest, MOST_SHOWN))
    left = sum(1 for _ in rest)
    return [*shown, f"and {left:,} more"] if left else shown


def _sheets(report: Report) -> Mapping[str, Iterable[tuple[object, ...]]]:
    facts = (("kind", report.kind), ("rows", report.rows), ("accepted", report.accepted), ("unchanged", report.unchanged))
    return {
        "report": [
            *([(DEMO_MARK,)] if report.demo else []),
            *facts,
            ("refused", len(report.refused)),
            *([("dry run", "nothing was written")] if report.dry_run else []),
            *(report.counts or {}).items(),
            *(("warning", one) for one in report.warnings),
        ],
        "refused": [("line", "column", "reason"), *((one.line, one.column, one.reason) for one in report.refused)],
    }
