"""The quarterly job: a release of the quarter that ended last, or of one that is named, unless there is one that says the same."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from gridmgmt.errors import ConflictError, InvalidError, NotFoundError
from gridmgmt.rents.composing import Tell, compose
from gridmgmt.rents.methods.disclosure import Rules
from gridmgmt.rents.methods.guidance import Band
from gridmgmt.rents.releases import Figure, figures_of, find_release, list_releases, quarter_start, quarter_text, take_step
from gridmgmt.settings import Rents

STANDING: Final = ("computed", "reviewed", "approved", "published")


@dataclass(frozen=True)
class Composed:
    """A release of the quarter, and whether it was made just now or had been there and says the same."""

    release: RowMapping
    made: bool


def last_quarter(session: Session) -> str:
    """The quarter that ended last."""
    today: dt.date = session.execute(text("SELECT reg.today()")).scalar_one()
    return quarter_text(today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1) - dt.timedelta(days=1))


def rules_of(rents: Rents) -> Rules:
    """The rules of disclosure control that an operator has set."""
    return Rules(
        few=rents.rents_few,
        thin=rents.rents_thin,
        landlords=rents.rents_landlords,
        share=rents.rents_share,
        complete=rents.rents_complete,
        roll_up=rents.rents_roll_up,
    )


def compose_once(session: Session, quarter: str, *, rents: Rents, tell: Tell = lambda _what, _done, _of: None) -> Composed:
    """Compute a quarter as the settings `rents` have it, and keep it as a draft, unless the newest release of it that was not rejected says
    the same, figure by figure, and could still be published; class loader. Raises what `compose` does.
    """
    rules, band = rules_of(rents), Band(rents.rents_band_low, rents.rents_band_high)
    standing = next((one for one in list_releases(session) if one["quarter"] == quarter and one["state"] in STANDING), None)
    if standing is None:
        return Composed(compose(session, quarter, rules=rules, band=band, tell=tell), made=True)
    with session.begin_nested() as trial:
        fresh = compose(session, quarter, rules=rules, band=band, tell=tell)
        stale = standing["state"] != "published" and standing["published_before"] != fresh["published_before"]
        if not stale and _said(session, fresh["id"]) == _said(session, standing["id"]):
            trial.rollback()
            return Composed(standing, made=False)
    return Composed(fresh, made=True)


def find_named(session: Session, word: str) -> RowMapping:
    """A release by its id, or the newest one of a quarter, `last` being the one that ended last, that was not rejected.

    Raises InvalidError, NotFoundError.
    """
    if word == "last":
        word = last_quarter(session)
    try:
        return find_release(session, uuid.UUID(word))
    except ValueError:
        pass
    try:
        quarter_start(word)
    except InvalidError:
        raise InvalidError(f"{word} is neither the id of a release nor a quarter like 2011Q4", field="release") from None
    found = next((one for one in list_releases(session) if one["quarter"] == word and one["state"] in STANDING), None)
    if found is None:
        raise NotFoundError(f"there is no release of {word}: gridmgmt rents compute --quarter {word} makes one", field="release")
    return found


def publish(session: Session, word: str) -> RowMapping:
    """Make an approved release public, of a quarter the newest of them. Raises ConflictError that says who has to do what before."""
    named = last_quarter(session) if word == "last" else word
    approved = (one for one in list_releases(session) if (one["quarter"], one["state"]) == (named, "approved"))
    release = next(approved, None) or find_named(session, word)
    state, path = release["state"], f"/v1/rents/releases/{release['id']}"
    missing = {
        "computed": f"somebody of the office reviews it (POST {path}/review), then somebody else approves it (POST {path}/approve)",
        "reviewed": f"somebody of the office who did not review it approves it (POST {path}/approve)",
    }
    if state in missing:
        raise ConflictError(f"{name_of(release)} is {state}: {missing[state]}", slug="state-step")
    return take_step(session, release["id"], "published")


def name_of(release: RowMapping) -> str:
    """How a release is called: 2011Q4, edition 2."""
    return f"{release['quarter']}, edition {release['edition']},"


def figures_of_quarter(session: Session, release: RowMapping) -> Sequence[Figure]:
    """What a release says of its own quarter."""
    start = quarter_start(release["quarter"])
    return [one for _, one in figures_of(session, release["id"]) if one.period >= start]


def _said(session: Session, release: uuid.UUID) -> set[Figure]:
    return {figure for _, figure in figures_of(session, release)}
