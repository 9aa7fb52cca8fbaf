"""Layers as files."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from geo.files import read_features
from gridmgmt.layers import LAYERS
from gridmgmt.operations.export import export
from gridmgmt.operations.operator import OperatorError
from tests.installed import Installed
from tests.places import BUILDINGS, GRIDS


def test_unknown_kind_of_file_is_refused_and_leaves_nothing(installed: Installed, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OperatorError, match=r"ends in \.geojson, \.geojsonl, \.geojsons, \.csv, \.gpkg, \.fgb or \.parquet"):
        export(installed.register, "grids", tmp_path / "grids.pdf")
    assert sorted(tmp_path.iterdir()) == before


def test_missing_folder_is_told(installed: Installed, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="No such file or directory"):
        export(installed.register, "grids", tmp_path / "missing" / "grids.gpkg")


def lines(path: Path) -> int:
    features = [json.loads(line) for line in path.read_text().replace("\x1e", "").splitlines()]
    assert {one["properties"]["notice"] for one in features} == {"演示数据"}
    return len(features)


def table(path: Path) -> int:
    read = pq.read_table(path)
    assert (set(read["notice"].to_pylist()), b"geo" in read.schema.metadata) == ({"演示数据"}, True)
    return read.num_rows


@pytest.mark.parametrize(("suffix", "count"), [("geojsonl", lines), ("geojsons", lines), ("parquet", table)])
def test_every_form_of_file_is_chosen_by_its_name(installed: Installed, tmp_path: Path, suffix: str, count: Callable[[Path], int]) -> None:
    path = tmp_path / f"grids.{suffix}"
    assert export(installed.register, "grids", path) == len(GRIDS)
    assert count(path) == len(GRIDS)
    assert path.read_bytes().startswith(b"\x1e") == (suffix == "geojsons")


def test_file_that_breaks_off_is_not_left_behind(installed: Installed, tmp_path: Path) -> None:
    path = tmp_path / "grids.gpkg"
    path.write_text("the export of yesterday")

    def stop(done: int, _: int) -> None:
        if done:
            raise ConnectionAbortedError(103, "somebody pulled the plug")

    with pytest.raises(OperatorError, match="somebody pulled the plug"):
        export(installed.register, "grids", path, stop)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["grids.gpkg"]
    assert path.read_text() == "the export of yesterday"


@pytest.mark.parametrize("suffix", ["geojson", "gpkg", "fgb"])
def test_every_layer_comes_back_from_its_file(installed: Installed, tmp_path: Path, suffix: str) -> None:
    counts = {"subdistricts": 2, "communities": 3, "grids": len(GRIDS), "buildings": len(BUILDINGS)}
    for layer, rows in counts.items():
        path = tmp_path / f"{layer}.{suffix}"
        assert export(installed.register, layer, path) == rows
        read = read_features(path)
        assert len(read.features) == rows
        assert {feature.properties["notice"] for feature in read.features} == {"演示数据"}
        assert all(feature.geometry is not None and feature.geometry.is_valid for feature in read.features)


def test_unknown_layer_is_refused(installed: Installed, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=f"The layers are {', '.join(LAYERS)}"):
        export(installed.register, "persons", tmp_path / "persons.csv")


def test_building_has_what_its_layer_shows(installed: Installed, tmp_path: Path) -> None:
    export(installed.register, "buildings", tmp_path / "b.geojson")
    features = json.loads((tmp_path / "b.geojson").read_text())["features"]
    tower = next(one for one in features if one["properties"]["house_code"] == "4403990010010000001")["properties"]
    assert (tower["floors_above"], tower["nature"], tower["rental"]) == (30, "commodity", True)


def test_spreadsheet_gets_a_mark_a_point_and_no_formula(installed: Installed, tmp_path: Path) -> None:
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        superuser.execute("UPDATE reg.building SET name = '=1+1' WHERE house_code = '4403990010010000002'")
    path = tmp_path / "buildings.csv"
    assert export(installed.register, "buildings", path) == len(BUILDINGS)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = {row["house_code"]: row for row in csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())}
    assert rows["4403990010010000002"]["name"] == "'=1+1"
    assert float(rows["4403990010010000002"]["latitude"]) == pytest.approx(22.655, abs=1e-2)


def test_export_is_in_the_trail_with_its_rows_and_who_asked(installed: Installed, tmp_path: Path) -> None:
    export(installed.register, "grids", tmp_path / "grids.csv")
    with installed.register.database.transaction(installed.drawn.places.accounts["auditor"]) as session:
        row = session.execute(text("SELECT object_type, n_rows, detail FROM reg.audit WHERE action = 'export'")).one()
    assert (row.object_type, row.n_rows) == ("grids", len(GRIDS))
    assert row.detail == {"file": "grids.csv", "person": installed.register.person}


def test_progress_counts_to_the_end(installed: Installed, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    export(installed.register, "grids", tmp_path / "grids.gpkg", lambda done, everything: told.append((done, everything)))
    assert told == [(0, len(GRIDS)), (len(GRIDS), len(GRIDS))]
