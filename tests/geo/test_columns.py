import warnings

import pytest
import shapely
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from geoalchemy2 import Geometry, WKBElement, alembic_helpers
from geoalchemy2.shape import from_shape, to_shape
from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from geo.columns import MultiPolygonGeometry, PointGeometry, spatial_index, web_mercator
from geo.crs import STORAGE


class Base(DeclarativeBase):
    pass


class Site(Base):
    __tablename__ = "site"
    __table_args__ = (spatial_index("ix_site_geom"), spatial_index("ix_site_geom_3857", "geom_3857"), {"schema": "plans"})

    id: Mapped[int] = mapped_column(primary_key=True)
    geom: Mapped[MultiPolygonGeometry]
    footprint: Mapped[WKBElement | None] = mapped_column(Geometry("POLYGON", srid=STORAGE, spatial_index=False))
    entrance: Mapped[PointGeometry]
    geom_3857: Mapped[WKBElement | None] = web_mercator()
    shape_3857: Mapped[WKBElement | None] = web_mercator("coalesce(footprint, entrance)")


WRITTEN_BY_HAND = """
    CREATE SCHEMA plans;
    CREATE TABLE plans.site (
        id serial PRIMARY KEY,
        geom geometry(MultiPolygon, 4490) NOT NULL,
        footprint geometry(Polygon, 4490),
        entrance public.geometry(Point, 4490) NOT NULL,
        geom_3857 geometry(Geometry, 3857) GENERATED ALWAYS AS (public.ST_Transform(geom, 3857)) STORED,
        shape_3857 geometry(Geometry, 3857) GENERATED ALWAYS AS (public.ST_Transform(coalesce(footprint, entrance), 3857)) STORED
    );
    CREATE INDEX ix_site_geom ON plans.site USING gist (geom);
    CREATE INDEX ix_site_geom_3857 ON plans.site USING gist (geom_3857);
"""


def only_plans(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
    return name == "plans" if kind == "schema" else parents.get("schema_name") in {None, "plans"}


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection,
        opts={
            "include_schemas": True,
            "include_object": alembic_helpers.include_object,
            "include_name": only_plans,
            "compare_server_default": True,
        },
    )
    return list(compare_metadata(context, Base.metadata))


@pytest.mark.parametrize("change", ["DROP INDEX plans.ix_site_geom", "ALTER TABLE plans.site DROP COLUMN geom_3857"])
def test_alembic_sees_what_is_missing(postgis_connection: Connection, change: str) -> None:
    postgis_connection.execute(text(WRITTEN_BY_HAND))
    postgis_connection.execute(text(change))
    assert differences(postgis_connection) != []


def test_alembic_sees_no_difference_from_a_table_written_by_hand(postgis_connection: Connection) -> None:
    postgis_connection.execute(text(WRITTEN_BY_HAND))
    with warnings.catch_warnings(action="error"):
        assert differences(postgis_connection) == []


def test_a_table_has_its_named_indexes_and_no_others(postgis_connection: Connection) -> None:
    postgis_connection.execute(text("CREATE SCHEMA plans"))
    Base.metadata.create_all(postgis_connection)
    names = {index["name"] for index in inspect(postgis_connection).get_indexes("site", schema="plans")}
    assert names == {"ix_site_geom", "ix_site_geom_3857"}


def test_the_web_column_follows_the_geometry_and_is_loaded_only_when_asked_for(postgis_connection: Connection) -> None:
    postgis_connection.execute(text(WRITTEN_BY_HAND))
    session = Session(postgis_connection, join_transaction_mode="rollback_only")
    area = shapely.MultiPolygon([shapely.box(113.8, 22.5, 113.9, 22.6)])
    session.add(Site(id=1, geom=from_shape(area, srid=STORAGE), entrance=from_shape(shapely.Point(113.85, 22.55), srid=STORAGE)))
    session.flush()
    session.expunge_all()
    site = session.scalars(select(Site)).one()
    assert to_shape(site.geom) == area
    assert "geom_3857" not in site.__dict__
    assert site.geom_3857 is not None
    # Web Mercator: x = 6,378,137 m x 113.8° in radians.
    assert to_shape(site.geom_3857).bounds[0] == pytest.approx(12_668_158, abs=1)
    assert site.shape_3857 is not None
    session.close()
