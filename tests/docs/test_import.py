"""The guide to imports names the columns that the code reads."""

import re
from pathlib import Path

import pytest

from gridmgmt.intake.importing import KINDS, Kind, columns_of

GUIDE = Path(__file__).parents[2] / "docs" / "import.md"


@pytest.mark.parametrize("kind", KINDS)
def test_the_guide_names_the_columns_of_each_kind(kind: Kind) -> None:
    _, _, rest = GUIDE.read_text(encoding="utf-8").partition(f"\n## {kind}\n")
    section, _, _ = rest.partition("\n## ")
    told = [
        (f"{zh} ({en})", bool(required.strip())) for zh, en, required in re.findall(r"^\| (.+?) \| (.+?) \|(.*)\|$", section, re.MULTILINE)
    ]
    assert told == [("Column (English)", True), *((column.known, column.required) for column in columns_of(kind))]
