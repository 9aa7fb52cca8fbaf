"""Files of whole layers, written by a process of its own. What they hold is read back in tests/api/test_ogc_files.py."""

import subprocess
import sys
from pathlib import Path

import pytest
from pyproj import CRS

from geo.tables import END, TOO_LARGE, Form, Table

FORMS: list[Form] = ["gpkg", "fgb", "parquet"]
ROW = b'["a", 1, "0101000000000000000000F03F0000000000000040"]\n'


def run(path: Path, form: Form, lines: bytes, most: int = 100_000_000) -> subprocess.CompletedProcess[bytes]:
    table = Table("things", form, (("id", "string"), ("n", "integer")), "point", "EPSG:4490", CRS(4490).to_json_dict())
    return subprocess.run(
        [sys.executable, "-m", "geo.writing", str(path), str(most)], input=table.heading() + lines, capture_output=True, check=False
    )


@pytest.mark.parametrize("form", FORMS)
def test_rows_that_stop_before_their_end_are_no_file(tmp_path: Path, form: Form) -> None:
    done = run(tmp_path / f"things.{form}", form, ROW * 3)
    assert (done.returncode, done.stderr.decode()) == (1, "the rows were cut short\n")


@pytest.mark.parametrize("form", FORMS)
def test_file_that_grows_too_large_is_told_apart(tmp_path: Path, form: Form) -> None:
    rows = b"".join(b'["%x", 1, "0101000000000000000000F03F0000000000000040"]\n' % (number * 2**80 // 7919) for number in range(1, 30_000))
    done = run(tmp_path / f"things.{form}", form, rows + END, most=100_000)
    assert (done.returncode, b"Traceback" in done.stderr) == (TOO_LARGE, False), done.stderr


@pytest.mark.parametrize("form", FORMS)
def test_file_that_cannot_be_written_is_told(tmp_path: Path, form: Form) -> None:
    done = run(tmp_path / "missing" / f"things.{form}", form, ROW + END)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("form", FORMS)
def test_whole_rows_are_a_file_that_begins_as_its_form_does(tmp_path: Path, form: Form) -> None:
    path = tmp_path / f"things.{form}"
    done = run(path, form, ROW * 6_000 + END)
    assert (done.returncode, done.stderr) == (0, b"")
    assert path.read_bytes().startswith({"gpkg": b"SQLite format 3\x00", "fgb": b"fgb\x03fgb", "parquet": b"PAR1"}[form])
