"""Handhelds at the command line."""

import json
import uuid

from tests.gridmgmt.cli.conftest import Run
from tests.gridmgmt.cli.test_refusals import refused
from tests.handhelds import enrolled
from tests.installed import Installed


def test_what_cannot_be_is_refused_in_one_line(run: Run, installed: Installed) -> None:
    variables = installed.variables
    assert "there is no worker 'district'" in refused(run("device", "code", "district", variables=variables))
    assert "there is no such handheld" in refused(run("device", "revoke", str(uuid.uuid4()), variables=variables))
    assert "--help" in refused(run("device", "revoke", "nothing", variables=variables))
    assert "--help" in refused(run("device", "list", "--status", "lost", variables=variables))


def test_code_is_printed_once_and_steps_are_taken(run: Run, installed: Installed) -> None:
    variables = installed.variables
    code = run("device", "code", "worker", variables=variables)
    assert (code.code, [len(group) for group in code.out.strip().split("-")]) == (0, [5] * 4)
    told = json.loads(run("device", "code", "worker", "--days", "3", "--json", variables=variables).out)
    assert (told["username"], len(told["code"])) == ("worker", 23)
    device = str(enrolled(installed.drawn).id)
    for step, status in (("drain", "draining"), ("activate", "active"), ("reauthorise", "active"), ("revoke", "revoked")):
        assert run("device", step, device, variables=variables).out == f"worker's of worker: {status}\n"
    assert "the handheld is revoked" in refused(run("device", "activate", device, variables=variables))
    listed = json.loads(run("device", "list", "--user", "worker", "--json", variables=variables).out)["devices"]
    assert [(one["id"], one["status"], one["username"]) for one in listed] == [(device, "revoked", "worker")]
    assert json.loads(run("device", "list", "--status", "active", "--json", variables=variables).out) == {"devices": []}
    assert device in run("device", "list", variables=variables).out
