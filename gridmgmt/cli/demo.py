"""`gridmgmt demo`: the synthetic district."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from cyclopts import Parameter

from gridmgmt.cli.console import AsJson, progress, report
from gridmgmt.demo.district import build, is_built
from gridmgmt.demo.rents import has_rents, publish_rents
from gridmgmt.demo.scales import ScaleName
from gridmgmt.operations.counting import count_residents
from gridmgmt.operations.operator import DEMO, OperatorError, Register, open_register
from gridmgmt.operations.statistics import refresh_statistics
from gridmgmt.security.sealing import Sealer
from gridmgmt.settings import load_settings


def demo(
    *,
    scale: Annotated[ScaleName, Parameter(help="How large: about 500, 110,000 or 5,500,000 residents.")] = "demo",
    json: AsJson = False,
) -> None:
    """Build the demo district (演示数据): real names and codes of areas, everybody and everything else invented.

    Needs GRIDMGMT_DEMO_MODE=true and an empty register. Where the district is there already, nothing is done; an interrupted build is
    finished.
    """
    settings = load_settings()
    if not settings.access.demo_mode:
        raise OperatorError("invented persons are for demo mode only: set GRIDMGMT_DEMO_MODE=true")
    with open_register(settings) as register:
        if is_built(register.database, register.operator):
            count_residents(register)  # of the month
            if not has_rents(register.database, register.operator):
                _publish(register)  # of a build that was interrupted
            report({"built": False, "notice": DEMO}, [f"{DEMO}: the demo district is there already"], as_json=json)
            return
        with progress("Building the demo district") as advance:
            done = build(
                register.database,
                Sealer.of(register.keys),
                register.operator,
                scale=scale,
                today=_today(),
                demo_mode=True,
                progress=lambda _noun, rows, total: advance(rows, total),
            )
        refresh_statistics(register.database.address)
        count_residents(register)
        published = _publish(register)
    counted = ", ".join(f"{count:,} {noun}" for noun, count in done.rows.items())
    lines = [f"{DEMO}: {counted}", f"{DEMO}: rents of {' and '.join(published)} are published"]
    report({"built": True, "notice": DEMO, **asdict(done), "published": published}, lines, as_json=json)


def _publish(register: Register) -> list[str]:
    with progress("Publishing rents") as advance:
        return publish_rents(register.database, register.operator, _today(), register.settings.rents, tell=advance)


def _today() -> date:
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()
