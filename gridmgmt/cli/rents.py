"""`gridmgmt rents`: guidance rents and the rental price index, computed, shown and published. Acts as local-operator and is audited."""

import datetime as dt
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from gridmgmt.cli.console import AsJson, progress, report, table, working
from gridmgmt.errors import InvalidError, NotFoundError
from gridmgmt.operations.operator import open_register
from gridmgmt.registers.terms import USES, find_term
from gridmgmt.rents import quarterly, releases
from gridmgmt.rents.catalogue import DEFAULT, METHODS
from gridmgmt.rents.computing import compute_index
from gridmgmt.rents.published import area_names
from gridmgmt.rents.releases import Figure
from gridmgmt.rents.repeating import repeat as compute_again
from gridmgmt.rents.runs import Value, find_run, values_of_run
from gridmgmt.reports.forms import find_form, make
from gridmgmt.reports.issue import read_issue
from gridmgmt.reports.wording import Language
from gridmgmt.security import audit
from gridmgmt.settings import load_settings

app = App(name="rents", help="Guidance rents and the rental price index: compute, show, publish, compare.")
Frequency = Literal["month", "quarter"]
Lets = Literal["all", "new"]


@app.command
def compute(
    *,
    quarter: Annotated[str | None, Parameter(help="Compute a release of this quarter, 2011Q4, or `last`; all areas and uses.")] = None,
    area: Annotated[str | None, Parameter(help="Code of a district, subdistrict or community.")] = None,
    use: Annotated[str | None, Parameter(help="住宅 residential, 商铺 shop, 写字楼 office, 厂房 plant, 仓库 warehouse.")] = None,
    from_: Annotated[str | None, Parameter(name="--from", help="First month, 2010-01; it is 100.")] = None,
    to: Annotated[str | None, Parameter(help="Last month, 2011-12.")] = None,
    frequency: Frequency = "month",
    method: Annotated[str, Parameter(help=f"One of {', '.join(METHODS)}.")] = DEFAULT,
    lets: Annotated[Lets, Parameter(help="All leases, or new lets only.")] = "all",
    json: AsJson = False,
) -> None:
    """Compute a release of a quarter as a draft to be reviewed; or the index of one area and use, and keep the run.

    Observations are first brought up to date with the register. A period without a number has a reason. A second draft of a quarter is
    made only when it says something else.
    """
    one = {"--area": area, "--use": use, "--from": from_, "--to": to}
    if quarter is not None:
        if [name for name, given in one.items() if given is not None] or (frequency, method, lets) != ("month", DEFAULT, "all"):
            raise InvalidError("a release has all areas, uses and kinds of let: --quarter stands alone", field="quarter")
        _compose(quarter, as_json=json)
        return
    if area is None or use is None or from_ is None or to is None:
        missing = ", ".join(name for name, given in one.items() if given is None)
        raise InvalidError(f"an index needs {missing}; a release needs --quarter alone", field="area")
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
    _tell(done.run_id, method, frequency, done.outcome.values, as_json=json)


@app.command
def publish(release: Annotated[str, Parameter(help="Its id, or its quarter.")], /, *, json: AsJson = False) -> None:
    """Make an approved release public; its numbers never change afterwards. Review and approval are for two people of the office."""
    with open_register(load_settings()) as register, register.database.transaction(register.operator) as session:
        done = quarterly.publish(session, release)
        audit.record(session, "published", "rent_release", done["id"])
    report(_release(done), [f"{quarterly.name_of(done)} is published"], as_json=json)


@app.command
def show(run: Annotated[str, Parameter(name="what", help="Id of a run or release, or a quarter.")], /, *, json: AsJson = False) -> None:
    """Show the values of a run, or what a release says of its quarter."""
    with open_register(load_settings()) as register, register.database.transaction(register.operator, read_only=True) as session:
        kept = _run(session, run)
        if kept is None:
            _tell_release(session, quarterly.find_named(session, run), as_json=json)
            return
        values = values_of_run(session, kept["id"])
        names = area_names(session) if kept["parameters"].get("areas") == "tree" else None
    _tell(kept["id"], kept["method"], kept["frequency"], values, names, as_json=json)


@app.command
def compare(earlier: Annotated[str, Parameter(help="Id of a release, or a quarter.")], later: str, /, *, json: AsJson = False) -> None:
    """Say what a release says otherwise than an earlier one, figure by figure: numbers, observations, basis, flag or reason."""
    with open_register(load_settings()) as register, register.database.transaction(register.operator, read_only=True) as session:
        first, second = (quarterly.find_named(session, word) for word in (earlier, later))
        found = releases.compare(session, first["id"], second["id"])
        names = area_names(session)
    rows: list[dict[str, Any]] = [
        {
            "product": one.product,
            "frequency": one.frequency,
            "area": names[one.area_id][0],
            "use": one.use,
            "lets": one.lets,
            "period": period_text(one.period, one.frequency),
            "before": None if one.before is None else _said(one.before),
            "after": None if one.after is None else _said(one.after),
        }
        for one in found
    ]
    lines = table("product", "area", "use", "lets", "period", "before", "after")
    for row in rows:
        lines.add_row(*(row[name] for name in ("product", "area", "use", "lets", "period")), _line(row["before"]), _line(row["after"]))
    if not rows:
        lines = [f"{quarterly.name_of(first)} and {quarterly.name_of(second)} say the same"]
    report({"earlier": str(first["id"]), "later": str(second["id"]), "differences": rows}, lines, as_json=json)


@app.command
def bulletin(
    release: Annotated[str, Parameter(help="Its id, or its quarter.")],
    file: Annotated[Path, Parameter(help="The file to write, .pdf or .xlsx; one that is there is written over.")],
    /,
    *,
    lang: Annotated[Language, Parameter(help="Chinese or English.")] = "zh",
    json: AsJson = False,
) -> None:
    """Write the bulletin of a release: maps, charts, tables and the method as PDF, or all figures as an Excel workbook."""
    form = find_form(file.suffix.removeprefix(".").lower())
    settings = load_settings()
    with open_register(settings) as register, register.database.transaction(register.operator, read_only=True) as session:
        found = quarterly.find_named(session, release)
        issue = read_issue(session, found["id"], demo=settings.access.demo_mode)
    with working("Setting the bulletin"):
        made = make(issue, form, lang)
    try:
        file.write_bytes(made)
    except OSError as error:
        raise InvalidError(f"{file} cannot be written: {error.strerror}", field="file") from None
    told = {"release": str(found["id"]), "file": str(file), "bytes": len(made)}
    report(told, [f"{quarterly.name_of(found)} is in {file}"], as_json=json)


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


def _compose(quarter: str, *, as_json: bool) -> None:
    with (
        open_register(load_settings()) as register,
        progress("Computing a release") as advance,
        register.database.transaction(register.operator) as session,
    ):
        wanted = quarterly.last_quarter(session) if quarter == "last" else quarter
        done = quarterly.compose_once(
            session, wanted, rents=register.settings.rents, tell=lambda use, number, all_of: advance(number, all_of, use)
        )
        if done.made:
            audit.record(session, "compute", "rent_release", done.release["id"])
    told = _release(done.release)
    if done.made:
        lines = [f"{quarterly.name_of(done.release)} is computed, to be reviewed: {told['release']}", *(told["note"] or "").splitlines()]
    else:
        lines = [f"{quarterly.name_of(done.release)} is {told['state']} and says the same: {told['release']}"]
    report({**told, "made": done.made}, lines, as_json=as_json)


def _release(release: RowMapping) -> dict[str, Any]:
    """A release as programs read it."""
    return {"release": str(release["id"]), **{name: release[name] for name in ("quarter", "edition", "state", "note", "published_at")}}


def _tell_release(session: Session, release: RowMapping, *, as_json: bool) -> None:
    names = area_names(session)
    runs = [
        {"run": str(one["id"]), **{name: one[name] for name in ("product", "use", "frequency", "method", "data_cut", "software", "digest")}}
        for one in releases.runs_of(session, release["id"])
    ]
    figures = [
        {
            "product": one.product,
            "area": names[one.area_id][0],
            "name": names[one.area_id][1],
            "use": one.use,
            "lets": one.lets,
            "period": period_text(one.period, one.frequency),
            **_said(one),
        }
        for one in quarterly.figures_of_quarter(session, release)
    ]
    columns = ("product", "area", "name", "use", "lets", "period", "low", "value", "high", "n_told", "basis", "flag", "reason")
    lines = table(*columns)
    for figure in figures:
        lines.add_row(*(_shown(figure[column]) for column in columns))
    lines.caption = f"{quarterly.name_of(release)} is {release['state']}: release {release['id']}, {len(runs)} runs"
    report({**_release(release), "runs": runs, "figures": figures}, lines, as_json=as_json)


def _said(figure: Figure) -> dict[str, Any]:
    """What is said of a figure, as programs read it."""
    numbers = {name: None if (number := getattr(figure, name)) is None else float(number) for name in ("value", "low", "high", "se")}
    return numbers | {name: getattr(figure, name) for name in ("n_told", "basis", "flag", "reason")}


def _line(said: dict[str, Any] | None) -> str:
    """What is said of a figure, in a line: 40.00 (32.00 to 48.00), se 0.0100, n 40, direct, few."""
    if said is None:
        return ""
    numbers = "no number" if said["value"] is None else f"{said['value']:.2f}"
    if said["low"] is not None:
        numbers += f" ({said['low']:.2f} to {said['high']:.2f})"
    parts = [numbers, "" if said["se"] is None else f"se {said['se']:.4f}", "" if said["n_told"] is None else f"n {said['n_told']}"]
    return ", ".join(part for part in (*parts, said["basis"], said["flag"], said["reason"]) if part)


def _shown(value: object) -> str:
    return "" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)


def _run(session: Session, word: str) -> RowMapping | None:
    """The run with this id; None where there is none, and the word may name a release."""
    try:
        return find_run(session, uuid.UUID(word))
    except (ValueError, NotFoundError):
        return None


def _tell(
    run_id: uuid.UUID,
    method: str,
    frequency: str,
    values: Sequence[Value],
    names: Mapping[int, tuple[str, str]] | None = None,
    *,
    as_json: bool,
) -> None:
    """The values of a run; with `names` they are of many areas, and of all and of new lets, and each row says of which."""
    of = [{} if names is None else {"area": names[value.area_id][0], "lets": value.lets} for value in values]
    rows = [told | _row(value, frequency) for told, value in zip(of, values, strict=True)]
    lines = table(*(() if names is None else ("area", "lets")), "period", "index", "se", "n", "trimmed", "reason")
    for told, row in zip(of, rows, strict=True):
        value, se = row["value"], row["se"]
        shown = ("" if value is None else f"{value:.2f}", "" if se is None else f"{se:.4f}")
        lines.add_row(*told.values(), row["period"], *shown, str(row["n"]), str(row["trimmed"]), row["reason"] or "")
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
    refused = InvalidError(f"{text} is no month: expected something like 2011-03", field=field)
    if not re.fullmatch(r"[12][0-9]{3}-[0-9]{2}(-[0-9]{2})?", text):
        raise refused
    try:
        return dt.date.fromisoformat(text if len(text) > 7 else f"{text}-01").replace(day=1)
    except ValueError:
        raise refused from None


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidError(f"{text} is not the id of a run", field="run") from None
