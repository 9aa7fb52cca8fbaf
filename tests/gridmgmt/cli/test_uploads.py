"""`gridmgmt files`: the night's work on uploaded photos."""

import json

from gridmgmt.settings import Uploads
from gridmgmt.sync import files
from gridmgmt.sync.stored import Stored
from tests.api.trail import as_superuser
from tests.api.uploads import objects, photo
from tests.gridmgmt.cli.conftest import Run
from tests.installed import Installed


def test_unfinished_files_are_given_up_and_swept_after(run: Run, installed: Installed) -> None:
    database, maker = installed.drawn.database, installed.drawn.places.accounts["worker"]
    stored = Stored(installed.settings.places.file_store)
    with database.transaction(maker) as session:
        file = files.begin(session, maker, Uploads(), length=900, said={})
    files.append(database, maker, stored, file, photo(500))
    home = installed.settings.places.home
    kept = run("files", "expire", variables=installed.variables)
    assert (kept.code, kept.out.strip()) == (0, "Gave up 0 unfinished files, swept after 0")
    assert len(objects(home)) == 1
    as_superuser(installed.drawn.address, b"UPDATE sync.file SET expires_at = now()")
    done = run("files", "expire", "--json", variables=installed.variables)
    assert (done.code, json.loads(done.out)) == (0, {"given_up": 1, "swept": 1})
    assert objects(home) == []
