"""`gridmgmt jobs run`: the night's work on uploaded photos and on what the handhelds left behind."""

import json

from gridmgmt.settings import Uploads
from gridmgmt.sync import files
from gridmgmt.sync.retention import RETENTION
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
    kept = run("jobs", "run", "files", "--json", variables=installed.variables)
    assert (kept.code, json.loads(kept.out)["jobs"][0]["detail"]) == (0, "0 unfinished files given up, 0 swept after")
    assert len(objects(home)) == 1
    as_superuser(installed.drawn.address, b"UPDATE sync.file SET expires_at = now()")
    done = run("jobs", "run", "files", "--json", variables=installed.variables)
    assert (done.code, json.loads(done.out)["jobs"][0]["detail"]) == (0, "1 unfinished files given up, 1 swept after")
    assert objects(home) == []


def test_what_handhelds_left_behind_is_let_go(run: Run, installed: Installed) -> None:
    as_superuser(
        installed.drawn.address,
        b"INSERT INTO sync.enrolment (code_hash, account_id, expires_at)"
        b" SELECT sha256('a'), min(id), now() - '40 days'::interval FROM reg.account",
    )
    done = run("jobs", "run", *RETENTION, "--json", variables=installed.variables)
    assert done.code == 0, done.err
    told = {one["job"]: one["detail"] for one in json.loads(done.out)["jobs"]}
    assert (set(told), told["sweep-enrolments"], told["prune-feed"]) == (set(RETENTION), "rows let go: 1", "rows let go: 0")
