"""tipg, a server of OGC API - Features and Tiles, in an environment of its own: a superuser, whom row-level security does not bind."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote

from bench.requests import WORKERS, started
from bench.stage import Stage
from gridmgmt.operations import cluster

PACKAGES: Final = ("tipg==1.6.*", "uvicorn", "uvloop", "httptools")


@contextmanager
def tipg(stage: Stage) -> Generator[tuple[int, int]]:
    """Port and process of it on the stage's database, with as many workers as ours. Needs a package index."""
    folder = stage.settings.places.home.parent / "tipg"
    if not folder.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES], check=True)
    sockets = quote(str(cluster.locate(stage.settings.places.home).home.sockets), safe="")
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://postgres@{sockets}/{cluster.DATABASE}",
        "TIPG_DB_SCHEMAS": '["reg"]',
        "TIPG_CATALOG_TTL": "100000",
    }
    words = [str(folder / "bin/uvicorn"), "tipg.main:app", "--workers", str(WORKERS), "--no-access-log", "--log-level", "error", "--port"]
    with started(words, environment, "/conformance") as (port, pid):
        yield port, pid
