"""What a file of a whole layer is to hold, for the process that writes it (geo/writing.py)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import orjson

Form = Literal["gpkg", "fgb", "parquet"]
Shape = Literal["any", "point", "multipolygon"]

TOO_LARGE: Final = 2
"""Exit code of the process when the file would be larger than it may be."""
END: Final = b"null\n"
"""The line after the last row."""


@dataclass(frozen=True)
class Table:
    """What a file is to hold: its columns by name and kind (`string`, `integer`, `number`, `boolean`, `date`), and where they lie."""

    name: str
    form: Form
    fields: tuple[tuple[str, str], ...]
    shape: Shape
    crs: str
    """As GDAL reads it: `EPSG:4547`."""
    projjson: Mapping[str, Any]
    """The same for GeoParquet."""

    def heading(self) -> bytes:
        """The line before the rows."""
        return orjson.dumps(asdict(self)) + b"\n"
