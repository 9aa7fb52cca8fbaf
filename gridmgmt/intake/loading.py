"""The road of a file's rows into the register: read and checked column by column, copied into a temporary table, then judged and
written by statements that each take all rows at once.

COPY into a protected table is refused by PostgreSQL, so rows are copied beside it; what a file may write is then decided by the same
policies as everything else. No statement is sent per row.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.datum import Datum
from gridmgmt.errors import BusyError
from gridmgmt.intake.checks import Fault, Remembered
from gridmgmt.intake.columns import Column, Matched
from gridmgmt.intake.reading import Shape, Table
from gridmgmt.intake.refusals import Refusal
from gridmgmt.intake.spreadsheets import ERROR
from gridmgmt.security.sealing import Sealer

Progress = Callable[[str, int, int], None]
"""Told what is being done (read, check, write), how many rows are done and of about how many."""

BATCH: Final = 50_000
"""Rows that one INSERT writes: enough to forget the cost of a statement, few enough to tell how far it is."""
MOST_WARNINGS: Final = 100
ERRORS: Final = frozenset({ERROR, "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!"})


@dataclass(frozen=True)
class Rows:
    """Checked rows, column by column under the names of the columns, all of one length. A column the file lacks is None throughout."""

    lines: list[int]
    values: Mapping[str, list[Any]]
    shapes: list[Shape]


@dataclass
class Load:
    """One import under way: its file, the transaction it writes in, and what was found so far."""

    session: Session
    table: Table
    matched: Matched
    columns: Sequence[Column]
    sealer: Sealer
    demo: bool
    datum: Datum | None
    progress: Progress
    rows: int = 0
    last_line: int = 1
    accepted: int = 0
    unchanged: int = 0
    refused: list[Refusal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    silenced: int = 0

    @property
    def today(self) -> dt.date:
        """The district's day."""
        return dt.datetime.now(ZoneInfo("Asia/Shanghai")).date()

    def has(self, name: str) -> bool:
        """Whether the file has this column."""
        return name in self.matched.places

    def read(self) -> Iterator[Rows]:
        """The file's rows whose cells can all be read; the others are refused with the first fault of each."""
        checks = {column.name: Remembered(_with_blank(column)) for column in self.columns}
        for chunk in self.table.chunks:
            self.rows += len(chunk.lines) + len(chunk.refused)
            self.refused += chunk.refused
            self.last_line = chunk.lines[-1] if chunk.lines else self.last_line
            yield self._checked(chunk.lines, chunk.columns, chunk.shapes, checks)
            self.progress("read", self.rows, max(self.table.expected, self.rows))

    def refuse(self, line: int, column: str, reason: str) -> None:
        """Refuse a row; the column is told by the header that it has in this file."""
        self.refused.append(Refusal(line, self.matched.headers.get(column, column), reason))

    def warn(self, words: str) -> None:
        """Warn of something that is kept nevertheless; after a hundred of them only their number is told."""
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(words)
        else:
            self.silenced += 1

    def count(self, name: str, number: int) -> None:
        """Add to one of the figures of the report."""
        self.counts[name] = self.counts.get(name, 0) + number

    def copy(self, table: str, names: Sequence[str], rows: Iterator[tuple[Any, ...]] | Sequence[tuple[Any, ...]]) -> None:
        """COPY rows into a temporary table. Raises BusyError when the database goes away meanwhile."""
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier("pg_temp", table), sql.SQL(", ").join(map(sql.Identifier, names))
        )
        try:
            with _raw(self.session).cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except psycopg.OperationalError as error:
            raise BusyError("the database did not answer") from error

    def run(self, statement: str, **values: object) -> int:
        """Run one statement; the number of rows that it wrote."""
        result: Any = self.session.execute(text(statement), values)
        return max(result.rowcount, 0)

    def fetch(self, statement: str, **values: object) -> Sequence[Any]:
        """The rows of one statement, each of which unpacks as a tuple."""
        return self.session.execute(text(statement), values).all()

    def drop(self, statement: str, **values: object) -> int:
        """Refuse what a statement takes out of a temporary table: it returns line, column and reason."""
        found = self.fetch(statement, **values)
        for line, column, reason in found:
            self.refuse(line, column, reason)
        return len(found)

    def drop_repeats(self, table: str, key: str, column: str, noun: str) -> None:
        """Refuse all but the first of the rows that share a key."""
        self.drop(
            f"""
            DELETE FROM pg_temp.{table} s
             USING (SELECT line, first_value(line) OVER (PARTITION BY {key} ORDER BY line) AS first FROM pg_temp.{table}) d
             WHERE d.line = s.line AND d.first < d.line
            RETURNING s.line, '{column}', '{noun} stands in line ' || d.first || ' already'"""  # noqa: S608 -- words from the callers' own text
        )

    def write(self, statement: str) -> int:
        """Run an INSERT … SELECT over the lines of the file, so many at a time; it names :after and :upto. The number of rows written."""
        written = 0
        for after in range(0, self.last_line, BATCH):
            written += self.run(statement, after=after, upto=after + BATCH)
            self.progress("write", min(after + BATCH, self.last_line), self.last_line)
        return written

    def _checked(
        self, lines: Sequence[int], cells: Sequence[Sequence[str]], shapes: Sequence[Shape], checks: Mapping[str, Remembered[Any]]
    ) -> Rows:
        values: dict[str, list[Any]] = {}
        faults: dict[int, tuple[str, str]] = {}
        for column in self.columns:
            place = self.matched.places.get(column.name)
            if place is None:
                values[column.name] = [None] * len(lines)
                continue
            check = checks[column.name]
            read = values[column.name] = [check[cell] for cell in cells[place]]
            if Fault in set(map(type, read)):
                for index, value in enumerate(read):
                    if isinstance(value, Fault):
                        faults.setdefault(index, (column.name, value.reason))
        kept = list(lines)
        left = list(shapes)
        if faults:
            for index, (name, reason) in faults.items():
                self.refuse(lines[index], name, reason)
            good = [index not in faults for index in range(len(lines))]
            kept = list(compress(lines, good))
            left = list(compress(shapes, good))
            values = {name: list(compress(column, good)) for name, column in values.items()}
        return Rows(kept, values, left)


def _with_blank(column: Column) -> Callable[[str], Any]:
    """The column's check, with an answer for an empty cell, and one for a formula's error, which is no empty cell."""
    noun = column.name.replace("_", " ")
    empty = None if column.blank else Fault(f"{noun} is missing")
    error = Fault(f"{noun} is the error of a formula: mend it in the spreadsheet")

    def check(cell: str) -> Any:
        if cell in ERRORS:
            return error
        return column.check(cell) if cell and not cell.isspace() else empty

    return check


def _raw(session: Session) -> psycopg.Connection:
    connection: Any = session.connection().connection.driver_connection
    return connection
