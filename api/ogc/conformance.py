"""The classes of requirements that are met, and where each is proved. What is not whole is not declared."""

from collections.abc import Sequence
from typing import Final

_SPEC: Final = "http://www.opengis.net/spec"

CONFORMS_TO: Final[Sequence[str]] = (
    # Features Part 1: tests/api/test_ogc.py, tests/api/test_ogc_documents.py, tests/api/test_ogc_pages.py
    f"{_SPEC}/ogcapi-common-1/1.0/conf/core",
    f"{_SPEC}/ogcapi-common-2/1.0/conf/collections",
    f"{_SPEC}/ogcapi-features-1/1.0/conf/core",
    f"{_SPEC}/ogcapi-features-1/1.0/conf/geojson",
    f"{_SPEC}/ogcapi-features-1/1.0/conf/html",
    f"{_SPEC}/ogcapi-features-1/1.0/conf/oas30",
    # Features Part 2, reference systems: tests/api/test_ogc.py
    f"{_SPEC}/ogcapi-features-2/1.0/conf/crs",
    # Features Part 3: tests/api/test_ogc_schemas.py
    f"{_SPEC}/ogcapi-features-3/1.0/conf/queryables",
    f"{_SPEC}/ogcapi-features-3/1.0/conf/queryables-query-parameters",
    # Features Part 4: tests/api/test_editing.py, tests/api/test_editing_grids.py
    *(f"{_SPEC}/ogcapi-features-4/1.0/conf/{name}" for name in ("create-replace-delete", "update", "optimistic-locking-etags", "features")),
    # the first three are Common Part 5 by their newer names
    *(f"{_SPEC}/ogcapi-common-5/1.0/conf/{name}" for name in ("create-replace-delete", "update", "optimistic-locking-etags")),
    # and its filters, in CQL2: tests/api/test_ogc_filters.py, tests/geo/test_cql2.py
    f"{_SPEC}/ogcapi-features-3/1.0/conf/filter",
    f"{_SPEC}/ogcapi-features-3/1.0/conf/features-filter",
    f"{_SPEC}/cql2/1.0/conf/cql2-text",
    f"{_SPEC}/cql2/1.0/conf/cql2-json",
    f"{_SPEC}/cql2/1.0/conf/basic-cql2",
    f"{_SPEC}/cql2/1.0/conf/advanced-comparison-operators",
    f"{_SPEC}/cql2/1.0/conf/case-insensitive-comparison",
    f"{_SPEC}/cql2/1.0/conf/basic-spatial-functions",
    f"{_SPEC}/cql2/1.0/conf/basic-spatial-functions-plus",
    f"{_SPEC}/cql2/1.0/conf/spatial-functions",
    f"{_SPEC}/cql2/1.0/conf/temporal-functions",
    # Features Part 5, which is Common Part 3: tests/api/test_ogc_schemas.py
    f"{_SPEC}/ogcapi-common-3/1.0/conf/schemas",
    f"{_SPEC}/ogcapi-common-3/1.0/conf/advanced-property-roles",
    f"{_SPEC}/ogcapi-common-3/1.0/conf/returnables-and-receivables",
    f"{_SPEC}/ogcapi-common-3/1.0/conf/queryables",
    f"{_SPEC}/ogcapi-common-3/1.0/conf/sortables",
    # and as the drafts of Features Part 5 named it, which clients look for
    *(f"{_SPEC}/ogcapi-features-5/1.0/conf/{name}" for name in ("schemas", "core-roles-features", "returnables-and-receivables")),
    *(f"{_SPEC}/ogcapi-features-5/1.0/conf/{name}" for name in ("queryables", "sortables")),
    # Tiles Part 1 and Tile Matrix Set 2.0: tests/api/test_ogc_tiles.py
    *(f"{_SPEC}/ogcapi-tiles-1/1.0/conf/{name}" for name in ("core", "tileset", "tilesets-list", "geodata-tilesets", "mvt", "oas30")),
    *(f"{_SPEC}/tms/2.0/conf/{name}" for name in ("tilematrixset", "json-tilematrixset", "tilesetmetadata", "json-tilesetmetadata")),
    # Styles Part 1, a draft: tests/api/test_ogc_styles.py
    *(f"{_SPEC}/ogcapi-styles-1/1.0/conf/{name}" for name in ("core", "global-styles", "collection-styles", "mapbox-styles")),
)
