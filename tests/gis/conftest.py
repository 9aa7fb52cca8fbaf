"""One server for all tests of this folder, over the drawn district with a crowd of buildings. Who changes something undoes it."""

from collections.abc import Iterator

import httpx2
import pytest

from api.app import create_app
from gridmgmt import settings
from gridmgmt.operations.cluster import Cluster
from gridmgmt.settings import Settings
from tests.api.conftest import GENEROUS
from tests.browser import browser
from tests.conftest import clone
from tests.drawn import Drawn
from tests.places import KEYS, WEST, Places, register
from tests.rented import release_all
from tests.served import Served, serving

__all__ = ["browser"]

CROWD = 1_200
"""Buildings beside those of the district."""
MORE = """
INSERT INTO reg.building
  (id, recorded_by, grid_id, subdistrict_id, house_code, name, address, entrance, footprint, source_x, source_y, floors_above, nature,
   rental, built_year)
  SELECT gen_random_uuid(), b.recorded_by, b.grid_id, b.subdistrict_id, %(prefix)s || lpad((%(first)s + n)::text, 12, '0'),
         'crowd ' || n %% 7, b.address,
         ST_Translate(b.entrance, dx, dy), ST_Translate(b.footprint, dx, dy), b.source_x, b.source_y, 1 + n %% 5, b.nature,
         b.rental, CASE WHEN n %% 3 > 0 THEN 1970 + n %% 4 END
    FROM reg.building b, generate_series(1, %(count)s) n,
         LATERAL (SELECT (n %% 40 - 20) * 0.00005 AS dx, (n %% 30 - 15) * 0.00005 AS dy) moved
   WHERE b.name = 'tower'
"""
"""Around the tower, with many equal names and storeys and with years that are missing; ids anywhere in their order."""


@pytest.fixture(scope="session")
def served(cluster: Cluster, drawn_template: tuple[str, Places], worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The application on a port of its own, over a crowd of buildings and a release of rents."""
    configured = Settings(
        places=settings.Places(home=tmp_path_factory.mktemp("served")),
        database=settings.Database(pool_size=4),
        server=settings.Server(),
        access=settings.Access(demo_mode=True),
    )
    address = clone(cluster, drawn_template[0], f"served_{worker}")
    database = register(address)
    beside = register(address, pool_size=1)
    app = create_app(configured, KEYS, database, limits=GENEROUS)
    with serving(app, database=database) as (host, port):
        made = Served(host, port, app, Drawn(address, beside, drawn_template[1]))
        with made.superuser() as superuser:
            superuser.execute(MORE.encode(), {"prefix": "4403998", "first": 0, "count": CROWD})
            superuser.execute("ANALYZE reg.building")
        release_all(beside, drawn_template[1], WEST)
        yield made
    beside.close()


@pytest.fixture(params=[None, "district"], ids=["anonymous", "district"])
def asking(request: pytest.FixtureRequest, served: Served) -> Iterator[httpx2.Client]:
    """A client of nobody in particular, and one of the district."""
    with served.client(request.param) as client:
        yield client
