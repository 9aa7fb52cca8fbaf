"""What can go wrong in the district's own terms. Verbs raise these; they know no status codes.

`explain` names a refusal of PostgreSQL by its constraint, so that a rule held there is told as kindly as one checked before.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import OperationalError
from psycopg.errors import Diagnostic
from sqlalchemy.exc import DBAPIError


class DistrictError(Exception):
    """A refusal with a stable `slug`, one clear sentence and, where one field is to blame, its name."""

    slug = "refused"

    def __init__(self, detail: str, *, field: str | None = None, slug: str | None = None, **facts: object) -> None:
        """Facts are members of the problem beside its detail, never parsed from it."""
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.slug = slug or self.slug
        self.facts: Mapping[str, object] = facts


class UnauthenticatedError(DistrictError):
    """Nobody valid asks: no account, wrong password, expired or dead token."""

    slug = "unauthenticated"


class ForbiddenError(DistrictError):
    """The role may not do this at all, whatever the row."""

    slug = "forbidden"


class NotFoundError(DistrictError):
    """There is no such row, or none that the actor may see: the two are told alike."""

    slug = "not-found"


class InvalidError(DistrictError):
    """A value that cannot be: names the field and the reason."""

    slug = "invalid-value"


class ConflictError(DistrictError):
    """The value is possible, but not beside what is there."""

    slug = "conflict"


class GoneError(DistrictError):
    """It was there, and will not come back by itself."""

    slug = "gone"


class StaleError(DistrictError):
    """The row was changed since the writer read it."""

    slug = "stale-version"


class QuotaError(DistrictError):
    """The actor has used up a quota; `retry_after` seconds are in the facts."""

    slug = "quota-exceeded"


class BusyError(DistrictError):
    """The database cannot answer now; worth another try after a moment."""

    slug = "busy"


@dataclass(frozen=True)
class Rule:
    """How the breach of a named constraint is told.

    `spoken`: the trigger that refused wrote the sentence and the facts (a JSON object in DETAIL) for the office, which alone gets there.
    """

    kind: type[DistrictError]
    slug: str
    field: str | None
    detail: str
    spoken: bool = False


RULES: Mapping[str, Rule] = {
    "ex_area_code_valid": Rule(ConflictError, "code-taken", "code", "another area has this code at the same time"),
    "uq_grid_scheme_code": Rule(ConflictError, "code-taken", "code", "the code is used or was used by another grid of the scheme"),
    "grid_no_overlap": Rule(ConflictError, "grid-overlap", "geometry", "the grid overlaps another base grid", spoken=True),
    "grid_not_ahead": Rule(
        InvalidError, "invalid-value", None, "a base grid begins and ends today or before: buildings are placed at once"
    ),
    "grid_within_community": Rule(InvalidError, "grid-outside-community", "geometry", "the grid leaves its community", spoken=True),
    "grid_keeps_its_buildings": Rule(
        ConflictError, "grid-has-buildings", "geometry", "buildings would be left outside their grid", spoken=True
    ),
    "building_empty": Rule(ConflictError, "building-has-units", "retired_on", "the building still has units: retire them first"),
    "unit_in_building": Rule(ConflictError, "place-retired", "building_id", "the building is retired or struck out"),
    "unit_empty": Rule(ConflictError, "unit-occupied", "retired_on", "the unit is occupied: end its residences first"),
    "person_gone": Rule(ConflictError, "person-lives-somewhere", None, "the person still lives somewhere: end the residence first"),
    "residence_place": Rule(ConflictError, "place-retired", "unit_id", "the unit or the person is retired or struck out"),
    "building_in_a_grid": Rule(InvalidError, "outside-grids", "entrance", "the place lies in no grid that you may write to"),
    "uq_building_house_code": Rule(ConflictError, "code-taken", "house_code", "another building has this house code"),
    "uq_unit_code": Rule(ConflictError, "code-taken", "code", "another unit has this code"),
    "pk_building": Rule(ConflictError, "id-taken", "id", "the id is used already"),
    "pk_unit": Rule(ConflictError, "id-taken", "id", "the id is used already"),
    "pk_person": Rule(ConflictError, "id-taken", "id", "the id is used already, with other content"),
    "pk_residence": Rule(ConflictError, "id-taken", "id", "the id is used already"),
    "pk_lease": Rule(ConflictError, "id-taken", "id", "the id is used already"),
    "pk_file": Rule(ConflictError, "id-taken", "Upload-Metadata.id", "the id is used already"),
    "pk_manager": Rule(ConflictError, "id-taken", "id", "the id is used already"),
    "pk_inspection": Rule(ConflictError, "id-taken", "id", "the id is used already"),
    "pk_duty_report": Rule(ConflictError, "id-taken", "id", "the id is used already"),
    "inspection_unit_in_building": Rule(InvalidError, "unknown-reference", "unit_id", "the unit is of another building"),
    "duty_report_unit_in_building": Rule(InvalidError, "unknown-reference", "unit_id", "the unit is of another building"),
    "ex_residence_main": Rule(ConflictError, "second-main-residence", "valid_from", "the person has another main residence then"),
    "uq_lease_number": Rule(ConflictError, "code-taken", "number", "another lease has this number"),
    "ex_lease_unit": Rule(ConflictError, "unit-already-let", "valid_from", "the unit is let to somebody else in this period"),
    "lease_within_head": Rule(ConflictError, "sublet-outlasts-head", "valid_to", "a sublet may not outlast its head lease"),
    "lease_keeps_its_sublets": Rule(ConflictError, "lease-has-sublets", "state", "the lease has sublets: end or cancel those first"),
    "lease_state_step": Rule(ConflictError, "state-step", "state", "this state does not follow from the present one"),
    "manager_state_step": Rule(ConflictError, "state-step", "state", "this state does not follow from the present one"),
    "ex_manager_person_building": Rule(ConflictError, "already-appointed", "person_id", "the person manages this building in this period"),
    "ck_manager_contacts": Rule(
        InvalidError, "contacts-missing", "police_contact", "an active manager needs a police and an office contact"
    ),
    "ck_rent_release_approved": Rule(ForbiddenError, "four-eyes", "state", "whoever reviewed a release does not approve it"),
    "release_is_stale": Rule(
        ConflictError, "state-step", "state", "another release was published since this one was computed: compute it again"
    ),
    "release_state_step": Rule(ConflictError, "state-step", "state", "this state does not follow from the present one"),
    "rents_are_kept": Rule(ConflictError, "kept", None, "what was computed or published is never changed"),
    "uq_rent_release_quarter_edition": Rule(ConflictError, "edition-taken", "edition", "the quarter has this edition already"),
    "ux_rent_release_published": Rule(ConflictError, "write-conflict", None, "another edition of the quarter was published just now"),
    "ux_rent_release_published_before": Rule(ConflictError, "write-conflict", None, "another release was published just now"),
    # two devices at once: done again, the second one finds the first's
    "uq_mutation_mutation_id": Rule(ConflictError, "write-conflict", "mutation_id", "the mutation id was used at the same moment"),
    "uq_account_username": Rule(ConflictError, "code-taken", "username", "another account has this name"),
    "ex_area_grant_subdistrict": Rule(ConflictError, "second-subdistrict", "area", "the account has a subdistrict in this period"),
}

_COLUMN = re.compile(r"^(?:ck|fk)_(?:duty_report|[a-z]+)_(?P<column>[a-z0-9_]+?)(?:_grid_id_subdistrict_id)?$")


def explain(error: DBAPIError) -> DistrictError | None:
    """The district's own word for a refusal by PostgreSQL, or None when the fault is ours.

    An unseen and an unknown parent give the same answer: both break the same key.
    """
    return BusyError("the database did not answer") if error.connection_invalidated else explain_cause(error.orig)


def explain_cause(cause: BaseException | None) -> DistrictError | None:
    """The same for an error of psycopg itself."""
    state = getattr(cause, "sqlstate", None)
    diag = getattr(cause, "diag", None)
    if state is None:
        return BusyError("the database cannot be reached") if isinstance(cause, OperationalError) else None
    name = diag.constraint_name if isinstance(diag, Diagnostic) else None
    rule = RULES.get(name or "")
    if rule is not None and isinstance(diag, Diagnostic):
        facts: dict[str, object] = json.loads(diag.message_detail) if rule.spoken and diag.message_detail else {}
        detail = (diag.message_primary if rule.spoken else None) or rule.detail
        return rule.kind(detail, field=rule.field, slug=rule.slug, **facts)
    match = _COLUMN.match(name or "")
    field = match["column"] if match else None
    if state == "23503":
        return InvalidError("there is no such row, or none that you may see", field=field, slug="unknown-reference")
    if state == "23514":
        return InvalidError("the value is out of range or does not fit the others", field=field)
    if state == "23502":
        return InvalidError("a value is missing", field=diag.column_name if isinstance(diag, Diagnostic) else None)
    if state.startswith("23"):
        return ConflictError("the row does not fit beside those that are there", field=field)
    if state.startswith("22"):
        return InvalidError("a value is not of the right kind or range")
    if state == "42501":
        return InvalidError("the row lies outside your area, or the change is not yours to make", slug="outside-scope")
    if state in {"40001", "40P01"}:
        return ConflictError("somebody changed the same rows at the same moment", slug="write-conflict")
    if state == "53100":
        return BusyError("the database has no room left on its disk")
    if state in {"57014", "55P03", "25P03", "57P05"} or state.startswith(("53", "57P", "08")):
        return BusyError("the database is too busy to answer in time")
    return None
