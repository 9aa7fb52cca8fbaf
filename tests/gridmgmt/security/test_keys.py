"""Keys are made once, read only when nobody else can read them, and never invented for a database that has others."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gridmgmt.security.keys import KeysError, add_sealing_version, ensure_keys, load_keys, make_keys, renew_context
from gridmgmt.settings import Access, Database, Places, Server, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(Places(home=tmp_path), Database(), Server(), Access())


@pytest.fixture
def folder(settings: Settings) -> Path:
    return settings.places.key_folder


def test_missing_keys_are_named(settings: Settings, folder: Path) -> None:
    with pytest.raises(KeysError, match=f"{folder}/sealing-1.key is missing"):
        load_keys(settings)


@pytest.mark.parametrize("name", ["context.key", "blind-index.key", "token.key", "sealing-1.key"])
def test_no_key_is_invented_for_a_database_that_had_it(settings: Settings, folder: Path, name: str) -> None:
    make_keys(settings)
    (folder / name).unlink()
    with pytest.raises(KeysError, match=f"{name} is missing, and without it this database cannot be opened"):
        ensure_keys(settings, database_exists=True)
    assert not (folder / name).exists()


@pytest.mark.parametrize(
    ("name", "mode"), [("context.key", 0o640), ("blind-index.key", 0o604), ("token.key", 0o660), ("sealing-1.key", 0o644)]
)
def test_key_that_others_may_read_is_refused(settings: Settings, folder: Path, name: str, mode: int) -> None:
    make_keys(settings)
    (folder / name).chmod(mode)
    with pytest.raises(KeysError, match=f"{name} is open to other users: chmod 600"):
        load_keys(settings)


def test_folder_that_others_may_enter_is_refused(settings: Settings, folder: Path) -> None:
    make_keys(settings)
    folder.chmod(0o755)
    with pytest.raises(KeysError, match="keys is open to other users: chmod 700"):
        load_keys(settings)


@pytest.mark.parametrize("text", ["", "zz" * 32, "00" * 31, "k1 " + "00" * 31, "密钥", "UPPER " + "00" * 32])
@pytest.mark.parametrize("name", ["context.key", "blind-index.key", "token.key", "sealing-1.key"])
def test_damaged_key_is_named_and_not_shown(settings: Settings, folder: Path, name: str, text: str) -> None:
    make_keys(settings)
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(KeysError) as refused:
        load_keys(settings)
    assert str(refused.value) == f"{folder / name} is damaged: put it back from the backup of the keys"


def test_first_start_makes_keys_for_the_owner_only(settings: Settings, folder: Path) -> None:
    keys = ensure_keys(settings, database_exists=False)
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()}
    assert modes == dict.fromkeys(["context.key", "blind-index.key", "token.key", "sealing-1.key"], "0o600")
    assert {len(keys.context), len(keys.blind_index), len(keys.sealing[1])} == {32}
    assert len({keys.context, keys.blind_index, keys.sealing[1]}) == 3
    again = ensure_keys(settings, database_exists=True)
    assert (again.context_kid, again.context, again.sealing, again.blind_index) == (
        keys.context_kid, keys.context, keys.sealing, keys.blind_index,
    )  # fmt: skip
    assert again.token.private_bytes_raw() == keys.token.private_bytes_raw()


def test_umask_does_not_open_keys(settings: Settings) -> None:
    before = os.umask(0)
    try:
        make_keys(settings)
    finally:
        os.umask(before)
    assert load_keys(settings).sealing_version == 1


def test_two_makers_agree(settings: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(ensure_keys, settings, database_exists=False) for _ in range(4)]
    assert len({tried.result().context for tried in tries}) == 1


def test_text_of_keys_shows_none(settings: Settings) -> None:
    keys = ensure_keys(settings, database_exists=False)
    assert repr(keys) == f"Keys(context_kid='{keys.context_kid}')"


def test_rotation_adds_a_version_and_keeps_the_old(settings: Settings) -> None:
    before = ensure_keys(settings, database_exists=False)
    assert add_sealing_version(settings) == 2
    after = load_keys(settings)
    assert after.sealing_version == 2
    assert after.sealing[1] == before.sealing[1]
    assert after.sealing[2] != before.sealing[1]


def test_renewed_context_key_has_a_name_of_its_own(settings: Settings) -> None:
    before = ensure_keys(settings, database_exists=False)
    renew_context(settings)
    after = load_keys(settings)
    assert after.context_kid != before.context_kid
    assert after.context != before.context
    assert after.sealing == before.sealing


def test_keys_may_lie_elsewhere(tmp_path: Path) -> None:
    settings = Settings(Places(home=tmp_path / "home", keys=tmp_path / "safe"), Database(), Server(), Access())
    ensure_keys(settings, database_exists=False)
    assert (tmp_path / "safe" / "token.key").exists()
    assert not (tmp_path / "home").exists()
