"""What a push must know of a kind: its columns, the fields that travel, and how values become columns. One declaration a kind."""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gridmgmt.errors import InvalidError
from gridmgmt.security.sealing import Sealer
from gridmgmt.sync.items import Item
from gridmgmt.sync.lines import Line

Values = Mapping[str, Any]
Columns = dict[str, Any]


@dataclass(slots=True)
class Row:
    """A row in memory, as it is there or as it will be after what was planned up to here."""

    kind: str
    id: uuid.UUID
    version: int
    grid_id: int
    subdistrict_id: int
    values: Columns
    deleted: bool = False
    conflict_open: bool = False
    recorded_from: dt.datetime | None = None
    forms: dict[int, Columns] | None = None
    """Forms by version, as far as they were looked up, with when each was recorded under `recorded_from`."""
    made: bool = False
    """Made by this push."""
    last: Any = None
    """The last write that was planned (writing.Write)."""
    seqs: set[int] = field(default_factory=set[int])
    """Numbers of this push's mutations about it."""


@dataclass(slots=True)
class Write:
    """One write of one row: a creation, a correction of some columns or (`deleted_at`) a deletion."""

    row: Row
    columns: Columns
    fresh: bool
    wave: int
    seq: int
    version: int = 0


class Surroundings(Protocol):
    """What is around an item while it is planned."""

    today: dt.date
    account_id: int
    demo: bool
    sealer: Sealer

    @property
    def received_at(self) -> dt.datetime:
        """When it came."""
        ...

    @property
    def grids(self) -> frozenset[int]:
        """The grids to which the worker may write."""
        ...

    def find(self, kind: str, identifier: object) -> Row | None:
        """A live row that the worker sees, or one that this push makes."""
        ...

    def subdistrict_of(self, grid_id: int) -> int:
        """The subdistrict of a grid of the worker's."""
        ...


@dataclass(frozen=True)
class Column:
    """How a column is read into memory and written: the type of its array on the way in, and SQL around both."""

    type: str
    read: str = "e.{}"
    write: str = "u.{}"
    derived: bool = False
    """Not a column: it follows from others."""


def alike(_name: str, one: Any, other: Any) -> bool:
    """Whether two values of a field are the same."""
    return bool(one == other)


def as_read(item: Item, _row: Row | None, _around: Surroundings) -> Columns:
    """Values need no further reading."""
    return dict(item.values)


def as_columns(wanted: Values, _row: Row, _around: Surroundings) -> Columns:
    """Each field is one column of its name."""
    return dict(wanted)


def as_told(name: str, value: Any) -> Any:
    """A value for the record of a conflict."""
    return value


def nothing(_line: Line, _writes: Sequence[Write], _around: Surroundings) -> None:
    """Nothing is to be done before or after the rows are written."""


@dataclass(frozen=True)
class Referred:
    """A kind that others name: where it is, and what of it is looked at."""

    kind: str
    table: str
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class Writer(Referred):
    """A kind, as a push writes it."""

    fields: Mapping[str, tuple[str, ...]]
    """Members of `set` of a correction, and the columns by which two forms are compared."""
    made_of: Mapping[str, tuple[str, ...]]
    """The same for what only a creation sets."""
    inserted: Sequence[str]
    create: Callable[[Values, Item, Surroundings], Columns]
    """Columns of a new row with `grid_id` and `subdistrict_id`. Raises DistrictError."""
    references: Mapping[str, str] = field(default_factory=dict[str, str])
    """Fields that name another row, and its kind."""
    read: Callable[[Item, Row | None, Surroundings], Columns] = as_read
    """The values as they are compared: in the form of `present`. Raises DistrictError."""
    change: Callable[[Values, Row, Surroundings], Columns] = as_columns
    same: Callable[[str, Any, Any], bool] = alike
    told: Callable[[str, Any], Any] = as_told
    before: Callable[[Line, Sequence[Write], Surroundings], None] = nothing
    after: Callable[[Line, Sequence[Write], Surroundings], None] = nothing
    insert: Callable[[Line, Sequence[Write], Surroundings], Sequence[tuple[Any, ...]]] | None = None
    """Writes new rows another way than by INSERT; gives id, version, grid and subdistrict of those written."""
    falls: Mapping[str, str] = field(default_factory=dict[str, str])
    """Fields whose new value takes that of another away, unless a correction names both."""
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    """Columns whose field has another name."""

    def present(self, values: Values, fields: Mapping[str, tuple[str, ...]] | None = None) -> dict[str, Any]:
        """The values of the fields in a form."""
        return {
            name: values[columns[0]] if len(columns) == 1 else tuple([values[column] for column in columns])
            for name, columns in (fields or self.fields).items()
        }


def one_each(*names: str) -> dict[str, tuple[str, ...]]:
    """Fields that are a column of the same name."""
    return {name: (name,) for name in names}


def unknown(field: str) -> InvalidError:
    """The one word for a reference to a row that is not there and for one that the worker does not see."""
    return InvalidError("there is no such row, or none that you may see", field=field, slug="unknown-reference")
