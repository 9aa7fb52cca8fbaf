"""`gridmgmt device`: handhelds come in by a code, and are drained, shut out or let in again. Acts as local-admin; all of it is audited."""

import uuid
from dataclasses import asdict
from typing import Annotated, Final

from cyclopts import App, Parameter
from cyclopts.types import PositiveInt

from gridmgmt.cli.console import AsJson, report, table
from gridmgmt.operations.operator import open_register
from gridmgmt.settings import load_settings
from gridmgmt.sync import devices, enrolment
from gridmgmt.sync.devices import Holding, Status, Step

app = App(name="device", help="Handhelds: how they come in, how they stand, and how they are shut out.")

PAGE: Final = 1_000
LONGEST: Final = 90


@app.command
def code(
    username: str,
    /,
    *,
    days: Annotated[PositiveInt, Parameter(help=f"Days for which it is good, at most {LONGEST}.")] = enrolment.DAYS,
    json: AsJson = False,
) -> None:
    """Issue a one-time code by which one handheld of a worker is let in; it is shown once."""
    with open_register(load_settings()) as register, register.database.transaction(register.admin) as session:
        made = enrolment.issue_code(session, username, days=min(days, LONGEST))
    report(asdict(made), [made.code], as_json=json)


@app.command(name="list")
def list_(
    *,
    user: Annotated[str | None, Parameter(help="Only those of this worker.")] = None,
    status: Annotated[Status | None, Parameter(help="Only those that stand so.")] = None,
    json: AsJson = False,
) -> None:
    """List the handhelds."""
    found: list[Holding] = []
    with open_register(load_settings()) as register, register.database.transaction(register.admin, read_only=True) as session:
        while True:
            after = (found[-1].id,) if found else None
            page = devices.browse(session, register.admin, limit=PAGE, after=after, username=user, status=status)
            found += page[:PAGE]
            if len(page) <= PAGE:
                break
    shown = table("id", "holder", "called", "stands", "last seen", "app")
    for one in found:
        stands = f"{one.status}, locked" if one.locked and one.status != "wiped" else one.status
        shown.add_row(str(one.id), one.username, one.label, stands, f"{one.seen_at:%Y-%m-%d %H:%M} UTC", one.app_version or "")
    report({"devices": [asdict(one) for one in found]}, shown, as_json=json)


@app.command
def revoke(identifier: uuid.UUID, /, *, json: AsJson = False) -> None:
    """A lost or stolen handheld: nothing of it is taken any more, and at its next contact it is told to wipe itself."""
    _step(identifier, "revoke", json=json)


@app.command
def drain(identifier: uuid.UUID, /, *, json: AsJson = False) -> None:
    """A handheld that is given back: it hands in what it holds, gets nothing more, and wipes itself."""
    _step(identifier, "drain", json=json)


@app.command
def activate(identifier: uuid.UUID, /, *, json: AsJson = False) -> None:
    """Let a draining handheld go on after all."""
    _step(identifier, "activate", json=json)


@app.command
def reauthorise(identifier: uuid.UUID, /, *, json: AsJson = False) -> None:
    """Let in a handheld that was silent for 30 days, or whose refresh token came twice."""
    _step(identifier, "reauthorise", json=json)


def _step(identifier: uuid.UUID, step: Step, *, json: bool) -> None:
    with open_register(load_settings()) as register, register.database.transaction(register.admin) as session:
        now = devices.change(session, register.admin, identifier, step)
    locked = ", locked" if now.locked else ""
    report(asdict(now), [f"{now.label} of {now.username}: {now.status}{locked}"], as_json=json)
