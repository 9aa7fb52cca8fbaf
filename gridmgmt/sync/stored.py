"""The bytes of uploaded files: objects in a local folder or an S3 bucket, apart from the database, which knows their names.

An object is there as a whole or not at all, and is never written twice: its name ends in a word of chance. So two who write the same
piece of a file do not meet, and whoever loses in the database has spoilt nothing.
"""

import os
import secrets
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from gridmgmt.errors import BusyError

PART: Final = 1_048_576
"""Bytes that are read at once."""
JOINED: Final = 5_242_880
"""Bytes that are written at once when pieces are put together: the least that S3 takes."""


class Stored:
    """The store of files, opened when first used. Every method raises BusyError when it does not do what it should."""

    def __init__(self, place: Path | str) -> None:
        """`place` is a folder, which is made when the first object is written, or an address `s3://bucket/prefix`."""
        self.place = place
        self._opened: LocalStore | S3Store | None = None

    def put(self, file: uuid.UUID, offset: int, data: bytes) -> str:
        """Write the piece of a file that begins at `offset`; its name. It survives a power cut from here on."""
        name = _name(offset)
        with _told():
            obstore.put(self._store, _key(file, name), data, use_multipart=False)
            self._settle(file, name)
        return name

    def join(self, file: uuid.UUID, names: Sequence[str]) -> str:
        """Put pieces together, a few megabytes at a time; the name of the whole. The pieces stay."""
        name = _name(0)
        with _told():
            # put() would take an iterator too, but not one that itself reads from the store.
            with obstore.open_writer(self._store, _key(file, name), buffer_size=JOINED, max_concurrency=1) as writer:
                for part in self._parts(file, names):
                    writer.write(part)
            self._settle(file, name)
        return name

    def read(self, file: uuid.UUID, names: Sequence[str]) -> Iterator[bytes]:
        """The bytes of objects, one after the other. The first is looked for at once, so that a lost one is told before any byte."""
        with _told():
            first = obstore.get(self._store, _key(file, names[0]))
        return self._reading(first, file, names[1:])

    def keep_only(self, file: uuid.UUID, names: Sequence[str]) -> None:
        """Delete every object of a file but these."""
        with _told():
            there = [str(one["path"]) for page in obstore.list(self._store, prefix=_folder(file)) for one in page]
            kept = {_key(file, name) for name in names}
            for path in there:
                if path not in kept:
                    self._delete(path)

    def drop(self, file: uuid.UUID, name: str) -> None:
        """Delete one object."""
        with _told():
            self._delete(_key(file, name))

    def try_out(self) -> None:
        """Write an object, read it and delete it."""
        nobody = uuid.UUID(int=0)
        name = self.put(nobody, 0, b"written to see whether it can be")
        b"".join(self.read(nobody, [name]))
        self.drop(nobody, name)

    @property
    def _store(self) -> LocalStore | S3Store:
        if self._opened is None:
            if isinstance(self.place, Path):
                self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._opened = LocalStore(self.place, automatic_cleanup=True)
            else:
                # Its key, region and end point stand in AWS_ variables; http is for who names an end point without TLS.
                self._opened = S3Store.from_url(
                    self.place,
                    client_options={"timeout": timedelta(seconds=20), "connect_timeout": timedelta(seconds=5), "allow_http": True},
                    retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=20)},
                )
        return self._opened

    def _parts(self, file: uuid.UUID, names: Sequence[str]) -> Iterator[bytes]:
        for name in names:
            for part in obstore.get(self._store, _key(file, name)).stream(min_chunk_size=PART):
                yield bytes(part)

    def _reading(self, first: "obstore.GetResult", file: uuid.UUID, others: Sequence[str]) -> Iterator[bytes]:
        with _told():
            for part in first.stream(min_chunk_size=PART):
                yield bytes(part)
            yield from self._parts(file, others)

    def _settle(self, file: uuid.UUID, name: str) -> None:
        """A local object was written and renamed, which a power cut may undo until file and folders are flushed."""
        if isinstance(self.place, Path):
            path = self.place / _key(file, name)
            for one in (path, *list(path.parents)[:3]):
                handle = os.open(one, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)

    def _delete(self, path: str) -> None:
        try:
            obstore.delete(self._store, path)
        except FileNotFoundError:  # somebody else was faster
            return


def _name(offset: int) -> str:
    return f"{offset}-{secrets.token_hex(8)}"


def _folder(file: uuid.UUID) -> str:
    """The last two digits are chance: they spread files evenly over 256 folders."""
    return f"{file.hex[-2:]}/{file}"


def _key(file: uuid.UUID, name: str) -> str:
    return f"{_folder(file)}/{name}"


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except (OSError, BaseError) as error:
        raise BusyError("the store of files does not answer as it should") from error
