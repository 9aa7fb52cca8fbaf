"""FlatGeobuf with its index, put together from a file without one.

GDAL makes the index too, but holds up to 100 MB of features for it. Here features are copied one by one, and only their boxes are held.
A file is a header, a packed Hilbert R-tree, and the features in the order of the tree's leaves (flatgeobuf.org, version 3).
"""

import errno
import os
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 16
"""Nodes under one node of the tree: what a header that names none means."""
NODE: Final = np.dtype([("box", "<f8", 4), ("offset", "<u8")])
MAGIC: Final = 8
"""Bytes before the length of the header."""
ENVELOPE: Final = 1
COUNT: Final = 8
"""Fields of the header's table."""
FINEST: Final = 1 << 15
"""Half the side of the square through which the Hilbert curve runs."""


def bounds(wkb: bytes) -> tuple[float, ...]:
    """West, south, east and north of a geometry in little-endian WKB of two dimensions; nothing for an empty one."""
    xs: list[float] = []
    ys: list[float] = []
    _gather(wkb, 0, xs, ys)
    return (min(xs), min(ys), max(xs), max(ys)) if xs else ()


def assemble(path: Path, head: Path, rows: Path, boxes: "array[float]") -> None:
    """Write an indexed file: with the header of `head`, which holds one feature and an index, and the features of `rows`, which has none.

    `boxes` are four numbers for each feature of `rows`. Raises OSError.
    """
    with rows.open("rb") as source, path.open("wb") as target:
        first = MAGIC + 4 + _header_size(source)
        sizes = np.fromiter(_sizes(source, first), np.uint64)
        places = np.reshape(np.frombuffer(boxes, np.float64), (-1, 4))
        if len(sizes) != len(places) or first + sizes.sum() != source.seek(0, os.SEEK_END):
            raise OSError(errno.EIO, "the features were cut short")  # GDAL does not say that a disk is full
        starts = first + np.cumsum(sizes) - sizes
        order = np.argsort(_along_the_curve(places), kind="stable")
        extent = [*places[:, :2].min(axis=0), *places[:, 2:].max(axis=0)]
        target.write(_header(head, len(order), extent))
        places, sizes = places[order], sizes[order]
        for level in _levels(places, np.cumsum(sizes) - sizes):
            target.write(level.data)
        for start, size in zip(starts[order].data, sizes.data, strict=True):  # as numbers one by one: lists would hold them all
            target.write(os.pread(source.fileno(), size, start))


def _header_size(file: BinaryIO) -> int:
    file.seek(MAGIC)
    return struct.unpack("<I", file.read(4))[0]


def _sizes(file: BinaryIO, first: int) -> Iterator[int]:
    """Bytes of each feature, the four that tell them among them."""
    place = file.seek(first)
    while told := file.read(4):
        size = 4 + struct.unpack("<I", told)[0]
        yield size
        place = file.seek(place + size)


def _header(head: Path, count: int, extent: list[float]) -> bytearray:
    with head.open("rb") as file:
        size = _header_size(file)
        file.seek(0)
        told = bytearray(file.read(MAGIC + 4 + size))
    struct.pack_into("<Q", told, _field(told, COUNT), count)
    envelope = _field(told, ENVELOPE)
    struct.pack_into("<4d", told, envelope + struct.unpack_from("<I", told, envelope)[0] + 4, *extent)
    return told


def _field(told: bytearray, number: int) -> int:
    """Where a field of the header's table stands (FlatBuffers: a table points back to the list of its fields)."""
    base = MAGIC + 4
    table = base + struct.unpack_from("<I", told, base)[0]
    fields = table - struct.unpack_from("<i", told, table)[0]
    return table + struct.unpack_from("<H", told, fields + 4 + 2 * number)[0]


def _levels(places: NDArray[Any], offsets: NDArray[Any]) -> list[NDArray[Any]]:
    """The tree from its root to its leaves. A leaf says where its feature is, counted from the first; others, which node is their first."""
    leaves = np.empty(len(places), NODE)
    leaves["box"], leaves["offset"] = places, offsets
    levels = [leaves]
    while len(levels) == 1 or len(levels[-1]) > 1:
        below = levels[-1]
        begins = np.arange(0, len(below), WIDTH)
        above = np.empty(len(begins), NODE)
        above["box"][:, :2] = np.minimum.reduceat(below["box"][:, :2], begins)
        above["box"][:, 2:] = np.maximum.reduceat(below["box"][:, 2:], begins)
        above["offset"] = begins
        levels.append(above)
    levels.reverse()
    before = 0
    for level in levels[:-1]:
        before += len(level)
        level["offset"] += np.uint64(before)
    return levels


def _along_the_curve(places: NDArray[Any]) -> NDArray[Any]:
    """How far along the Hilbert curve the middle of each box lies."""
    middles = (places[:, :2] + places[:, 2:]) / 2
    least, most = middles.min(axis=0), middles.max(axis=0)
    x, y = ((middles - least) / np.maximum(most - least, 1e-12) * (2 * FINEST - 1)).astype(np.int64).T
    along = np.zeros(len(places), np.int64)
    side = FINEST
    while side:
        right, up = (x & side) > 0, (y & side) > 0
        along += side * side * ((3 * right) ^ up)
        flip = right & ~up
        x, y = np.where(flip, 2 * FINEST - 1 - x, x), np.where(flip, 2 * FINEST - 1 - y, y)
        x, y = np.where(up, x, y), np.where(up, y, x)
        side >>= 1
    return along


def _gather(wkb: bytes, place: int, xs: list[float], ys: list[float]) -> int:
    """Take the coordinates of the geometry at a place; where it ends. Of a polygon the outer ring says everything."""
    kind, count = struct.unpack_from("<II", wkb, place + 1) if wkb[place + 1] != 1 else (1, 1)
    place += 5 if kind == 1 else 9
    if kind in {1, 2}:
        return _take(wkb, place, count, xs, ys)
    for number in range(count):
        if kind == 3:
            (points,) = struct.unpack_from("<I", wkb, place)
            place = _take(wkb, place + 4, points, xs, ys) if number == 0 else place + 4 + 16 * points
        else:
            place = _gather(wkb, place, xs, ys)
    return place


def _take(wkb: bytes, place: int, count: int, xs: list[float], ys: list[float]) -> int:
    told = struct.unpack_from(f"<{2 * count}d", wkb, place)
    xs += told[::2]
    ys += told[1::2]
    return place + 16 * count
