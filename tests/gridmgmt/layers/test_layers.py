"""Declarations of layers agree with their statements."""

import datetime as dt
import uuid

import pytest

from gridmgmt.database import PUBLIC, Actor
from gridmgmt.errors import NotFoundError
from gridmgmt.layers import LAYERS, find_layer, layers_for
from gridmgmt.layers.layer import Layer

NOW = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def actor(role: str) -> Actor:
    return Actor(1, role, role, "public", 0)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=list(LAYERS))
def test_rows_have_an_id_a_version_a_geometry_and_exactly_what_is_declared(layer: Layer) -> None:
    properties = [one.name for one in layer.properties]
    drawn = {"geom_3857", "parent_id"} if layer.far == "parents" else {"geom_3857"}
    declared = {"id", "version", "geom", *drawn, *properties, *(name for name in layer.period if name is not None)}
    for moment in (None, NOW):
        columns = [column.name for column in layer.rows(moment).selected_columns]
        assert set(columns) == declared
        assert len(columns) == len(declared)
    assert len(set(properties)) == len(properties)
    assert not any(word in name for name in declared for word in ("person", "phone", "lessee", "landlord", "id_mask"))


def test_hidden_and_unknown_layers_are_told_alike() -> None:
    told: set[str] = set()
    for name, who in (("grids", PUBLIC), ("buildings", PUBLIC), ("buildings", actor("auditor")), ("persons", actor("district"))):
        with pytest.raises(NotFoundError) as refusal:
            find_layer(name, who)
        told.add(refusal.value.detail)
    assert len(told) == 1


def test_each_role_finds_its_layers() -> None:
    assert [layer.name for layer in layers_for(PUBLIC)] == ["subdistricts", "communities", "residents", "guide-rents", "rent-index"]
    assert [layer.name for layer in layers_for(actor("admin"))] == [
        "subdistricts",
        "communities",
        "residents",
        "guide-rents",
        "rent-index",
        "grids",
    ]
    for role in ("district", "subdistrict", "community", "worker"):
        assert [layer.name for layer in layers_for(actor(role))] == list(LAYERS)


def test_id_is_read_as_what_the_layer_numbers_its_features_with() -> None:
    assert LAYERS["grids"].read_id("17") == 17
    assert [LAYERS["grids"].read_id(text) for text in ("0", "-1", "1.0", "٣", "2147483648", "9" * 30, "", " 1")] == [None] * 8
    assert LAYERS["buildings"].read_id("01900001-0000-7000-8000-000000000001") == uuid.UUID("01900001-0000-7000-8000-000000000001")
    assert [LAYERS["buildings"].read_id(text) for text in ("1", "x" * 36, "{01900001-0000-7000-8000-000000000001}", "")] == [None] * 4
