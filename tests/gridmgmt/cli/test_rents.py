"""`gridmgmt rents` with releases: a draft once, publishing after two people, what a release says, and what two say otherwise."""

import json
import uuid
from dataclasses import replace
from decimal import Decimal

import pytest

from gridmgmt.rents import releases
from tests.gridmgmt.cli.conftest import Run
from tests.gridmgmt.rents.observed import let
from tests.gridmgmt.rents.test_repeating import run_of
from tests.installed import Installed
from tests.places import DISTRICT, SOUTH
from tests.rented import START, figure, loader, release_all


@pytest.fixture
def made(installed: Installed) -> dict[str, uuid.UUID]:
    return release_all(installed.drawn.database, installed.drawn.places, SOUTH)


def later(installed: Installed, of: uuid.UUID) -> uuid.UUID:
    """A release of the next quarter that corrects the guidance rent of 40.00 yuan and drops the index."""
    database, area = installed.drawn.database, installed.drawn.places.areas[SOUTH]
    with database.transaction(loader(database)) as session:
        runs = {run["product"]: run["id"] for run in releases.runs_of(session, of)}
        said = [(runs["guide"], figure(area, "41.50", period=START))]
        return releases.add_release(session, "2024Q2", list(runs.values()), said, "", published_before=1)["id"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compute"], "an index needs --area, --use, --from, --to; a release needs --quarter alone"),
        (["compute", "--area", "440399", "--use", "住宅"], "an index needs --from, --to; a release needs --quarter alone"),
        (["compute", "--quarter", "2024Q1", "--use", "住宅"], "a release has all areas, uses and kinds of let: --quarter stands alone"),
        (["compute", "--quarter", "2024Q5"], "2024Q5 is no quarter: expected something like 2011Q4"),
        (["compute", "--quarter", "2999Q1"], "2999Q1 has not ended yet"),
        *(
            (["compute", "--area", "440399", "--use", "住宅", *span], f"{wrong} is no month: expected something like 2011-03")
            for wrong, span in (
                ("2025-01-99", ["--from", "2025-01-99", "--to", "2025-06"]),
                ("2025-02-29", ["--from", "2025-01", "--to", "2025-02-29"]),
                ("2025-13", ["--from", "2025-13", "--to", "2025-06"]),
                ("2025-1", ["--from", "2025-1", "--to", "2025-06"]),
            )
        ),
        (["show", "2024"], "2024 is neither the id of a release nor a quarter like 2011Q4"),
        (["show", "2023Q1"], "there is no release of 2023Q1: gridmgmt rents compute --quarter 2023Q1 makes one"),
        (["publish", "01a20bda-6f32-73f6-a6a5-fce8449bafa0"], "there is no such release"),
        (["compare", "2024Q1", "2023Q1"], "there is no release of 2023Q1: gridmgmt rents compute --quarter 2023Q1 makes one"),
    ],
)
def test_refusals_are_one_line(run: Run, installed: Installed, made: dict[str, uuid.UUID], words: list[str], said: str) -> None:
    told = run("rents", *words, variables=installed.variables)
    assert (told.code, told.out, told.err) == (1, "", f"gridmgmt: {said}\n")


def test_publishing_says_who_must_do_what_before(run: Run, installed: Installed, made: dict[str, uuid.UUID]) -> None:
    draft, reviewed = (run("rents", "publish", str(made[name]), variables=installed.variables) for name in ("draft", "reviewed"))
    assert (draft.code, reviewed.code) == (1, 1)
    assert draft.err == (
        f"gridmgmt: 2024Q1, edition 2, is computed: somebody of the office reviews it (POST /v1/rents/releases/{made['draft']}/review),"
        f" then somebody else approves it (POST /v1/rents/releases/{made['draft']}/approve)\n"
    )
    assert reviewed.err == (
        "gridmgmt: 2024Q1, edition 3, is reviewed: somebody of the office who did not review it approves it"
        f" (POST /v1/rents/releases/{made['reviewed']}/approve)\n"
    )
    done = run("rents", "publish", str(made["approved"]), "--json", variables=installed.variables)
    assert (done.code, json.loads(done.out)["state"]) == (0, "published")
    assert run("rents", "publish", str(made["approved"]), variables=installed.variables).code == 1
    with installed.drawn.database.transaction(loader(installed.drawn.database), read_only=True) as session:
        assert releases.find_release(session, made["published"])["state"] == "superseded"


def test_release_is_shown_by_its_quarter_and_its_id(run: Run, installed: Installed, made: dict[str, uuid.UUID]) -> None:
    shown = json.loads(run("rents", "show", str(made["published"]), "--json", variables=installed.variables).out)
    assert (shown["quarter"], shown["edition"], shown["state"], len(shown["runs"])) == ("2024Q1", 1, "published", 2)
    assert [(one["product"], one["area"], one["period"], one["value"]) for one in shown["figures"]] == [
        ("guide", SOUTH, "2024Q1", 40.0),
        ("index", SOUTH, "2024Q1", 100.0),
    ]
    newest = json.loads(run("rents", "show", "2024Q1", "--json", variables=installed.variables).out)
    assert newest["release"] == str(made["spare"])
    assert "32.00" in run("rents", "show", "2024Q1", variables=installed.variables).out


def test_what_two_releases_say_otherwise_is_told(run: Run, installed: Installed, made: dict[str, uuid.UUID]) -> None:
    later(installed, made["published"])
    told = json.loads(run("rents", "compare", "2024Q1", "2024Q2", "--json", variables=installed.variables).out)
    first, second = told["differences"]
    assert [first[name] for name in ("product", "area", "period")] == ["guide", SOUTH, "2024Q1"]
    said = {"value": 40.0, "low": 32.0, "high": 48.0, "se": 0.01, "n_told": 40, "basis": "direct", "flag": None, "reason": None}
    assert first["before"] == said
    assert first["after"] == said | {"value": 41.5, "low": 33.2, "high": 49.8}
    assert (second["product"], second["before"]["value"], second["after"]) == ("index", 100.0, None)
    same = run("rents", "compare", str(made["draft"]), str(made["spare"]), variables=installed.variables)
    assert (same.code, same.out) == (0, "2024Q1, edition 2, and 2024Q1, edition 5, say the same\n")


def test_figure_that_differs_in_anything_but_its_number_is_told_too(run: Run, installed: Installed, made: dict[str, uuid.UUID]) -> None:
    database, area = installed.drawn.database, installed.drawn.places.areas[SOUTH]
    with database.transaction(loader(database)) as session:
        runs = {one["product"]: one["id"] for one in releases.runs_of(session, made["published"])}
        wider = replace(figure(area, "40.00"), low=Decimal(20), high=Decimal(90), n_told=None, se=None, basis="model")
        thin = replace(figure(area, "100.00", product="index"), flag="few")
        said = [(runs["guide"], wider), (runs["index"], thin)]
        later = releases.add_release(session, "2024Q2", list(runs.values()), said, "", published_before=1)["id"]
    words = ("rents", "compare", str(made["published"]), str(later))
    guide, index = json.loads(run(*words, "--json", variables=installed.variables).out)["differences"]
    assert [guide["after"][name] for name in ("value", "low", "high", "n_told", "basis")] == [40.0, 20.0, 90.0, None, "model"]
    assert (index["before"]["flag"], index["after"]["flag"]) == (None, "few")
    shown = " ".join(run(*words, variables=installed.variables | {"COLUMNS": "300"}).out.split())
    assert "40.00 (32.00 to 48.00), se 0.0100, n 40, direct 40.00 (20.00 to 90.00), model" in shown
    assert "100.00 (80.00 to 120.00), se 0.0100, n 40, direct 100.00 (80.00 to 120.00), se 0.0100, n 40, direct, few" in shown


def test_run_of_many_areas_says_of_which_each_number_is(run: Run, installed: Installed) -> None:
    let(installed.drawn)
    tree, alone = run_of(installed.drawn, "index"), run_of(installed.drawn, "guide")
    told = json.loads(run("rents", "show", str(tree), "--json", variables=installed.variables).out)["index"]
    assert {(one["area"], one["lets"]) for one in told} >= {(DISTRICT, "all"), (DISTRICT, "new"), (SOUTH, "all")}
    assert len({(one["area"], one["lets"], one["period"]) for one in told}) == len(told)
    assert {one["lets"] for one in json.loads(run("rents", "show", str(alone), "--json", variables=installed.variables).out)["index"]} == {
        "all"
    }
    assert SOUTH in run("rents", "show", str(alone), variables=installed.variables | {"COLUMNS": "300"}).out
    words = ("--area", DISTRICT, "--use", "住宅", "--from", "2022-01", "--to", "2022-03", "--method", "time_dummy")
    one = json.loads(run("rents", "compute", *words, "--json", variables=installed.variables).out)
    assert list(one) == ["run", "method", "index"]
    assert [list(row) for row in one["index"]] == [["period", "value", "se", "n", "trimmed", "reason"]] * 3
    assert json.loads(run("rents", "show", one["run"], "--json", variables=installed.variables).out) == one
