"""The guide to uploads names what is there."""

import re
from pathlib import Path

from api.routes.files import router
from api.schemas.files import FileSaid
from api.tus import EXTENSIONS
from gridmgmt.settings import Uploads
from gridmgmt.sync.contents import TYPES
from gridmgmt.sync.files import KINDS

GUIDE = (Path(__file__).parents[2] / "docs/photos.md").read_text(encoding="utf-8")


def test_every_route_is_in_the_table_and_every_row_is_a_route() -> None:
    told = {(method, path) for method, path in re.findall(r"^\| `([A-Z]+) (/\S+)` \|", GUIDE, re.MULTILINE) if method != "HEAD"}
    assert told == {(method, getattr(route, "path", "")) for route in router.routes for method in getattr(route, "methods", ())}


def test_every_key_kind_type_and_extension_is_named() -> None:
    keys = re.findall(r"^\| ((?:`[a-z0-9]+`(?:, )?)+) \| [^|]", GUIDE, re.MULTILINE)
    assert {key for one in keys for key in re.findall(r"`([a-z0-9]+)`", one)} == FileSaid.model_fields.keys()
    assert [word for word in (*KINDS, *TYPES, *EXTENSIONS.split(",")) if f"`{word}`" not in GUIDE] == []


def test_limits_are_those_of_the_settings() -> None:
    rules = Uploads()
    assert f"at most {rules.upload_bytes // 2**20} MiB" in GUIDE
    assert f"{rules.upload_chunk_least // 2**10} KiB to {rules.upload_chunk_most // 2**20} MiB" in GUIDE
    assert rules.upload_days == 7
    assert "after seven days" in GUIDE
    assert f"at most {rules.upload_open} unfinished files" in GUIDE
