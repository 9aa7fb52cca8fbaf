"""`gridmgmt account` and `gridmgmt token`: who may log in, and where they work. Acts as local-admin; all of it is audited."""

import datetime as dt
import getpass
import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.types import PositiveInt

from gridmgmt.cli.console import AsJson, report, table
from gridmgmt.errors import InvalidError
from gridmgmt.operations.operator import ADMIN, OPERATOR, OperatorError, open_register
from gridmgmt.security import accounts, audit
from gridmgmt.security.passwords import Passwords
from gridmgmt.security.tokens import Tokens
from gridmgmt.settings import Settings, load_settings

app = App(name="account", help="Who may log in, and for which area. Passwords are asked for, never given as an argument.")

Role = Literal["admin", "district", "subdistrict", "community", "worker", "auditor"]
Stdin = Annotated[bool, Parameter(negative=(), help="Read the password from standard input instead of asking for it.")]
From = Annotated[dt.date | None, Parameter(name="--from", help="First day, today unless given.")]
Until = Annotated[dt.date | None, Parameter(name="--until", help="Day on which it ends, exclusive.")]


@app.command
def add(
    username: str,
    /,
    *,
    role: Role,
    name: str | None = None,
    no_password: Annotated[bool, Parameter(negative=(), help="An account that nobody logs in to by password.")] = False,
    password_stdin: Stdin = False,
    json: AsJson = False,
) -> None:
    """Make an account.

    Parameters
    ----------
    username: Small letters, digits, dot, dash and underscore.
    role: What the account may do at all.
    name: Name as shown; the user name unless given.
    """
    settings = load_settings()
    with open_register(settings) as register:
        hashed = None if no_password else _hashed(settings, stdin=password_stdin)
        with register.database.transaction(register.admin) as session:
            made = accounts.add_account(session, username, display_name=name or username, role=role, password_hash=hashed)
            report({"id": made.id, "username": made.username, "role": made.role}, [f"Made {made.username}, {made.role}"], as_json=json)


@app.command(name="list")
def list_(*, json: AsJson = False) -> None:
    """List the accounts."""
    with open_register(load_settings()) as register, register.database.transaction(register.admin, read_only=True) as session:
        found = accounts.list_accounts(session)
        shown = table("name", "role", "shown as", "disabled")
        for one in found:
            shown.add_row(one.username, one.role, one.display_name, f"{one.disabled_at:%Y-%m-%d %H:%M} UTC" if one.disabled_at else "")
        told = [
            {"id": one.id, "username": one.username, "role": one.role, "display_name": one.display_name, "disabled_at": one.disabled_at}
            for one in found
        ]
        report({"accounts": told}, shown, as_json=json)


@app.command
def disable(username: str, /, *, json: AsJson = False) -> None:
    """Shut an account out; its next request is refused, whatever token or key it holds."""
    if username in {OPERATOR, ADMIN}:
        raise OperatorError(f"{username} is whom the command line acts as; nobody logs in to it")
    with open_register(load_settings()) as register, register.database.transaction(register.admin) as session:
        gone = accounts.disable_account(session, username)
        report({"username": gone.username, "disabled_at": gone.disabled_at}, [f"Disabled {gone.username}"], as_json=json)


@app.command
def password(username: str, /, *, password_stdin: Stdin = False, json: AsJson = False) -> None:
    """Set a new password; tokens issued before are dead."""
    settings = load_settings()
    with open_register(settings) as register:
        hashed = _hashed(settings, stdin=password_stdin)
        with register.database.transaction(register.admin) as session:
            accounts.set_password(session, username, hashed)
    report({"username": username}, [f"Set the password of {username}"], as_json=json)


@app.command
def key(
    username: str,
    /,
    *,
    label: Annotated[str, Parameter(help="What the key is for.")] = "command line",
    days: Annotated[PositiveInt, Parameter(help="Days for which it is good.")] = accounts.KEY_DAYS,
    write: Annotated[bool, Parameter(negative=(), help="Let it write the layers too that the account may write.")] = False,
    json: AsJson = False,
) -> None:
    """Issue a personal access key, for GIS clients that know only user name and password; it is shown once."""
    with open_register(load_settings()) as register, register.database.transaction(register.admin) as session:
        identifier, secret = accounts.issue_key(session, username, label=label, days=days, writes=write)
    report({"username": username, "id": identifier, "key": secret, "days": days, "write": write}, [secret], as_json=json)


@app.command
def grant(username: str, area: str, /, *, valid_from: From = None, valid_to: Until = None, json: AsJson = False) -> None:
    """Let a subdistrict or community account work for the area of that code."""
    with open_register(load_settings()) as register, register.database.transaction(register.admin) as session:
        accounts.grant_area(session, username, area, valid_from=valid_from, valid_to=valid_to)
    report({"username": username, "area": area}, [f"{username} works for area {area}"], as_json=json)


@app.command
def assign(
    username: str,
    grid: str,
    /,
    *,
    post: Annotated[
        str, Parameter(help="comprehensive_officer, grid_worker, assistant_officer, information_officer or building_manager.")
    ] = "grid_worker",
    stand_in: Annotated[bool, Parameter(negative=(), help="As the B of an A/B pair.")] = False,
    valid_from: From = None,
    valid_to: Until = None,
    json: AsJson = False,
) -> None:
    """Put a worker into the base grid of that code."""
    with open_register(load_settings()) as register, register.database.transaction(register.admin) as session:
        accounts.assign_grid(session, username, grid, post=post, stand_in=stand_in, valid_from=valid_from, valid_to=valid_to)
    report({"username": username, "grid": grid, "post": post}, [f"{username} works in grid {grid}"], as_json=json)


def token(username: str, /, *, json: AsJson = False) -> None:
    """Print a bearer token of an account, for trying requests out; audited as issued here."""
    settings = load_settings()
    with open_register(settings) as register:
        actor = accounts.known_as(register.database, username)
        tokens = Tokens(register.keys.token, settings.access.token_lifetime)
        with register.database.transaction(register.admin) as session:
            audit.record(session, "issue", "token", actor.account_id, detail={"person": register.person})
        issued = tokens.issue(actor)
    report({"access_token": issued, "token_type": "Bearer", "expires_in": tokens.lifetime}, [issued], as_json=json)


def _hashed(settings: Settings, *, stdin: bool) -> str:
    if stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        given = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != given:
            raise InvalidError("the two passwords differ")
    else:
        raise OperatorError("there is nobody to ask for a password: give it with --password-stdin")
    return Passwords().hash(given, demo=settings.access.demo_mode)
