"""`gridmgmt layers`: what GIS layers show that is counted ahead."""

from cyclopts import App

from gridmgmt.cli.console import AsJson, report, working
from gridmgmt.operations.counting import count_residents
from gridmgmt.operations.operator import open_register
from gridmgmt.settings import load_settings

app = App(name="layers", help="What GIS layers show that is counted ahead.")


@app.command
def refresh(*, json: AsJson = False) -> None:
    """Count the residents of each area for the public layer, once a month: a second time in the same month nothing is done.

    Run it every month when the register is complete. What is released is rounded, stays, and is followed by next month's.
    """
    with open_register(load_settings()) as register, working("Counting residents"):
        counted = count_residents(register)
    line = f"Residents of {counted:,} areas are counted" if counted else "The residents were counted this month already"
    report({"counted": counted}, [line], as_json=json)
