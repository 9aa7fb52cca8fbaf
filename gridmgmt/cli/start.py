"""`gridmgmt migrate` and `serve`: from an empty database to a register on the network."""

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter
from cyclopts.types import PositiveInt
from cyclopts.validators import Number

from gridmgmt.cli.console import AsJson, report, say, working
from gridmgmt.operations import migrate as migrations
from gridmgmt.operations.serving import become_server, check_ready, listen
from gridmgmt.settings import load_settings

DEMO_ACCOUNTS = "admin, district, expert, subdistrict, community, worker, auditor"


def migrate(*, json: AsJson = False) -> None:
    """Bring the database to the form that this release needs; waits for another migration, and said twice changes nothing.

    Makes the keys at the very first start. On a server of your own it checks that an administrator ran prepare.sql, and says how.
    """
    with working("Migrating"):
        done = migrations.migrate(load_settings(), say)
    line = f"The database is at {done.after}" + ("" if done.before == done.after else f", came from {done.before or 'nothing'}")
    report(asdict(done), [line], as_json=json)


def serve(
    *,
    host: Annotated[str | None, Parameter(help="Address to listen on; GRIDMGMT_HOST, or 127.0.0.1.")] = None,
    port: Annotated[int | None, Parameter(validator=Number(gte=1, lte=65535), help="Port to listen on; GRIDMGMT_PORT, or 8000.")] = None,
    workers: Annotated[PositiveInt, Parameter(help="Processes that serve; each has its own connections.")] = 1,
) -> None:
    """Serve HTTP until Ctrl-C. Looks first whether the database is up and migrated, the keys are there and the port is free."""
    settings = load_settings()
    where, number = host or settings.server.host, port or settings.server.port
    check_ready(settings, workers)
    heard = listen(where, number)
    for line in _greeting(f"http://{f'[{where}]' if ':' in where else where}:{number}", demo=settings.access.demo_mode):
        say(line)
    become_server(heard, workers)


def _greeting(address: str, *, demo: bool) -> list[str]:
    lines = [f"Serving on {address} until Ctrl-C"]
    if demo:
        lines += ["演示数据: no person, landlord or company in it is real", f"Accounts, each with the password demo: {DEMO_ACCOUNTS}"]
    lines += [
        f"  map layers       {address}/ogc/collections/communities/items?limit=3",
        f"  everything else  {address}/openapi.json",
        f"  state            {address}/readyz",
    ]
    return lines
