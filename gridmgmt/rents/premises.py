"""What a run knows of the district beside its observations: areas and housing stock, kept with the run as they were read.

Clerks and grid workers write units, buildings, grids and areas while a run is computed, and neither waits for the other. Who began before
a data cut may commit after it, so that no moment tells later what was read then.
"""

import io
from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np

from gridmgmt.rents.guides import Dwellings
from gridmgmt.rents.methods.series import IntArray
from gridmgmt.rents.observations import ATTRIBUTES
from gridmgmt.rents.samples import Floorspace
from gridmgmt.rents.tree import Area, Tree


def _none() -> IntArray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Premises:
    """What a run needs of it, the rest empty: ids of the communities of one area, or a tree of areas; floor space for an index, dwellings
    for guidance rents.
    """

    communities: IntArray = field(default_factory=_none)
    tree: Tree = field(default_factory=lambda: Tree(()))
    floorspace: Floorspace = field(default_factory=lambda: Floorspace(_none(), _none(), np.zeros(0)))
    dwellings: Dwellings = field(default_factory=lambda: Dwellings(_none(), _none(), np.zeros((0, len(ATTRIBUTES)))))

    def packed(self) -> bytes:
        """All digits of it, as NumPy's .npz."""
        columns = {f"area_{one.name}": np.array([getattr(area, one.name) for area in self.tree.areas]) for one in fields(Area)}
        columns |= {f"floorspace_{one.name}": getattr(self.floorspace, one.name) for one in fields(Floorspace)}
        columns |= {f"dwellings_{one.name}": getattr(self.dwellings, one.name) for one in fields(Dwellings)}
        told = io.BytesIO()
        np.savez_compressed(told, allow_pickle=False, communities=self.communities, **columns)
        return told.getvalue()

    @classmethod
    def unpacked(cls, kept: bytes) -> Self:
        """What was packed."""
        with np.load(io.BytesIO(kept)) as told:
            areas = zip(*(told[f"area_{one.name}"].tolist() for one in fields(Area)), strict=True)
            floorspace = Floorspace(*(told[f"floorspace_{one.name}"] for one in fields(Floorspace)))
            dwellings = Dwellings(*(told[f"dwellings_{one.name}"] for one in fields(Dwellings)))
            return cls(told["communities"], Tree(tuple(Area(*one) for one in areas)), floorspace, dwellings)
