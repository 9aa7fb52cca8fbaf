"""Rents: observations, limits of what is a gross error, sums, runs and releases."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Computed,
    Date,
    FetchedValue,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Numeric,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base, Entity, Scoped, scope_key, scope_key_index

Share = Numeric(9, 8)


class RentObservation(Entity, Scoped, Base):
    """What a unit was let for: from a filed lease, a tax assessment or a survey. With a `reason` it is set aside and counts nowhere."""

    __tablename__ = "rent_observation"
    __table_args__ = (
        UniqueConstraint("source", "reference"),
        scope_key("rent_observation", "unit_id", "unit"),
        scope_key_index("rent_observation", "unit_id"),
        Index("ix_rent_observation_landlord_id", "landlord_id"),
        Index("ix_rent_observation_community_id_month", "community_id", "month"),
    )

    source: Mapped[str]
    reference: Mapped[str] = mapped_column(Text(collation="C"))
    unit_id: Mapped[uuid.UUID]
    community_id: Mapped[int] = mapped_column(ForeignKey("reg.area.id"))
    landlord_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("reg.landlord.id"))
    use: Mapped[str]
    class_: Mapped[str] = mapped_column("class")
    new_let: Mapped[bool]
    related: Mapped[bool] = mapped_column(server_default=text("false"))
    sublet: Mapped[bool] = mapped_column(server_default=text("false"))
    begins: Mapped[dt.date]
    ends: Mapped[dt.date | None]
    month: Mapped[dt.date | None] = mapped_column(
        Date, Computed("(date_trunc('month'::text, (begins)::timestamp without time zone))::date", persisted=True)
    )
    rent_fen: Mapped[int] = mapped_column(BigInteger)
    area_m2: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    reason: Mapped[str | None]
    log_rent: Mapped[int | None] = mapped_column(BigInteger)
    log_area: Mapped[int | None] = mapped_column(BigInteger)
    log_area_squared: Mapped[int | None] = mapped_column(BigInteger)
    age: Mapped[int | None] = mapped_column(BigInteger)
    age_squared: Mapped[int | None] = mapped_column(BigInteger)
    undated: Mapped[int | None] = mapped_column(BigInteger)
    floor: Mapped[int | None] = mapped_column(BigInteger)
    ground: Mapped[int | None] = mapped_column(BigInteger)
    top: Mapped[int | None] = mapped_column(BigInteger)
    tall: Mapped[int | None] = mapped_column(BigInteger)
    term: Mapped[int | None] = mapped_column(BigInteger)


class RentLimit(Base):
    """Middle and spread of the log rents of a group, beyond five of which a rent is a gross error."""

    __tablename__ = "rent_limit"

    subdistrict_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    use: Mapped[str] = mapped_column(primary_key=True)
    class_: Mapped[str] = mapped_column("class", primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int]
    centre: Mapped[int] = mapped_column(BigInteger)
    spread: Mapped[int] = mapped_column(BigInteger)
    pooled: Mapped[str]


class RentStatistic(Base):
    """Sums over the observations of a cell that count; several rows for one cell add up."""

    __tablename__ = "rent_statistic"
    __table_args__ = (Index("ix_rent_statistic_community_id_month", "community_id", "month"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    month: Mapped[dt.date]
    community_id: Mapped[int]
    use: Mapped[str]
    class_: Mapped[str] = mapped_column("class")
    new_let: Mapped[bool]
    n: Mapped[int]
    sums: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class RentPairStatistic(Base):
    """Sums over the pairs of rents of the same unit, by the months of both; several rows for one pair of months add up."""

    __tablename__ = "rent_pair_statistic"
    __table_args__ = (Index("ix_rent_pair_statistic_community_id", "community_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    community_id: Mapped[int]
    use: Mapped[str]
    earlier: Mapped[dt.date]
    later: Mapped[dt.date]
    n: Mapped[int]
    sum_u: Mapped[int] = mapped_column(BigInteger)
    sum_uu: Mapped[int] = mapped_column(BigInteger)


class RentCut(Base):
    """The latest moment until which some run knew the observations: whoever began before writes none afterwards. One row."""

    __tablename__ = "rent_cut"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cut: Mapped[dt.datetime]


class RentRun(Base):
    """One computation: what it was of and how it is repeated to the last digit."""

    __tablename__ = "rent_run"
    __table_args__ = (UniqueConstraint("id", "product", "frequency"), Index("ix_rent_run_area_id", "area_id"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("reg.uuid7()"))
    product: Mapped[str]
    frequency: Mapped[str]
    method: Mapped[str]
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    software: Mapped[str]
    data_cut: Mapped[dt.datetime]
    area_id: Mapped[int] = mapped_column(ForeignKey("reg.area.id"))
    use: Mapped[str]
    begins: Mapped[dt.date]
    ends: Mapped[dt.date]
    n: Mapped[int]
    trimmed: Mapped[int]
    quarantined: Mapped[int]
    digest: Mapped[str]
    premises: Mapped[bytes]
    computed_at: Mapped[dt.datetime] = mapped_column(server_default=text("transaction_timestamp()"))
    computed_by: Mapped[int] = mapped_column(BigInteger, server_default=text("sec.actor()"))


class RentValue(Base):
    """One number of a run, or the reason why there is none. Never shown outside the office: see RentFigure."""

    __tablename__ = "rent_value"
    __table_args__ = (Index("ix_rent_value_area_id", "area_id"),)

    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("reg.rent_run.id"), primary_key=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("reg.area.id"), primary_key=True)
    use: Mapped[str] = mapped_column(primary_key=True)
    lets: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[dt.date] = mapped_column(primary_key=True)
    value: Mapped[Decimal | None] = mapped_column(Numeric(16, 6))
    se: Mapped[Decimal | None] = mapped_column(Numeric(12, 8))
    low: Mapped[Decimal | None] = mapped_column(Numeric(16, 6))
    high: Mapped[Decimal | None] = mapped_column(Numeric(16, 6))
    n: Mapped[int]
    trimmed: Mapped[int]
    landlords: Mapped[int]
    largest_share: Mapped[Decimal | None] = mapped_column(Numeric(7, 6))
    pooled: Mapped[str]
    shrinkage: Mapped[Decimal | None] = mapped_column(Share)
    reason: Mapped[str | None]


class RentRelease(Base):
    """The numbers of one quarter on their way to the public: computed, reviewed, approved, published, superseded."""

    __tablename__ = "rent_release"
    __table_args__ = (
        UniqueConstraint("quarter", "edition"),
        Index("ux_rent_release_published", "quarter", unique=True, postgresql_where=text("state = 'published'")),
        Index(
            "ux_rent_release_published_before",
            "published_before",
            unique=True,
            postgresql_where=text("state IN ('published', 'superseded')"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("reg.uuid7()"))
    version: Mapped[int] = mapped_column(server_default=text("1"), server_onupdate=FetchedValue())
    quarter: Mapped[str]
    edition: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=text("'computed'"))
    note: Mapped[str | None]
    published_before: Mapped[int] = mapped_column(server_default=text("0"))
    computed_at: Mapped[dt.datetime] = mapped_column(server_default=text("transaction_timestamp()"))
    computed_by: Mapped[int] = mapped_column(BigInteger, server_default=text("sec.actor()"))
    reviewed_at: Mapped[dt.datetime | None] = mapped_column(server_onupdate=FetchedValue())
    reviewed_by: Mapped[int | None] = mapped_column(BigInteger, server_onupdate=FetchedValue())
    approved_at: Mapped[dt.datetime | None] = mapped_column(server_onupdate=FetchedValue())
    approved_by: Mapped[int | None] = mapped_column(BigInteger, server_onupdate=FetchedValue())
    published_at: Mapped[dt.datetime | None] = mapped_column(server_onupdate=FetchedValue())
    published_by: Mapped[int | None] = mapped_column(BigInteger, server_onupdate=FetchedValue())


class RentReleaseRun(Base):
    """A run that a release was made of."""

    __tablename__ = "rent_release_run"
    __table_args__ = (Index("ix_rent_release_run_run_id", "run_id"),)

    release_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("reg.rent_release.id"), primary_key=True)
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("reg.rent_run.id"), primary_key=True)


class RentFigure(Base):
    """What a release says of one area and period, after disclosure control: the public's number."""

    __tablename__ = "rent_figure"
    __table_args__ = (
        UniqueConstraint("release_id", "product", "frequency", "area_id", "use", "lets", "period", name="uq_rent_figure_release_id"),
        ForeignKeyConstraint(
            ["run_id", "product", "frequency"],
            ["reg.rent_run.id", "reg.rent_run.product", "reg.rent_run.frequency"],
            name="fk_rent_figure_run_id_product_frequency",
        ),
        Index("ix_rent_figure_area_id", "area_id"),
        Index("ix_rent_figure_run_id_product_frequency", "run_id", "product", "frequency"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    release_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("reg.rent_release.id"))
    run_id: Mapped[uuid.UUID]
    product: Mapped[str]
    frequency: Mapped[str]
    area_id: Mapped[int] = mapped_column(ForeignKey("reg.area.id"))
    use: Mapped[str]
    lets: Mapped[str]
    period: Mapped[dt.date]
    value: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    low: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    high: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    se: Mapped[Decimal | None] = mapped_column(Numeric(6, 4))
    n_told: Mapped[int | None]
    basis: Mapped[str]
    flag: Mapped[str | None]
    reason: Mapped[str | None]
