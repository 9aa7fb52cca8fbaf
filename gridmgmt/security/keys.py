"""The installation's keys, in files of their own and never in the database beside the data they protect.

`context.key` signs who a transaction is for, `sealing-N.key` seals identity numbers and phones (one file a version, the newest seals),
`blind-index.key` finds a sealed number again, `token.key` signs bearer tokens (Ed25519). Whoever loses the sealing and blind-index
keys loses the sealed values for good: they belong into a backup apart from the database's.
"""

import fcntl
import hmac
import os
import re
import secrets
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from gridmgmt.settings import Settings

KEY_BYTES = 32
CONTEXT = "context.key"
BLIND_INDEX = "blind-index.key"
TOKEN = "token.key"  # noqa: S105 -- a file's name


class KeysError(Exception):
    """The keys cannot be used; the message is one line that names the file and shows nothing of what is in it."""


@dataclass(frozen=True)
class Keys:
    """All keys of an installation. Its text form shows none of them."""

    context_kid: str
    context: bytes = field(repr=False)
    sealing: Mapping[int, bytes] = field(repr=False)
    blind_index: bytes = field(repr=False)
    token: Ed25519PrivateKey = field(repr=False)

    @property
    def sealing_version(self) -> int:
        """The version that seals from now on; the older ones only open."""
        return max(self.sealing)

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """What tells another key from the right one, and nothing of the key: by file name, for those that data depend on."""
        lasting = {f"sealing-{version}.key": key for version, key in self.sealing.items()} | {BLIND_INDEX: self.blind_index}
        return {name: hmac.digest(key, b"fingerprint", "sha256").hex()[:16] for name, key in lasting.items()}


def load_keys(settings: Settings) -> Keys:
    """Read the keys. Raises KeysError for a missing or damaged file and for one that others may read."""
    folder = settings.places.key_folder
    sealing = {version: _secret(path) for version, path in _sealing_files(folder).items()}
    if not sealing:
        raise _missing(folder / "sealing-1.key")
    kid, _, context = _read(folder / CONTEXT).strip().partition(" ")
    if not re.fullmatch(r"[a-z0-9]{1,8}", kid):
        raise _damaged(folder / CONTEXT)
    return Keys(kid, _from_hex(folder / CONTEXT, context), sealing, _secret(folder / BLIND_INDEX), _token(folder / TOKEN))


def ensure_keys(settings: Settings, *, database_exists: bool) -> Keys:
    """Load the keys, making them at the very first start.

    Raises KeysError when any is missing although there is a database: new keys would open nothing that is sealed in it.
    """
    folder = settings.places.key_folder
    missing = [folder / name for name in (CONTEXT, BLIND_INDEX, TOKEN) if not _is_there(folder / name)]
    missing += [] if _sealing_files(folder) else [folder / "sealing-1.key"]
    if missing and database_exists:
        raise _missing(missing[0])
    if missing:
        make_keys(settings)
    return load_keys(settings)


def make_keys(settings: Settings) -> None:
    """Make every key that is missing; an existing one is never touched, so two processes may do it at once."""
    folder = settings.places.key_folder
    with _locked(folder):
        _make(folder / CONTEXT, _new_context)
        _make(folder / BLIND_INDEX, _new_secret)
        _make(folder / TOKEN, _new_token)
        if not _sealing_files(folder):
            _make(folder / "sealing-1.key", _new_secret)


def add_sealing_version(settings: Settings) -> int:
    """Make the next sealing key, which seals from the next `load_keys` on; its version."""
    folder = settings.places.key_folder
    with _locked(folder):
        version = max(_sealing_files(folder), default=0) + 1
        _make(folder / f"sealing-{version}.key", _new_secret)
    return version


def renew_context(settings: Settings) -> None:
    """Replace the context key, as after a restore: contexts signed with the one of the backup then mean nothing."""
    folder = settings.places.key_folder
    with _locked(folder):
        _write(folder / CONTEXT, _new_context())


def _new_secret() -> str:
    return secrets.token_hex(KEY_BYTES) + "\n"


def _new_context() -> str:
    return f"k{secrets.token_hex(3)} {_new_secret()}"


def _new_token() -> str:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def _sealing_files(folder: Path) -> dict[int, Path]:
    found = ((re.fullmatch(r"sealing-([1-9]\d{0,2})\.key", path.name), path) for path in _list(folder))
    return {int(match[1]): path for match, path in found if match is not None}


def _list(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeysError(f"{folder} cannot be read: {error.strerror}") from None


def _is_there(path: Path) -> bool:
    return path in _list(path.parent)


def _secret(path: Path) -> bytes:
    return _from_hex(path, _read(path))


def _from_hex(path: Path, text: str) -> bytes:
    try:
        secret = bytes.fromhex(text.strip())
    except ValueError:
        raise _damaged(path) from None
    if len(secret) != KEY_BYTES:
        raise _damaged(path)
    return secret


def _token(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(_read(path).encode("ascii"), password=None)
    except ValueError:
        raise _damaged(path) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _damaged(path)
    return key


def _read(path: Path) -> str:
    try:
        for guarded in (path.parent, path):
            if guarded.stat().st_mode & 0o077:
                raise KeysError(f"{guarded} is open to other users: chmod {'700' if guarded.is_dir() else '600'} '{guarded}'")
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise _missing(path) from None
    except UnicodeDecodeError:
        raise _damaged(path) from None
    except OSError as error:
        raise KeysError(f"{path} cannot be read: {error.strerror}") from None


def _missing(path: Path) -> KeysError:
    return KeysError(f"{path} is missing, and without it this database cannot be opened: put it back from the backup of the keys")


def _damaged(path: Path) -> KeysError:
    return KeysError(f"{path} is damaged: put it back from the backup of the keys")


def _make(path: Path, new: Callable[[], str]) -> None:
    if not _is_there(path):
        _write(path, new())


def _write(path: Path, text: str) -> None:
    """Write beside and rename, so that a key is there whole or not at all, and on the disk before anything is sealed with it."""
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Make the folder and keep other makers of keys out of it."""
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise KeysError(f"{folder} cannot be made: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
