"""`gridmgmt db`: the embedded database."""

from dataclasses import asdict

from cyclopts import App

from gridmgmt.cli.console import AsJson, Yes, confirm, report, say, working
from gridmgmt.operations import cluster
from gridmgmt.operations.operator import OperatorError
from gridmgmt.settings import Settings, load_settings

app = App(name="db", help="Run the embedded database: PostgreSQL with PostGIS under GRIDMGMT_HOME, reached by a Unix socket only.")


@app.command
def up(*, json: AsJson = False) -> None:
    """Make the database where it is missing, mend it where it crashed, start it where it is down."""
    settings = _embedded()
    with working("Starting the database"):
        cluster.up(settings.places.home, say=say)
    _tell(settings, as_json=json)


@app.command
def down(*, json: AsJson = False) -> None:
    """Stop the database, ending its sessions."""
    settings = _embedded()
    with working("Stopping the database"):
        cluster.down(settings.places.home, say=say)
    _tell(settings, as_json=json)


@app.command
def status(*, json: AsJson = False) -> None:
    """Say whether the database runs, and where it is."""
    _tell(_embedded(), as_json=json)


@app.command
def reset(*, yes: Yes = False, json: AsJson = False) -> None:
    """Delete the database for good; the keys stay, because backups are sealed with them."""
    settings = _embedded()
    if not yes and not confirm(f"Delete all data of the register in {settings.places.home.absolute()}?"):
        raise OperatorError("nothing was deleted; --yes deletes without asking")
    with working("Deleting the database"):
        cluster.reset(settings.places.home, say=say)
    _tell(settings, as_json=json)


def _embedded() -> Settings:
    settings = load_settings()
    if settings.database.database_url is not None:
        raise OperatorError("GRIDMGMT_DATABASE_URL names a server of your own, and this command works on the embedded database only")
    return settings


def _tell(settings: Settings, *, as_json: bool) -> None:
    told = cluster.status(settings.places.home)
    lines = [f"The database is {told.state}"]
    if told.data is not None:
        lines.append(f"data     {told.data}")
    if told.sockets is not None:
        lines.append(f"server   PostgreSQL {told.postgresql}, PostGIS {told.postgis}, of user {told.owner}")
        lines.append(f"look in  psql -h {told.sockets} -U postgres {cluster.DATABASE}")
    report(asdict(told), lines, as_json=as_json)
