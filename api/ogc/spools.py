"""Files that are made before they are sent: by a process of its own, in a temporary folder that is gone before the first byte leaves."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

import geo
from geo.tables import END, TOO_LARGE, Table
from gridmgmt.errors import BusyError, InvalidError

LONGEST: Final = 300.0
"""Seconds for one file."""
PIECE: Final = 256 * 1024
FRUGAL: Final = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""The environment of the process: memory is given back at once, and nothing of ours is in it."""


class SpoolError(Exception):
    """The process that writes files failed; what it said."""


async def spool(table: Table, lines: AsyncIterator[bytes], most: int) -> BinaryIO:
    """The file that geo/writing.py makes of lines, open, and nowhere on the disk any more once it is closed.

    Raises InvalidError when it would be larger than `most` bytes, BusyError when it takes too long, SpoolError when the process fails, and
    whatever `lines` raises. When the task is cancelled, so is the process.
    """
    with TemporaryDirectory(prefix="gridmgmt-") as folder:
        path, said = Path(folder) / f"{table.name}.{table.form}", Path(folder) / "said"
        try:
            async with asyncio.timeout(LONGEST):
                code = await _write(path, said, table, lines, most)
        except TimeoutError:
            raise BusyError("the file takes too long; ask for less of the layer") from None
        if code == TOO_LARGE:
            raise InvalidError(
                f"the file would be larger than {most} bytes: ask for less of the layer by limit, bbox or filter", field="limit"
            )
        if code:
            raise SpoolError(said.read_text(errors="replace")[:500])
        return path.open("rb")


async def pieces(file: BinaryIO) -> AsyncGenerator[bytes]:
    """What the file holds, piece by piece; it is closed at the end."""
    with file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


async def _write(path: Path, said: Path, table: Table, lines: AsyncIterator[bytes], most: int) -> int:
    # It finds the modules that this process has, wherever they are and whatever folder either was started in.
    places = (str(Path(geo.__file__).parents[1]), *(place for place in sys.path if place))
    environment = {**FRUGAL, "PYTHONPATH": os.pathsep.join(places)}
    with said.open("wb") as errors:
        program = (sys.executable, "-P", "-m", "geo.writing", str(path), str(most))
        child = await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=DEVNULL, stderr=errors, env=environment)
    assert child.stdin is not None
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # it has ended, and says why
            child.stdin.write(table.heading())
            async for chunk in lines:
                child.stdin.write(chunk)
                await child.stdin.drain()
            child.stdin.write(END)
            child.stdin.close()
        return await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
