"""What an operator may choose, read from `GRIDMGMT_…` variables when `load_settings` is called and never at import."""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self

from psycopg.conninfo import make_conninfo
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

PREFIX = "GRIDMGMT_"
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?", re.ASCII)
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?", re.ASCII)
"""As browsers send it (RFC 6454): in small letters, without a slash at its end."""


class SettingsError(Exception):
    """A `GRIDMGMT_…` variable that cannot be used; the message is one line that names it and shows no secret."""


class _Concern(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)


class Places(_Concern):
    """Where files are kept. A relative path counts from the current folder."""

    home: Annotated[Path, Field(description="Folder of the embedded database and its log")] = Path(".gridmgmt")
    keys: Annotated[Path | None, Field(description="Folder of the sealing, context and token keys; `keys` in the home unless given")] = None
    files: Annotated[
        str | None, Field(min_length=1, description="Folder of uploaded files, or s3://bucket/prefix; `files` in the home unless given")
    ] = None

    @property
    def key_folder(self) -> Path:
        """Absolute folder of the keys, which need not exist yet."""
        return (self.keys or self.home / "keys").absolute()

    @property
    def file_store(self) -> Path | str:
        """Absolute folder of uploaded files, which need not exist yet, or the address of a bucket."""
        if self.files is not None and "://" in self.files:
            return self.files
        return (self.home / "files" if self.files is None else Path(self.files)).absolute()

    @field_validator("files")
    @classmethod
    def _names_a_store(cls, value: str | None) -> str | None:
        if value is not None and "://" in value and not _BUCKET.fullmatch(value):
            raise ValueError("neither a folder nor of the form s3://bucket/prefix")
        return value


class Database(_Concern):
    """Which PostgreSQL is used and how many connections each class of user may hold."""

    database_url: Annotated[str | None, Field(description="Own PostgreSQL server and database; the embedded one unless given")] = None
    pool_size: Annotated[int, Field(ge=1, le=50, description="Connections in the pool of each class of user")] = 8

    @field_validator("database_url")
    @classmethod
    def _names_a_database(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            url = make_url(value)
        except ArgumentError:
            raise ValueError("not of the form postgresql://host/database") from None
        if url.get_backend_name() not in {"postgresql", "postgres"} or not url.database:
            raise ValueError("not of the form postgresql://host/database")
        if url.password or "password" in url.query:
            raise ValueError("must not hold a password: each role has its own, in libpq's password file (PGPASSFILE)")
        return value


class Server(_Concern):
    """Where HTTP is served and how much is read from one request."""

    host: Annotated[str, Field(min_length=1, description="Address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, description="Port to listen on")] = 8000
    max_body: Annotated[int, Field(ge=1024, description="Largest body of a request in bytes")] = 1_048_576
    file_rows: Annotated[int, Field(ge=1, le=2_000_000_000, description="Most features of one file that GIS clients fetch")] = 2_000_000
    file_bytes: Annotated[int, Field(ge=1_048_576, description="Largest file that is made on disk before it is sent, in bytes")] = (
        2_147_483_648
    )
    tile_cache: Annotated[int, Field(ge=0, description="Bytes of map tiles that each process keeps")] = 67_108_864


class Access(_Concern):
    """Who is let in for how long, and whether invented numbers are taken."""

    demo_mode: Annotated[bool, Field(description="Take identity numbers that begin with 00 and passwords `demo`; mark every page")] = False
    token_lifetime: Annotated[int, Field(ge=1, le=3600, description="Seconds for which a bearer token is good")] = 900
    origins: Annotated[str | None, Field(description="Origins whose pages may read below /ogc, with commas between; * for any")] = None

    @field_validator("origins")
    @classmethod
    def _names_origins(cls, value: str | None) -> str | None:
        if value not in {None, "*"} and not all(_ORIGIN.fullmatch(one) for one in (value or "").split(",")):
            raise ValueError("not of the form https://maps.example,https://other.example:8443")
        return value


class Uploads(_Concern):
    """How large uploaded files and their pieces are, and how long an unfinished one waits."""

    upload_bytes: Annotated[int, Field(ge=1, le=1_073_741_824, description="Largest uploaded file in bytes")] = 20_971_520
    upload_chunk_least: Annotated[int, Field(ge=1, description="Fewest bytes of a piece of it, except the last")] = 524_288
    upload_chunk_most: Annotated[int, Field(ge=1, le=67_108_864, description="Most bytes of a piece; held in memory")] = 5_242_880
    upload_days: Annotated[int, Field(ge=1, le=366, description="Days after which an unfinished file is given up")] = 7
    upload_open: Annotated[int, Field(ge=1, description="Unfinished files that an account may have")] = 200


class Sync(_Concern):
    """How much handhelds send and get at once, and how long they live without contact. They are told all of it."""

    push_mutations: Annotated[int, Field(ge=1, le=1_000, description="Most mutations of one push")] = 200
    push_bytes: Annotated[int, Field(ge=65_536, description="Largest push in bytes, as it travels")] = 1_048_576
    push_inflated: Annotated[int, Field(ge=65_536, description="Largest push in bytes, inflated")] = 8_388_608
    push_item_bytes: Annotated[int, Field(ge=1_024, description="Largest mutation in bytes")] = 65_536
    pushes: Annotated[int, Field(ge=1, le=50, description="Pushes that each process works on at once")] = 2
    push_minute: Annotated[int, Field(ge=1, le=60_000, description="Pushes of one handheld in a minute, in the long run")] = 6
    push_burst: Annotated[int, Field(ge=1, le=1_000_000, description="Pushes of one handheld at once, before that counts")] = 20
    pull_items: Annotated[int, Field(ge=1, le=5_000, description="Most items of one grid in a pull")] = 500
    pull_bytes: Annotated[int, Field(ge=65_536, description="Largest answer to a pull in bytes")] = 4_194_304
    snapshots: Annotated[int, Field(ge=1, le=100, description="Snapshots that each process sends at once")] = 16
    listeners: Annotated[int, Field(ge=1, le=50_000, description="Handhelds that wait for changes in each process at once")] = 2_000
    offline_days: Annotated[int, Field(ge=1, le=30, description="Days without contact after which a handheld locks its data")] = 7
    upgrade_url: Annotated[str | None, Field(pattern=r"^https://", description="Where handhelds get a newer app")] = None


class Rents(_Concern):
    """How rents are published: what is hidden so that nobody finds a lease in them, what stands in its place, and which part of the rents a
    guidance rent's band holds. A run keeps what it was computed with.
    """

    rents_few: Annotated[int, Field(ge=3, le=1_000, description="So many leases or fewer have no number of their own")] = 10
    rents_thin: Annotated[int, Field(ge=3, le=10_000, description="So many leases or fewer are marked as few")] = 30
    rents_landlords: Annotated[int, Field(ge=3, le=1_000, description="Fewest landlords of a number")] = 3
    rents_share: Annotated[float, Field(gt=0, le=0.9, description="Largest share of its leases that one of them may have")] = 0.5
    rents_complete: Annotated[float, Field(ge=0, le=1, description="Share of its usual leases below which a month waits")] = 0.8
    rents_roll_up: Annotated[bool, Field(description="Show the number of the area around in place of one that is hidden")] = True
    rents_band_low: Annotated[float, Field(gt=0, lt=0.5, description="Share of rents below a guidance rent's band")] = 0.2
    rents_band_high: Annotated[float, Field(gt=0.5, lt=1, description="Share of rents below the upper end of the band")] = 0.8

    @model_validator(mode="after")
    def _marks_more_than_it_hides(self) -> Self:
        if self.rents_thin < self.rents_few:
            raise ValueError("GRIDMGMT_RENTS_THIN is below GRIDMGMT_RENTS_FEW: what is hidden cannot be marked")
        return self


@dataclass(frozen=True)
class Settings:
    """All concerns together."""

    places: Places
    database: Database
    server: Server
    access: Access
    uploads: Uploads = field(default_factory=Uploads)
    sync: Sync = field(default_factory=Sync)
    rents: Rents = field(default_factory=Rents)


CONCERNS: Mapping[str, type[BaseSettings]] = {
    "places": Places,
    "database": Database,
    "server": Server,
    "access": Access,
    "uploads": Uploads,
    "sync": Sync,
    "rents": Rents,
}


def load_settings() -> Settings:
    """Read the environment.

    Raises SettingsError for a value of the wrong kind and for a `GRIDMGMT_` variable that means nothing: a misspelt name would
    otherwise be a setting silently left at its default.
    """
    known = [name.upper() for concern in CONCERNS.values() for name in concern.model_fields]
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in known:
            near = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
            raise SettingsError(f"{name} is not a setting" + (f"; did you mean {PREFIX}{near[0]}?" if near else ""))
    try:
        return Settings(
            places=Places(), database=Database(), server=Server(), access=Access(), uploads=Uploads(), sync=Sync(), rents=Rents()
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = f"{PREFIX}{str(first['loc'][0]).upper()}: " if first["loc"] else ""  # a rule about two of them names both
        raise SettingsError(name + first["msg"].removeprefix("Value error, ")) from None


@dataclass(frozen=True)
class Address:
    """Where the register's database is, for whichever role goes there."""

    base: URL

    @property
    def name(self) -> str:
        """Name of the database."""
        return self.base.database or ""

    def url(self, role: str) -> URL:
        """For SQLAlchemy with psycopg 3."""
        return self.base.set(drivername="postgresql+psycopg", username=role, password=None)

    def conninfo(self, role: str) -> str:
        """For libpq: psycopg itself, psql, pg_dump."""
        named = self.url(role).translate_connect_args(username="user", database="dbname")
        query = {name: value if isinstance(value, str) else ",".join(value) for name, value in self.base.query.items()}
        return make_conninfo(**named, **query)
