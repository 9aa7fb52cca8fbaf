"""The `gridmgmt` command. Starts the server by name and imports nothing of api.

Commands are imported when they are called, so that `--help` and `db status` answer at once.
"""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

import psycopg
from cyclopts import App, CycloptsError
from sqlalchemy.exc import DBAPIError

from gridmgmt.cli.console import complain
from gridmgmt.errors import BusyError, DistrictError, explain, explain_cause
from gridmgmt.operations.operator import OperatorError
from gridmgmt.operations.server import ClusterError
from gridmgmt.security.keys import KeysError
from gridmgmt.settings import SettingsError

HELP = (
    "The register of a district's grids, buildings, managers, residents and leases. "
    "Settings are GRIDMGMT_… variables; docs/operate.md lists them."
)
INTERRUPTED = 130
UNREAD = 141


def main(words: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code: 0 done, 1 an error told in one line, 3 an import that refused rows."""
    try:
        code = run(sys.argv[1:] if words is None else words)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads, `| head` say, has seen enough; what the command did is done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = UNREAD
    sys.exit(code)


def run(words: Sequence[str]) -> int:
    """Run one command; its exit code."""
    try:
        return int(_app()(words) or 0)
    except CycloptsError as error:
        said = " ".join(str(error).split())
        return complain(f"{said.rstrip('.')}. Try gridmgmt {' '.join((*(error.command_chain or ()), '--help'))}")
    except (SettingsError, ClusterError, KeysError, OperatorError) as error:
        return complain(str(error))
    except DistrictError as error:
        return complain(_told(error, error.__cause__))
    except (DBAPIError, psycopg.Error) as error:
        told = explain(error) if isinstance(error, DBAPIError) else explain_cause(error)
        if told is None:
            raise
        return complain(_told(told, error))
    except KeyboardInterrupt:
        return complain("stopped", code=INTERRUPTED)


def _told(error: DistrictError, cause: BaseException | None) -> str:
    """One line; where the database does not answer with its own reason, which an operator needs and no client is told."""
    said = str(cause.orig if isinstance(cause, DBAPIError) else cause or "").strip()
    return f"{error.detail}: {said.splitlines()[0]}" if isinstance(error, BusyError) and said else error.detail


def _app() -> App:
    app = App(
        name="gridmgmt",
        help=HELP,
        version=lambda: version("gridmgmt"),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    here = "gridmgmt.cli"
    app.command(f"{here}.db:app", name="db", help="Run the embedded database.")
    app.command(f"{here}.start:migrate", name="migrate", help="Prepare the database, run the migrations, make the keys.")
    app.command(f"{here}.demo:demo", name="demo", help="Build the demo district.")
    app.command(f"{here}.start:serve", name="serve", help="Serve HTTP until Ctrl-C.")
    app.command(f"{here}.files:import_", name="import", help="Take a file into the register; refused rows are named.")
    app.command(f"{here}.files:export", name="export", help="Write a layer to a file.")
    app.command(f"{here}.layers:app", name="layers", help="What GIS layers show that is counted ahead.")
    app.command(f"{here}.rents:app", name="rents", help="Guidance rents and the rental price index.")
    app.command(f"{here}.jobs:app", name="jobs", help="Work that comes around by itself.")
    app.command(f"{here}.accounts:app", name="account", help="Who may log in, and for which area.")
    app.command(f"{here}.devices:app", name="device", help="Handhelds: how they come in, stand, and are shut out.")
    app.command(f"{here}.accounts:token", name="token", help="Print a bearer token of an account.")
    app.command(f"{here}.upkeep:keys", name="keys", help="The installation's keys.")
    app.command(f"{here}.upkeep:backup", name="backup", help="Write a backup of the register.")
    app.command(f"{here}.upkeep:restore", name="restore", help="Put a backup in place of the database.")
    app.command(f"{here}.upkeep:doctor", name="doctor", help="Look whether everything is in order, and say how to mend what is not.")
    return app
