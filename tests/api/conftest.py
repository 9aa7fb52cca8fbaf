"""An application over the drawn district, and clients of every role."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from gridmgmt import settings
from gridmgmt.settings import Settings
from tests.drawn import Drawn, drawn, drawn_template  # noqa: F401
from tests.places import KEYS

Log = Callable[..., TestClient]


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    """Settings in demo mode: the people of the district have invented numbers."""
    return Settings(
        places=settings.Places(home=tmp_path),
        database=settings.Database(pool_size=4),
        server=settings.Server(),
        access=settings.Access(demo_mode=True),
    )


@pytest.fixture
def app(drawn: Drawn, configured: Settings) -> FastAPI:  # noqa: F811
    return create_app(configured, KEYS, drawn.database)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """Nobody in particular."""
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def log_in(app: FastAPI, client: TestClient, drawn: Drawn) -> Callable[[str], TestClient]:  # noqa: F811
    """A client that sends the token of the account of that name. Depends on `client`, which runs the application's lifespan."""

    def as_account(username: str) -> TestClient:
        token = app.state.parts.tokens.issue(drawn.places.accounts[username])
        return TestClient(app, raise_server_exceptions=False, headers={"Authorization": f"Bearer {token}"})

    return as_account
