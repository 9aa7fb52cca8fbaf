"""The statements of the layers use their indexes under row-level security: pages, boxes, filters and tiles, explained as the actor."""

from dataclasses import replace
from typing import Any

import morecantile
import pytest

from geo.cql2 import read_filter
from geo.crs import LONLAT
from geo.features import Look
from geo.tiles import quads
from gridmgmt.layers import LAYERS
from gridmgmt.layers.extents import extent_of
from gridmgmt.layers.selection import Selection, feature_of, page_of, queryables
from gridmgmt.layers.tiles import tile_of
from tests.protection.busy import BOX, EVERYBODY, Busy, check

BUILDINGS = LAYERS["buildings"]
SELECTION = Selection("buildings", Look(tuple(one.name for one in BUILDINGS.properties)))
INSIDE = {"box0": BOX.literals()[0], "core0": BOX.cores()[0]}
BY_KEY = ("pk_building", "uq_building_id_grid_id_subdistrict_id", "ix_building_subdistrict_id_id")
OF_GRID = ("ix_building_grid_id_id",)
"""What a worker has of two grids, and a community of ten, may be read whole."""


def filtered(text: str) -> tuple[Selection, dict[str, Any]]:
    meant, held = read_filter(text, queryables(BUILDINGS), language="cql2-text", exchange=LONLAT)
    return replace(SELECTION, filter=meant), held


@pytest.mark.parametrize("who", EVERYBODY)
def test_layer_is_paged_by_key(busy: Busy, who: str) -> None:
    index = {"worker": OF_GRID, "community": OF_GRID}.get(who, BY_KEY)
    check(busy.explain(who, page_of(SELECTION).bind(limit=100)), 1_200, *index)
    later = page_of(replace(SELECTION, after=(True,))).bind(limit=100, a0=busy.middle["building"])
    check(busy.explain(who, later), 1_200, *index)
    check(busy.explain(who, feature_of(replace(SELECTION, ever=True)).bind(id=busy.spot["building"])), 10)


@pytest.mark.parametrize("who", EVERYBODY)
def test_box_of_a_layer_goes_by_the_spatial_index(busy: Busy, who: str) -> None:
    check(busy.explain(who, page_of(replace(SELECTION, boxes=1)).bind(limit=100, **INSIDE)), 200, "ix_building_geom")


@pytest.mark.parametrize("who", EVERYBODY)
def test_filters_of_a_layer_go_by_the_index_of_the_code(busy: Busy, who: str) -> None:
    code = busy.spot["house_code"]
    check(busy.explain(who, page_of(replace(SELECTION, equal=("house_code",))).bind(limit=100, p0=code)), 1_200)
    for told in (f"house_code LIKE '{code[:-1]}%'", f"house_code BETWEEN '{code}' AND '{code}'"):
        selection, held = filtered(told)
        check(busy.explain(who, page_of(selection).bind(limit=100, **held)), 1_200)


@pytest.mark.parametrize("who", EVERYBODY)
def test_tiles_go_by_the_index_in_their_own_system(busy: Busy, who: str) -> None:
    tile = morecantile.tms.get("WebMercatorQuad").tile(113.824, 22.604, 16)
    query = tile_of(BUILDINGS, quads()["WebMercatorQuad"], 16, tile.y, tile.x)
    check(busy.explain(who, query), 300, "ix_building_geom_3857")


@pytest.mark.parametrize("who", EVERYBODY)
def test_tiles_of_a_far_view_read_the_cells_by_their_place(busy: Busy, who: str) -> None:
    tile = morecantile.tms.get("WebMercatorQuad").tile(113.824, 22.604, 13)
    plans = busy.explain(who, tile_of(BUILDINGS, quads()["WebMercatorQuad"], 13, tile.y, tile.x))
    check(plans, 0, "ix_building_cell_x_y")


def test_extent_of_everything_is_told_by_the_edges_of_the_spatial_index(busy: Busy) -> None:
    plans = busy.explain("district", extent_of(BUILDINGS, busy.actor("district")))
    check(plans, 60, "ix_building_geom")  # a look at each edge and at the few that lie next to it, though there are 20,000
    check(busy.explain("worker", extent_of(BUILDINGS, busy.actor("worker"))), 110, *OF_GRID)
