"""What tests of uploads say: headers of the protocol, and files that are what their first bytes say. Fixtures are taken by their names."""

import base64
import uuid
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from gridmgmt import settings
from gridmgmt.settings import Settings
from tests.api.conftest import GENEROUS, LogIn
from tests.drawn import Drawn
from tests.places import KEYS, Places

TUS: Final = {"Tus-Resumable": "1.0.0"}
JPEG: Final = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
SMALL: Final = settings.Uploads(upload_bytes=10_000, upload_chunk_least=100, upload_chunk_most=1_000, upload_open=3)


def photo(length: int) -> bytes:
    """A file of so many bytes that begins as a JPEG does."""
    return JPEG + bytes(number * 7 % 251 for number in range(length - len(JPEG)))


def settings_of(home: Path, uploads: settings.Uploads = SMALL, **places: Any) -> Settings:
    return Settings(
        places=settings.Places(home=home, **places),
        database=settings.Database(pool_size=4),
        server=settings.Server(),
        access=settings.Access(demo_mode=True),
        uploads=uploads,
    )


def app_of(drawn: Drawn, configured: Settings) -> FastAPI:
    """An application whose pieces are small."""
    return create_app(configured, KEYS, drawn.database, limits=GENEROUS)


def metadata(**said: str | uuid.UUID) -> dict[str, str]:
    """The header that says it."""
    return {"Upload-Metadata": ",".join(f"{key} {base64.b64encode(str(value).encode()).decode()}" for key, value in said.items())}


def begin(client: TestClient, length: int, **said: str | uuid.UUID) -> str:
    """Begin a file; where it is appended to."""
    told = metadata(**said) if said else {}
    answer = client.post("/v1/files", headers=TUS | told | {"Upload-Length": str(length)})
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def append(client: TestClient, place: str, offset: int, data: bytes, **more: str) -> Any:
    """The answer to one piece."""
    headers = TUS | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"} | more
    return client.patch(place, content=data, headers=headers)


def upload(client: TestClient, data: bytes, **said: str | uuid.UUID) -> str:
    """Upload a file in pieces of 1,000 bytes; where it is read."""
    place = begin(client, len(data), **said)
    for at in range(0, len(data), 1_000):
        answer = append(client, place, at, data[at : at + 1_000])
        assert answer.status_code == 204, answer.text
    return place


def objects(home: Path) -> list[Path]:
    """Every object in the store."""
    return sorted(path for path in (home / "files").rglob("*") if path.is_file())


@pytest.fixture
def app(drawn: Drawn, tmp_path: Path) -> FastAPI:
    """Pieces of 100 to 1,000 bytes, files of 10,000."""
    return app_of(drawn, settings_of(tmp_path))


@pytest.fixture
def maker(log_in: LogIn) -> TestClient:
    return log_in("worker")


@pytest.fixture
def places(drawn: Drawn) -> Places:
    return drawn.places


def said(answer: Any) -> tuple[int, str]:
    """Status and slug."""
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")
