"""`gridmgmt files`: the store of uploaded photos and documents."""

from dataclasses import asdict

from cyclopts import App

from gridmgmt.cli.console import AsJson, report, working
from gridmgmt.operations.operator import open_register
from gridmgmt.settings import load_settings
from gridmgmt.sync.files import expire_files
from gridmgmt.sync.stored import Stored

app = App(name="files", help="Uploaded photos and documents; they lie in GRIDMGMT_FILES, or in files/ of the home.")


@app.command
def expire(*, json: AsJson = False) -> None:
    """Give up unfinished files whose time is over, and delete what closed ones left behind. Run it every night."""
    settings = load_settings()
    with open_register(settings) as register, working("Sweeping the files"):
        done = expire_files(register.database, register.operator, Stored(settings.places.file_store))
    report(asdict(done), [f"Gave up {done.given_up:,} unfinished files, swept after {done.swept:,}"], as_json=json)
