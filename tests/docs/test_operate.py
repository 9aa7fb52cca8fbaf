"""The operating guide names what is there."""

import re
from pathlib import Path

from gridmgmt import cli
from gridmgmt.operations.configuration import ROLES
from gridmgmt.settings import CONCERNS, PREFIX

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/operate.md").read_text(encoding="utf-8")


def test_every_setting_is_in_the_table_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(GRIDMGMT_[A-Z_]+)` \| ([^|]+) \|", GUIDE, re.MULTILINE))
    fields = {PREFIX + name.upper(): field for concern in CONCERNS.values() for name, field in concern.model_fields.items()}
    assert rows.keys() == fields.keys()
    for name, field in fields.items():
        if field.default is not None:
            assert rows[name].strip("`") == str(field.default).lower()


def test_every_log_in_role_is_named() -> None:
    assert [role for role in ROLES if role != "postgres" and f"`{role}`" not in GUIDE] == []


def test_every_command_that_the_guide_types_exists(capsys: object) -> None:
    typed = set(re.findall(r"^    (?:\.venv/bin/)?gridmgmt ((?:[a-z]+ ?){1,2})", GUIDE, re.MULTILINE))
    known = {"db", "account", "device", "keys"}
    assert typed
    for words in typed:
        first, *rest = words.split()
        assert cli.run([first, *(rest[:1] if first in known else []), "--help"]) == 0
