"""/v1/rents: guidance rents and the rental price index. What was published is for everybody; the office takes releases there."""

import csv
import io
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from importlib.metadata import version as installed
from typing import Annotated, Any, Final, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import StringConstraints
from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from api.conditional import CACHED, IfMatchDep, etag, tag
from api.dependencies import REGISTER_ROLES, CallerDep, OpenSessionDep, PartsDep, ReadSessionDep, SessionDep, allow
from api.paging import Page, PageDep
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas.base import AreaCode, Day, EntityId, Listing
from api.schemas.rents import (
    Estimates,
    Frequency,
    GuideFigure,
    IndexFigure,
    Lets,
    Level,
    Method,
    Quarter,
    Release,
    ReleaseSheet,
    Rent,
    RentChecked,
    Review,
    Revision,
    Use,
)
from gridmgmt.errors import InvalidError
from gridmgmt.rents import published, releases
from gridmgmt.rents.catalogue import DEFAULT, METHODS, Solved
from gridmgmt.rents.published import Wish
from gridmgmt.reports import forms
from gridmgmt.reports.issue import read_issue
from gridmgmt.reports.wording import Language
from gridmgmt.security import audit

router = APIRouter(
    prefix="/v1/rents",
    tags=["rents"],
    route_class=DistrictRoute,
    responses=declares("unauthenticated", "device-draining", "invalid-value", "not-found"),
)
OFFICE = [Depends(allow("district"))]
STEP = declares(
    "forbidden", "four-eyes", "kept", "stale-version", "precondition-required", "state-step", "too-large", "unsupported-media-type"
)
FIGURES: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
COLUMNS: Final = (
    "code", "name", "level", "product", "frequency", "use", "lets", "period", "value", "low", "high", "se", "n_told", "basis", "flag",
    "reason",
)  # fmt: skip

SAID: Final = ("value", "low", "high", "se", "n_told", "basis", "flag", "reason")
REVISED: Final = (
    "product", "frequency", "area_id", "use", "lets", "period", *(f"{name}_{when}" for name in SAID for when in ("before", "after")),
)  # fmt: skip

BULLETIN: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file, the same bytes for the same release",
        "headers": CACHED[200]["headers"],
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in forms.MEDIA.values()},
    },
    304: CACHED[304],
}

QuarterFilter = Annotated[Quarter | None, Query(description="Release of this quarter, 2011Q4; the newest published one unless given")]
ReleaseFilter = Annotated[EntityId | None, Query(description="A release by its id, drafts too for the office")]
AreaBeginning = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[0-9]{6,12}$")] | None, Query(description="Beginning of the area's code")
]
LevelFilter = Annotated[Level | None, Query()]
UseFilter = Annotated[Use | None, Query()]
Form = Annotated[Literal["json", "csv"], Query(alias="f", description="csv gives all figures in one file, without pages")]
ReleaseId = Annotated[EntityId, Path()]


@router.get("/guide", response_model=Listing[GuideFigure], responses=FIGURES)
def list_guide(
    session: OpenSessionDep,
    page: PageDep,
    quarter: QuarterFilter = None,
    release: ReleaseFilter = None,
    area: AreaBeginning = None,
    level: LevelFilter = None,
    use: UseFilter = None,
    form: Form = "json",
) -> object:
    """Guidance rents (房屋租赁指导租金) in yuan per square metre and month, by area and use."""
    return _answer(session, page, quarter, release, form, Wish("guide", area=area, level=level, use=use))


@router.get("/index", response_model=Listing[IndexFigure], responses=FIGURES)
def list_index(
    session: OpenSessionDep,
    page: PageDep,
    quarter: QuarterFilter = None,
    release: ReleaseFilter = None,
    area: AreaBeginning = None,
    level: LevelFilter = None,
    use: UseFilter = None,
    lets: Annotated[Lets | None, Query(description="All leases, or new lets only")] = None,
    frequency: Annotated[Frequency | None, Query()] = None,
    since: Annotated[Day | None, Query(alias="from", description="First period")] = None,
    until: Annotated[Day | None, Query(alias="to", description="Last period")] = None,
    form: Form = "json",
) -> object:
    """The rental price index (租金价格指数), by area, use, kind of let and period. The first period is 100."""
    if since is not None and until is not None and since > until:
        raise InvalidError("the first period lies after the last", field="from")
    wish = Wish("index", area=area, level=level, use=use, lets=lets, frequency=frequency, since=since, until=until)
    return _answer(session, page, quarter, release, form, wish)


@router.get("/estimates", response_model=Estimates, responses=declares("forbidden"), dependencies=OFFICE)
def estimate_index(
    session: ReadSessionDep,
    area: Annotated[AreaCode, Query(description="Code of a district, subdistrict or community")],
    use: Use,
    since: Annotated[Day, Query(alias="from", description="First period; it is 100")],
    until: Annotated[Day, Query(alias="to", description="Last period")],
    frequency: Frequency = "month",
    lets: Lets = "all",
    method: Annotated[Solved, Query(description="Of leases, or of rents of the same units")] = "time_dummy",
) -> object:
    """The index of an area as the observations stand now, for the office: nobody has reviewed it, and it is not for publication."""
    from gridmgmt.rents.estimates import estimate  # noqa: PLC0415  # scipy: 24 MB that no other request needs

    found = estimate(session, area, use, since, until, frequency=frequency, lets=lets, method=method)
    return {"area": area, "use": use, "lets": lets, "frequency": frequency, "method": method, "index": found}


@router.get("/methods", response_model=list[Method])
def list_methods() -> object:
    """The methods that an index can be computed by, with their sources; one is the default."""
    return [
        {
            "name": one.name,
            "title": one.title,
            "title_zh": one.title_zh,
            "about": one.about,
            "source": one.source,
            "parameters": dict(one.parameters),
            "default": one.name == DEFAULT,
        }
        for one in METHODS.values()
    ]


@router.post(
    "/check",
    response_model=RentChecked,
    responses=declares("forbidden", "too-large", "unsupported-media-type"),
    dependencies=[Depends(allow(*REGISTER_ROLES))],
)
def check_rent(session: ReadSessionDep, body: Rent) -> object:
    """Hold a rent against the newest guidance rent of its area: where it stands, and whether it lies in the band. Nothing is kept."""
    return published.check_rent(session, body.area, body.use, Decimal(body.rent_fen) / 100 / Decimal(str(body.area_m2)))


@router.get("/releases", response_model=list[Release])
def list_releases(session: OpenSessionDep) -> object:
    """Releases, the newest first: published ones, and drafts too for the office."""
    return releases.list_releases(session)


@router.get("/releases/{id}", response_model=ReleaseSheet, responses=CACHED)
def read_release(session: OpenSessionDep, response: Response, id: ReleaseId) -> object:
    """One release and the runs that it was computed by."""
    return _sheet(session, response, id)


@router.get("/releases/{id}/bulletin", response_class=Response, responses=BULLETIN)
async def read_bulletin(
    parts: PartsDep,
    actor: CallerDep,
    id: ReleaseId,
    lang: Annotated[Language, Query(description="Chinese or English")] = "zh",
    form: Annotated[forms.Form, Query(alias="f", description="PDF: maps, charts, tables, method; xlsx: all figures")] = "pdf",
) -> Response:
    """The bulletin (公报) of a release. Made when it is first asked for, which takes a few seconds."""

    def find() -> RowMapping:
        with parts.database.transaction(actor, read_only=True) as session:
            return releases.find_release(session, id)

    def make() -> bytes:
        with parts.database.transaction(actor, read_only=True) as session:
            issue = read_issue(session, id, demo=parts.settings.access.demo_mode)
        return forms.make(issue, form, lang)

    release = await run_sync(find)
    version = etag(release["version"], lang, form, installed("gridmgmt"))
    document = parts.documents.find((id, version))
    if document is None:
        with parts.files.taken():
            document = await run_sync(make)
        parts.documents.put((id, version), document)
    name = forms.name_of(release["quarter"], release["edition"], form, lang)
    headers = {"ETag": version, "Content-Disposition": f'attachment; filename="{name}"', "Content-Language": lang}
    return Response(document, media_type=forms.MEDIA[form], headers=headers)


@router.get("/releases/{id}/revisions", response_model=list[Revision], responses=FIGURES)
def list_revisions(
    session: OpenSessionDep,
    id: ReleaseId,
    since: Annotated[EntityId, Query(description="The earlier release")],
    form: Form = "json",
) -> object:
    """What a release says otherwise than an earlier one, figure by figure, in any part of it."""
    found = releases.compare(session, since, id)
    if form == "json":
        return found
    said = [{f"{name}_{when}": getattr(getattr(one, when), name, None) for name in SAID for when in ("before", "after")} for one in found]
    rows = [asdict(one) | told for one, told in zip(found, said, strict=True)]
    return _csv("revisions", REVISED, rows)


@router.post("/releases/{id}/review", response_model=ReleaseSheet, responses=STEP, dependencies=OFFICE)
def review_release(session: SessionDep, response: Response, id: ReleaseId, read: IfMatchDep, body: Review) -> object:
    """Say as an expert that the numbers are sound."""
    return _stepped(session, response, id, "reviewed", read, body)


@router.post("/releases/{id}/approve", response_model=ReleaseSheet, responses=STEP, dependencies=OFFICE)
def approve_release(session: SessionDep, response: Response, id: ReleaseId, read: IfMatchDep, body: Review) -> object:
    """Approve what somebody else has reviewed."""
    return _stepped(session, response, id, "approved", read, body)


@router.post("/releases/{id}/publish", response_model=ReleaseSheet, responses=STEP, dependencies=OFFICE)
def publish_release(session: SessionDep, response: Response, id: ReleaseId, read: IfMatchDep, body: Review) -> object:
    """Make an approved release public. An earlier edition of the quarter is superseded; nothing is ever changed."""
    return _stepped(session, response, id, "published", read, body)


@router.post("/releases/{id}/reject", response_model=ReleaseSheet, responses=STEP, dependencies=OFFICE)
def reject_release(session: SessionDep, response: Response, id: ReleaseId, read: IfMatchDep, body: Review) -> object:
    """Drop a draft. It is kept, and never published."""
    return _stepped(session, response, id, "rejected", read, body)


def _stepped(session: SessionDep, response: Response, id: uuid.UUID, state: releases.Step, read: Any, body: Review) -> object:
    releases.take_step(session, id, state, read, note=body.note)
    audit.record(session, state, "rent_release", id)
    return _sheet(session, response, id)


def _sheet(session: Any, response: Response, id: uuid.UUID) -> dict[str, Any]:
    release = releases.find_release(session, id)
    tag(response, release["version"])
    return {**release, "runs": releases.runs_of(session, id)}


def _answer(session: Session, page: Page, quarter: str | None, release: uuid.UUID | None, form: str, wish: Wish) -> object:
    """A page of figures, or all of them as a file. Pages that follow are of the release that the first one was of."""
    after = page.after(uuid.UUID, int)
    found = published.release_for(session, *((quarter, release) if after is None else (None, after[0])))
    if form == "csv":
        name = f"{'guide-rents' if wish.product == 'guide' else 'rent-index'}-{found['quarter']}"
        return _csv(name, COLUMNS, published.all_figures(session, found["id"], wish))
    rows = published.browse_figures(session, found["id"], wish, limit=page.limit, after=0 if after is None else after[1])
    return page.show(rows, lambda row: (found["id"], row["id"]))


def _csv(name: str, columns: Sequence[str], rows: Sequence[Mapping[Any, Any]]) -> Response:
    """Rows as a file that spreadsheets open: a byte-order mark, so that they read the names of areas."""
    told = io.StringIO()
    writer = csv.writer(told, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(["" if row[column] is None else row[column] for column in columns] for row in rows)
    return Response(
        "\ufeff" + told.getvalue(), media_type="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}.csv"'}
    )
