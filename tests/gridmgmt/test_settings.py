"""What an operator sets is read when asked for, and refused in a sentence that names the variable."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from gridmgmt.operations.cluster import address
from gridmgmt.settings import Access, Address, Database, Places, Rents, Server, Settings, SettingsError, Sync, Uploads, load_settings


@pytest.mark.parametrize(
    ("name", "value", "refusal"),
    [
        ("GRIDMGMT_PROT", "8000", "GRIDMGMT_PROT is not a setting; did you mean GRIDMGMT_PORT?"),
        ("GRIDMGMT_XYZZY", "1", "GRIDMGMT_XYZZY is not a setting"),
        ("GRIDMGMT_PORT", "http", "GRIDMGMT_PORT: Input should be a valid integer, unable to parse string as an integer"),
        ("GRIDMGMT_PORT", "65536", "GRIDMGMT_PORT: Input should be less than or equal to 65535"),
        ("GRIDMGMT_DEMO_MODE", "perhaps", "GRIDMGMT_DEMO_MODE: Input should be a valid boolean, unable to interpret input"),
        ("GRIDMGMT_ORIGINS", "https://a.example/", "GRIDMGMT_ORIGINS: not of the form https://maps.example,https://other.example:8443"),
        ("GRIDMGMT_RENTS_LANDLORDS", "2", "GRIDMGMT_RENTS_LANDLORDS: Input should be greater than or equal to 3"),
        ("GRIDMGMT_RENTS_FEW", "31", "GRIDMGMT_RENTS_THIN is below GRIDMGMT_RENTS_FEW: what is hidden cannot be marked"),
        ("GRIDMGMT_DATABASE_URL", "mysql://h/d", "GRIDMGMT_DATABASE_URL: not of the form postgresql://host/database"),
        ("GRIDMGMT_DATABASE_URL", "postgresql://h", "GRIDMGMT_DATABASE_URL: not of the form postgresql://host/database"),
        (
            "GRIDMGMT_DATABASE_URL",
            "postgresql://u:geheim@h/d",
            "GRIDMGMT_DATABASE_URL: must not hold a password: each role has its own, in libpq's password file (PGPASSFILE)",
        ),
    ],
)
def test_unusable_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str, refusal: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value) == refusal


def test_defaults_serve_this_machine_only_and_no_demo() -> None:
    assert load_settings() == Settings(
        Places(home=Path(".gridmgmt"), keys=None, files=None),
        Database(database_url=None, pool_size=8),
        Server(host="127.0.0.1", port=8000, max_body=1_048_576, file_rows=2_000_000, file_bytes=2_147_483_648, tile_cache=67_108_864),
        Access(demo_mode=False, token_lifetime=900, origins=None),
        Uploads(upload_bytes=20_971_520, upload_chunk_least=524_288, upload_chunk_most=5_242_880, upload_days=7, upload_open=200),
        Sync(
            push_mutations=200,
            push_bytes=1_048_576,
            push_inflated=8_388_608,
            push_item_bytes=65_536,
            push_minute=6,
            push_burst=20,
            pull_items=500,
            pull_bytes=4_194_304,
            snapshots=16,
            listeners=2_000,
            offline_days=7,
            upgrade_url=None,
        ),
        Rents(rents_few=10, rents_thin=30, rents_landlords=3, rents_share=0.5, rents_complete=0.8, rents_roll_up=True),
    )


def test_every_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "HOME": "/h", "KEYS": "/k", "FILES": "/f", "DATABASE_URL": "postgresql://h/d", "POOL_SIZE": "3", "HOST": "::1", "PORT": "8001",
        "MAX_BODY": "2048", "TILE_CACHE": "0", "FILE_ROWS": "5", "FILE_BYTES": "2000000", "DEMO_MODE": "true", "TOKEN_LIFETIME": "60",
        "ORIGINS": "https://maps.example,http://localhost:8080", "UPLOAD_BYTES": "9", "UPLOAD_CHUNK_LEAST": "1", "UPLOAD_CHUNK_MOST": "2",
        "UPLOAD_DAYS": "3", "UPLOAD_OPEN": "4", "PUSH_MUTATIONS": "50", "PUSH_BYTES": "70000", "PUSH_INFLATED": "80000",
        "PUSH_ITEM_BYTES": "2000", "PUSH_MINUTE": "7", "PUSH_BURST": "8",
        "PULL_ITEMS": "20", "PULL_BYTES": "90000", "SNAPSHOTS": "2", "LISTENERS": "9",
        "OFFLINE_DAYS": "3", "UPGRADE_URL": "https://apps.example/",
        "RENTS_FEW": "20", "RENTS_THIN": "40", "RENTS_LANDLORDS": "5", "RENTS_SHARE": "0.25", "RENTS_COMPLETE": "0.9",
        "RENTS_ROLL_UP": "false",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(f"GRIDMGMT_{name}", value)
    assert load_settings() == Settings(
        Places(home=Path("/h"), keys=Path("/k"), files="/f"),
        Database(database_url="postgresql://h/d", pool_size=3),
        Server(host="::1", port=8001, max_body=2048, file_rows=5, file_bytes=2_000_000, tile_cache=0),
        Access(demo_mode=True, token_lifetime=60, origins="https://maps.example,http://localhost:8080"),
        Uploads(upload_bytes=9, upload_chunk_least=1, upload_chunk_most=2, upload_days=3, upload_open=4),
        Sync(
            push_mutations=50,
            push_bytes=70_000,
            push_inflated=80_000,
            push_item_bytes=2_000,
            push_minute=7,
            push_burst=8,
            pull_items=20,
            pull_bytes=90_000,
            snapshots=2,
            listeners=9,
            offline_days=3,
            upgrade_url="https://apps.example/",
        ),
        Rents(rents_few=20, rents_thin=40, rents_landlords=5, rents_share=0.25, rents_complete=0.9, rents_roll_up=False),
    )


def test_keys_lie_in_the_home_unless_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Places(home=Path("here")).key_folder == tmp_path / "here" / "keys"
    assert Places(home=Path("here"), keys=Path("/safe")).key_folder == Path("/safe")


def test_own_server_is_reached_as_each_role() -> None:
    settings = Settings(Places(), Database(database_url="postgresql://me@db.example:5433/reg?sslmode=require"), Server(), Access())
    own = address(settings)
    assert own.name == "reg"
    assert own.url("api_field") == make_url("postgresql+psycopg://api_field@db.example:5433/reg?sslmode=require")
    assert own.conninfo("api_field") == "host=db.example dbname=reg user=api_field port=5433 sslmode=require"


def test_address_of_a_folder_with_spaces_is_quoted_for_libpq() -> None:
    assert Address(make_url("postgresql:///d?host=/a%20b")).conninfo("api_field") == "dbname=d user=api_field host='/a b'"


def test_importing_reads_no_environment() -> None:
    code = "import gridmgmt.settings, gridmgmt.operations.cluster, gridmgmt.security.keys"
    done = subprocess.run([sys.executable, "-c", code], env={"GRIDMGMT_PORT": "nonsense"}, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
