"""Whole layers as files, with the parameters of a page. Without `limit` a file holds everything that the caller may see.

GeoJSON text sequences and CSV leave as PostgreSQL reads the rows; GeoPackage, FlatGeobuf and GeoParquet are made first. Coordinates in
text are in the authority's order; in the files that are made longitude or easting comes first, as the specification of each has it.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final, cast

from pyproj import CRS
from starlette.responses import Response

from api.disconnection import unless_gone
from api.ogc.asking import COUNT, Asked
from api.ogc.chunks import ChunkResponse
from api.ogc.links import NOTICE
from api.ogc.spools import pieces, spool
from api.ogc.tags import etag_of, headers_of, unless_known
from api.ogc.wanted import read_page
from geo.crs import CRS84, LONLAT, Exchange
from geo.tables import Form, Table
from gridmgmt.errors import InvalidError
from gridmgmt.layers.bulk import fields_of, heading_of, lines_of
from gridmgmt.layers.selection import Selection, count_of
from gridmgmt.layers.stamps import stamp_of
from gridmgmt.reads import Query

FILES: Final[Mapping[str, str]] = {
    "geojsonseq": "application/geo+json-seq",
    "csv": "text/csv",
    "gpkg": "application/geopackage+sqlite3",
    "fgb": "application/flatgeobuf",
    "parquet": "application/vnd.apache.parquet",
}
"""Media types by the values of `f`, which are the files' endings too."""
STREAMED: Final = frozenset({"geojsonseq", "csv"})
MARK: Final = b"\xef\xbb\xbf"
"""Spreadsheets take CSV for UTF-8 when it begins so."""
PORTION: Final = 1_000
MOST: Final = 2_147_483_647


async def read_file(asked: Asked, form: str) -> Response:
    """A layer as a file of that form."""
    selection, values = _read_selection(asked)
    notice = NOTICE if asked.parts.settings.access.demo_mode else None
    stamp = stamp_of(asked.layer)
    known = await unless_known(asked, stamp)
    if known is not None:
        return known
    [[(now,)]] = await asked.parts.database.read(asked.actor, stamp)
    assert now is not None
    exchange = selection.look.exchange
    # Weak: the stamp was read before the rows, and a GeoPackage tells when it was made.
    headers = headers_of(asked, exchange, "W/" + etag_of(asked, now))
    headers["Content-Disposition"] = f'attachment; filename="{selection.layer}.{form}"'
    if asked.request.state.head:
        return ChunkResponse(_nothing(), headers=headers, media_type=FILES[form])
    await _require_few(asked, selection, values)
    if form in STREAMED:
        chunks = _streamed(asked, selection, values, form, notice)
        begun = await _begun(asked, chunks)
        return ChunkResponse(begun, headers=headers, media_type=FILES[form])
    table = Table(
        name=selection.layer,
        form=cast("Form", form),
        fields=fields_of(selection, notice),
        shape=asked.layer.shape,
        crs=_code(exchange),
        projjson=CRS.from_user_input(_code(exchange)).to_json_dict(),
    )
    with asked.parts.files.taken():
        async with aclosing(_lines(asked, lines_of(selection, "table", notice).bind(**values))) as lines:
            file = await unless_gone(asked.request, spool(table, lines, asked.parts.settings.server.file_bytes))
    headers["Content-Length"] = str(file.seek(0, 2))
    file.seek(0)
    return ChunkResponse(pieces(file), headers=headers, media_type=FILES[form])


def _read_selection(asked: Asked) -> tuple[Selection, dict[str, Any]]:
    wanted = read_page(asked)
    for name in ("cursor", "count"):
        if name in asked.given:
            raise InvalidError(f"{name}: a file has no pages and no count", field=name)
    limit = asked.read("limit", COUNT)
    return wanted.selection, wanted.values | {"limit": None if limit is None else min(limit, MOST)}


async def _require_few(asked: Asked, selection: Selection, values: Mapping[str, Any]) -> None:
    """Raise InvalidError when there are more features than a file may have. They are counted only where that may be."""
    most = asked.parts.settings.server.file_rows
    if values["limit"] is not None and values["limit"] <= most:
        return
    [[(found,)]] = await unless_gone(asked.request, asked.parts.database.read(asked.actor, count_of(selection).bind(**values)))
    if min(int(found or b"0"), values["limit"] or MOST) > most:
        raise InvalidError(f"the file would have more than {most} features: ask for fewer by limit, bbox or filter", field="limit")


def _code(exchange: Exchange) -> str:
    """The reference system as programs name it."""
    return CRS84 if exchange is LONLAT else f"EPSG:{exchange.uri.rpartition('/')[2]}"


async def _lines(asked: Asked, query: Query) -> AsyncGenerator[bytes]:
    async with aclosing(asked.parts.database.stream(asked.actor, query, size=PORTION)) as portions:
        async for portion in portions:
            lines = [line for (line,) in portion if line is not None]
            assert len(lines) == len(portion)
            yield b"".join(lines)


async def _streamed(asked: Asked, selection: Selection, values: Mapping[str, Any], form: str, notice: str | None) -> AsyncGenerator[bytes]:
    query = lines_of(selection, "csv" if form == "csv" else "sequence", notice).bind(**values)
    with asked.parts.streams.taken():
        async with aclosing(_lines(asked, query)) as lines:
            heading = MARK + heading_of(selection, notice) if form == "csv" else b""
            async for chunk in lines:
                yield heading + chunk
                heading = b""


async def _begun(asked: Asked, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same pieces, of which the first is there: what fails before it becomes a problem, not a broken answer."""
    first = await unless_gone(asked.request, anext(chunks))

    async def all_of_them() -> AsyncGenerator[bytes]:
        async with aclosing(chunks):
            yield first
            async for chunk in chunks:
                yield chunk

    return all_of_them()


async def _nothing() -> AsyncGenerator[bytes]:
    for _ in ():
        yield b""
