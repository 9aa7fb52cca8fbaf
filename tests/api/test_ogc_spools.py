"""Files that a process of their own makes: it runs the code of the server that started it, wherever that is."""

import shutil
import subprocess
import sys
from pathlib import Path

import geo

OWN = Path(geo.__file__).parent
MAKE = """
import asyncio, sys
sys.path[:0] = sys.argv[1:]
from api.ogc.spools import SpoolError, spool
from geo.tables import Table

async def rows():
    yield b'[1, null]\\n'

async def make():
    table = Table(name="x", form="parquet", fields=(("id", "integer"),), shape="any", crs="EPSG:4490", projjson={})
    with await spool(table, rows(), 1_000_000) as file:
        return file.read(4)

try:
    print(asyncio.run(make()))
except SpoolError as error:
    print(error)
"""


def make(code: Path, folder: Path) -> str:
    """What a server would get that has its code in a folder and was started in another, which is gone."""
    gone = folder / "gone"
    gone.mkdir(exist_ok=True)
    leave = "import os; os.rmdir(os.getcwd())\n"
    places = [str(code), str(OWN.parent)]
    done = subprocess.run([sys.executable, "-P", "-c", leave + MAKE, *places], cwd=gone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_file_is_made_by_the_code_of_the_server_itself(tmp_path: Path) -> None:
    assert make(OWN.parent, tmp_path) == "b'PAR1'"
    shutil.copytree(OWN, tmp_path / "copy" / "geo")
    (tmp_path / "copy" / "geo" / "writing.py").write_text("raise SystemExit('this is the copy')\n")
    assert make(tmp_path / "copy", tmp_path) == "this is the copy"
