"""`gridmgmt rents`: guidance rents and the rental price index, computed, shown and published. Acts as local-operator and is audited."""

import datetime as dt
import re
import uuid
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from gridmgmt.cli.console import AsJson, report, table, working
from gridmgmt.errors import InvalidError
from gridmgmt.operations.operator import open_register
from gridmgmt.registers.terms import USES, find_term
from gridmgmt.rents.catalogue import DEFAULT, METHODS
from gridmgmt.rents.computing import compute_index
from gridmgmt.rents.repeating import repeat as compute_again
from gridmgmt.rents.runs import Value, find_run, values_of_run
from gridmgmt.security import audit
from gridmgmt.settings import load_settings

app = App(name="rents", help="Guidance rents and the rental price index: compute, show, publish, compare.")
Frequency = Literal["month", "quarter"]
Lets = Literal["all", "new"]


@app.command
def compute(
    *,
    area: Annotated[str, Parameter(help="Code of a district, subdistrict or community.")],
    use: Annotated[str, Parameter(help="住宅 residential, 商铺 shop, 写字楼 office, 厂房 plant, 仓库 warehouse.")],
    from_: Annotated[str, Parameter(name="--from", help="First month, 2010-01; it is 100.")],
    to: Annotated[str, Parameter(help="Last month, 2011-12.")],
    frequency: Frequency = "month",
    method: Annotated[str, Parameter(help=f"One of {', '.join(METHODS)}.")] = DEFAULT,
    lets: Annotated[Lets, Parameter(help="All leases, or new lets only.")] = "all",
    json: AsJson = False,
) -> None:
    """Compute the index of an area and keep the run.

    Observations are first brought up to date with the register. A period without a number has a reason.
    """
    first, last = _month(from_, "from"), _month(to, "to")
    word = find_term(USES, use)
    if word is None:
        raise InvalidError(f"there is no use {use}: one of {', '.join(term.zh for term in USES.values())}", field="use")
    with (
        open_register(load_settings()) as register,
        working(f"Computing the index of {area}"),
        register.database.transaction(register.operator) as session,
    ):
        done = compute_index(session, area, word, first, last, frequency=frequency, method=method, lets=lets)
        audit.record(session, "compute", "rent_run", done.run_id, rows=len(done.outcome.values))
    _tell(done.run_id, method, frequency, list(done.outcome.values), as_json=json)


@app.command
def show(run: str, /, *, json: AsJson = False) -> None:
    """Show the values of a run that was kept."""
    with open_register(load_settings()) as register, register.database.transaction(register.operator, read_only=True) as session:
        kept = find_run(session, _id(run))
        values = values_of_run(session, kept["id"])
    _tell(kept["id"], kept["method"], kept["frequency"], values, as_json=json)


@app.command
def repeat(run: str, /, *, json: AsJson = False) -> int:
    """Compute a run again from what was known at its data cut, and compare every digit. Leaves with 1 when one differs.

    Nothing is kept.
    """
    with (
        open_register(load_settings()) as register,
        working("Computing again"),
        register.database.transaction(register.operator) as session,
    ):
        again = compute_again(session, _id(run))
    said = "the same to the last digit" if again.same else "not the same"
    report({"run": run, "same": again.same, "digest": again.digest}, [f"{run}: {said} ({again.digest})"], as_json=json)
    return 0 if again.same else 1


def period_text(period: dt.date, frequency: str) -> str:
    """A period as users read it: 2011-03, 2011Q1, 2011."""
    if frequency == "year":
        return str(period.year)
    return f"{period:%Y-%m}" if frequency == "month" else f"{period.year}Q{(period.month + 2) // 3}"


def _tell(run_id: uuid.UUID, method: str, frequency: str, values: list[Value], *, as_json: bool) -> None:
    rows = [_row(value, frequency) for value in values]
    lines = table("period", "index", "se", "n", "trimmed", "reason")
    for row in rows:
        value, se = row["value"], row["se"]
        shown = ("" if value is None else f"{value:.2f}", "" if se is None else f"{se:.4f}")
        lines.add_row(row["period"], *shown, str(row["n"]), str(row["trimmed"]), row["reason"] or "")
    lines.caption = f"run {run_id}, {METHODS[method].title}" if method in METHODS else f"run {run_id}, {method}"
    report({"run": str(run_id), "method": method, "index": rows}, lines, as_json=as_json)


def _row(value: Value, frequency: str) -> dict[str, Any]:
    return {
        "period": period_text(value.period, frequency),
        "value": None if value.value is None else float(value.value),
        "se": None if value.se is None else float(value.se),
        "n": value.n,
        "trimmed": value.trimmed,
        "reason": value.reason,
    }


def _month(text: str, field: str) -> dt.date:
    found = re.fullmatch(r"([12]\d{3})-(0[1-9]|1[0-2])(-\d\d)?", text)
    if found is None:
        raise InvalidError(f"{text} is no month: expected something like 2011-03", field=field)
    return dt.date(int(found[1]), int(found[2]), 1)


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidError(f"{text} is not the id of a run", field="run") from None
