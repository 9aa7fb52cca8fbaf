"""What a command says: results on standard output, everything else on standard error, nothing moving when nobody watches."""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Annotated, Protocol

import orjson
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

AsJson = Annotated[bool, Parameter(name="--json", negative=(), help="Print the result as one JSON object.")]
Yes = Annotated[bool, Parameter(name=["--yes", "-y"], negative=(), help="Do not ask.")]

WIDE = 1_000
"""Columns where there is no terminal."""


class Advance(Protocol):
    """Told how many are done, of how many, and in which phase."""

    def __call__(self, done: int, everything: int, phase: str = "", /) -> None:
        """Move the bar."""


def say(line: str) -> None:
    """A remark on the way."""
    _aside().print(line, style="dim", markup=False, highlight=False, soft_wrap=True)


def complain(line: str, *, code: int = 1) -> int:
    """The one line of an error; `code` again, for the caller to leave with."""
    print(f"gridmgmt: {' '.join(line.split())}", file=sys.stderr)
    return code


def report(result: object, lines: Sequence[str] | Table, *, as_json: bool) -> None:
    """The result of a command: as JSON for programs, else as lines or a table for people."""
    if as_json:
        print(orjson.dumps(result, option=orjson.OPT_NON_STR_KEYS).decode())
    elif isinstance(lines, Table):
        Console(width=None if sys.stdout.isatty() else WIDE).print(lines)  # whoever reads a pipe reads whole lines
    else:
        for line in lines:
            print(line)


def table(*columns: str) -> Table:
    """An empty table for `report`."""
    made = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def confirm(question: str) -> bool:
    """Ask for a yes. Where nobody can answer, the answer is no."""
    if not sys.stdin.isatty():
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


@contextmanager
def working(title: str) -> Generator[Callable[[str], None]]:
    """A spinner while something without a known end runs; the block may change its title. Silent when not on a terminal."""
    console = _aside()
    if not console.is_terminal:
        yield lambda _title: None
        return
    with console.status(title) as status:
        yield status.update


@contextmanager
def progress(title: str) -> Generator[Advance]:
    """A bar from 0 to all. Silent when not on a terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_aside(), disable=not _aside().is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def advance(done: int, everything: int, phase: str = "", /) -> None:
            bar.update(task, completed=done, total=everything, description=f"{title}: {phase}" if phase else title)

        yield advance


@cache
def _aside() -> Console:
    """One for all: what another console says would run into the line that moves."""
    return Console(stderr=True)
