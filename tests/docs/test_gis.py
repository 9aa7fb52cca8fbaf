"""The guide for GIS clients: its commands are run in their order, and give what the words around them say."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyogrio
import pytest

from api.ogc.parameters import PARAMETERS
from api.ogc.wanted import CHOICE
from tests.embedded import COMMAND, Embedded, clean_environment

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/gis.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
MARK = "-- the next block --"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands leave their files."""
    return tmp_path_factory.mktemp("guide")


@pytest.fixture(scope="module")
def said(embedded: Embedded, folder: Path) -> list[str]:
    """What each block printed, one after the other in one shell. GDAL's programs are left out where they are not installed."""
    kept = [block for block in BLOCKS if shutil.which("ogr2ogr") or "ogr2ogr" not in block]
    curl = f'curl() {{ "{sys.executable}" "{Path(__file__).with_name("curl.py")}" "$@"; }}\n'
    with embedded.served() as address:
        script = f"set -euo pipefail\n{curl}" + f"echo '{MARK}'\n".join(kept)
        script = script.replace("http://127.0.0.1:8000", address).replace(".venv/bin/gridmgmt", f'"{COMMAND}"')
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=clean_environment() | embedded.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(MARK)


def documents_of(printed: str) -> list[dict[str, Any]]:
    """The JSON objects that a block printed, one after the other."""
    found: list[dict[str, Any]] = []
    while printed.strip().startswith("{"):
        one, end = json.JSONDecoder().raw_decode(printed.strip())
        found.append(one)
        printed = printed.strip()[end:]
    return found


def test_every_command_gives_json_or_a_file(said: list[str], folder: Path) -> None:
    assert len(BLOCKS) == 7
    documents = [one for block in said for one in documents_of(block)]
    assert len(documents) == 8
    assert [len(one["features"]) for one in documents if "numberMatched" in one][0] == 5  # noqa: RUF015 -- reads as it is meant
    assert pyogrio.read_info(folder / "buildings.gpkg")["features"] == 60
    assert "WKT" in (folder / "rental-buildings.csv").read_text(encoding="utf-8-sig").splitlines()[0]


@pytest.mark.skipif(shutil.which("ogr2ogr") is None, reason="GDAL's programs are not installed")
def test_gdal_reads_what_the_guide_asks_of_it(said: list[str], folder: Path) -> None:
    assert any("Feature Count: 60" in block for block in said)
    rental = (folder / "rental.csv").read_text().splitlines()
    assert len(rental) == len((folder / "rental-buildings.csv").read_text().splitlines())
    assert 1 < len((folder / "box.csv").read_text().splitlines()) < 61


def test_every_parameter_is_in_the_table() -> None:
    told = set(re.findall(r"`([a-z_-]+)`", "".join(re.findall(r"^\| (`.*?) \|", GUIDE, re.MULTILINE))))
    assert told == CHOICE - {"cursor"}
    assert PARAMETERS.keys() - {"cursor", "lang"} <= told
