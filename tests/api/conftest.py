"""An application over the drawn district, and clients of every role."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.limits import Limits
from gridmgmt import settings
from gridmgmt.settings import Settings
from tests.drawn import Drawn
from tests.places import KEYS
from tests.pushing import hand

__all__ = ["hand"]

GENEROUS = Limits(anonymous_second=10_000, anonymous_minute=100_000, ogc_second=10_000, ogc_minute=100_000)
"""Tests ask faster than anybody; what the limits do is tested with an application of its own."""

LogIn = Callable[[str], TestClient]


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
def app(drawn: Drawn, configured: Settings) -> FastAPI:
    return create_app(configured, KEYS, drawn.database, limits=GENEROUS)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """Nobody in particular."""
    with TestClient(app) as opened:
        yield opened


@pytest.fixture
def log_in(app: FastAPI, client: TestClient, drawn: Drawn) -> LogIn:
    """A client that sends the token of the account of that name. Depends on `client`, which runs the application's lifespan."""

    def as_account(username: str) -> TestClient:
        token = app.state.parts.tokens.issue(drawn.places.accounts[username])
        known = TestClient(app, headers={"Authorization": f"Bearer {token}"})
        known.portal = client.portal  # one event loop for all clients, as in a server: pools belong to it
        return known

    return as_account


@pytest.fixture
def office(log_in: LogIn) -> TestClient:
    """A client of the district."""
    return log_in("district")
