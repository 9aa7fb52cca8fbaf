"""The reference client as a program: what it says to people, and how it ends."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from clients.handheld.__main__ import main
from clients.handheld.store import Store
from tests.sync.ground import ROOT
from tests.sync.test_road import admin
from tests.sync.world import World


@pytest.fixture
def enrolled(world: World, tmp_path: Path) -> list[str]:
    """The words that name a device which was enrolled and has met the server once."""
    home = ["--home", str(tmp_path)]
    assert main([*home, "enrol", world.ground.proxy.site, admin(world, "/v1/devices/enrolments", {"username": "worker"})["code"]]) == 0
    assert main([*home, "sync"]) == 0
    return home


def test_device_that_is_not_enrolled_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path), "status"]) == 1
    assert capsys.readouterr().err == "handheld: this device is not enrolled yet\n"


def test_device_that_was_revoked_says_that_it_was_wiped(world: World, enrolled: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with closing(Store(Path(enrolled[1]) / "device.sqlite")) as store:
        admin(world, f"/v1/devices/{store.get('device_id')}/revoke")
    assert main([*enrolled, "sync"]) == 1
    assert capsys.readouterr().err == "handheld: the server revoked this device\n"
    for command in (["status"], ["inbox"], ["list", "unit"], ["sync"]):
        assert main([*enrolled, *command]) == 1
        assert capsys.readouterr() == ("", "handheld: this device was wiped; enrol it again\n")


def test_reader_who_has_seen_enough_hears_no_complaint(enrolled: list[str]) -> None:
    words = [sys.executable, "-m", "clients.handheld", *enrolled, "list", "unit"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as lister:
        assert lister.stdout is not None
        assert lister.stderr is not None
        lister.stdout.close()
        assert lister.stderr.read() == b""
    assert lister.returncode == 0
