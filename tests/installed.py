"""The drawn district as an installation of its own: settings, key files, database. A conftest takes the fixtures by their names."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gridmgmt import settings
from gridmgmt.operations.operator import Register, open_register
from gridmgmt.settings import Settings
from tests.drawn import Drawn
from tests.places import KEYS


@dataclass(frozen=True)
class Installed:
    """An installation that holds the district, and the register opened by its operator."""

    settings: Settings
    register: Register
    drawn: Drawn

    @property
    def keys(self) -> Path:
        return self.settings.places.key_folder

    @property
    def variables(self) -> dict[str, str]:
        """The same settings as a command reads them."""
        url = self.settings.database.database_url
        assert url is not None
        return {"GRIDMGMT_DATABASE_URL": url, "GRIDMGMT_HOME": str(self.settings.places.home), "GRIDMGMT_DEMO_MODE": "true"}


@pytest.fixture
def installed(drawn: Drawn, tmp_path: Path) -> Iterator[Installed]:
    configured = Settings(
        places=settings.Places(home=tmp_path / "home"),
        database=settings.Database(database_url=drawn.address.base.render_as_string(), pool_size=2),
        server=settings.Server(),
        access=settings.Access(demo_mode=True),
    )
    write_keys(configured.places.key_folder)
    with open_register(configured) as register:
        yield Installed(configured, register, drawn)


def write_keys(folder: Path) -> None:
    """The keys of tests/places.py as an installation keeps them."""
    folder.mkdir(mode=0o700, parents=True)
    token = KEYS.token.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    files = {
        "context.key": f"{KEYS.context_kid} {KEYS.context.hex()}\n",
        "sealing-1.key": f"{KEYS.sealing[1].hex()}\n",
        "blind-index.key": f"{KEYS.blind_index.hex()}\n",
        "token.key": token,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
