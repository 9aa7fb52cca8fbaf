"""What GIS may see, one layer a file. `LAYERS` lists them in the order of the map, from the ground up.

A layer whose data are not there yet is declared when they are. Persons are never a layer.
"""

from collections.abc import Mapping, Sequence

from gridmgmt.database import Actor
from gridmgmt.errors import NotFoundError
from gridmgmt.layers import (
    buildings,
    communities,
    grids,
    guide_rents,
    lease_density,
    managers_coverage,
    rent_index,
    residents,
    subdistricts,
)
from gridmgmt.layers.layer import Layer

LAYERS: Mapping[str, Layer] = {
    layer.name: layer
    for layer in (
        subdistricts.LAYER,
        communities.LAYER,
        residents.LAYER,
        guide_rents.LAYER,
        rent_index.LAYER,
        managers_coverage.LAYER,
        lease_density.LAYER,
        grids.LAYER,
        buildings.LAYER,
    )
}


def layers_for(actor: Actor) -> Sequence[Layer]:
    """The layers that are there for this actor."""
    return [layer for layer in LAYERS.values() if layer.is_seen_by(actor)]


def find_layer(name: str, actor: Actor) -> Layer:
    """A layer by its name. Raises NotFoundError for one that is not there, or not for this actor: the two are told alike."""
    layer = LAYERS.get(name)
    if layer is None or not layer.is_seen_by(actor):
        raise NotFoundError("there is no such collection, or none that you may see")
    return layer
