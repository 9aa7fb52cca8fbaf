"""The guide to rents: its commands are run on the demo, and what it names is there."""

import re
from pathlib import Path

from gridmgmt.rents.methods.disclosure import Rules
from tests.docs.test_readme import bash
from tests.embedded import Embedded

GUIDE = (Path(__file__).parents[2] / "docs/rents.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)


def test_every_command_runs_and_says_what_the_words_around_it_say(embedded: Embedded) -> None:
    assert len(BLOCKS) == 3
    with embedded.served() as address:
        first, one, again = (bash(block.replace("http://127.0.0.1:8000", address), embedded.variables) for block in BLOCKS)
    assert [said.code for said in (first, one, again)] == [0, 0, 0], first.err + one.err + again.err
    assert "is published and says the same" in first.out
    assert '"level":"subdistrict","use":"residential"' in first.out.replace(" ", "")
    assert "\ufeffcode,name,level,product,frequency" in first.out
    assert '"collection' in first.out or '"features"' in first.out.replace(" ", "")
    assert "Repeat rents" in one.out
    assert "the same to the last digit" in again.out


def test_limits_are_those_of_the_code() -> None:
    rules = Rules()
    assert (rules.few, rules.landlords, rules.share, rules.complete) == (10, 3, 0.5, 0.8)
    assert (rules.thin, rules.rounding) == (30, 5)
    for words in (
        "ten leases or fewer",
        "fewer than three landlords",
        "more than half",
        "four fifths",
        "11 to 30 observations",
        "to fives",
    ):
        assert words in GUIDE.replace("\n", " ")
