"""Every block of the README is run, and gives what the words around it say."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gridmgmt.operations import cluster
from tests.embedded import COMMAND, Embedded, Said, clean_environment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
CURL = f'curl() {{ "{sys.executable}" "{Path(__file__).with_name("curl.py")}" "$@"; }}\n'


def block(word: str) -> str:
    """The one block that holds `word`."""
    found = [one for one in BLOCKS if word in one]
    assert len(found) == 1
    return found[0]


def bash(script: str, variables: dict[str, str]) -> Said:
    script = CURL + script.replace(".venv/bin/gridmgmt", f'"{COMMAND}"')
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=clean_environment() | variables, capture_output=True, text=True, check=False, timeout=180
    )
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def answers(embedded: Embedded) -> dict[str, Any]:
    """What each of the three requests answers, by a word of its address."""
    told: dict[str, Any] = {}
    with embedded.served() as address:
        for word in ("communities", "persons", "collections/buildings"):
            said = bash(block(word).replace("http://127.0.0.1:8000", address), embedded.variables)
            assert said.code == 0, said.err
            told[word] = json.loads(said.out)
    return told


def test_readme_has_the_two_commands_three_requests_and_an_import() -> None:
    assert BLOCKS[:2] == ["make demo\n", "make test\n"]
    assert len(BLOCKS) == 6
    assert all(re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE) for name in ("demo", "test"))


def test_readme_points_only_to_what_is_there() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_communities_are_public(answers: dict[str, Any]) -> None:
    features = answers["communities"]["features"]
    assert len(features) == 2
    assert all(re.fullmatch(r"440306\d{6}", feature["properties"]["code"]) for feature in features)


def test_worker_reads_residents_masked(answers: dict[str, Any]) -> None:
    people = answers["persons"]["items"]
    assert len(people) == 2
    assert all("*" in person["name"] for person in people)
    assert not re.search(r"\d{17}[\dX]", json.dumps(people))


def test_worker_reads_buildings_with_an_access_key(answers: dict[str, Any]) -> None:
    features = answers["collections/buildings"]["features"]
    assert len(features) == 2
    assert all(re.fullmatch(r"\d{19}", feature["properties"]["house_code"]) for feature in features)


def test_handover_is_imported_and_its_report_names_the_refused_lines(run_folder: Path, worker: str) -> None:
    home = run_folder / f"handover-{worker}"
    try:
        said = bash(block("handover").replace("/tmp/handover", str(home)), {})
        assert [line for line in said.err.splitlines() if not line.startswith("Making a database")] == []
        assert said.code == 0
        expected = json.loads((ROOT / "tests/data/handover/expected.json").read_text())
        told = json.loads((home / "people.json").read_text())
        assert [one["line"] for one in told["refused"]] == [one["line"] for one in expected["people"]["refused"]]
        assert cluster.status(home).state == "down"
    finally:
        cluster.reset(home)
