"""`gridmgmt keys`, `backup`, `restore` and `doctor`: keep an installation well."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gridmgmt.cli.console import AsJson, Yes, progress, report, working
from gridmgmt.operations import backup as backups
from gridmgmt.operations import restore as restores
from gridmgmt.operations.doctor import Check, examine
from gridmgmt.operations.operator import open_register
from gridmgmt.operations.rotation import rotate as rotate_keys
from gridmgmt.settings import load_settings

FAILED = 1

keys = App(name="keys", help="The installation's keys; their files are in GRIDMGMT_KEYS, or in keys/ of the home.")


@keys.command
def rotate(*, json: AsJson = False) -> int:
    """Make the next sealing key and seal every number and phone anew under it; an interrupted rotation is finished first.

    Running servers take the new key up by themselves. Back it up.
    """
    settings = load_settings()
    with open_register(settings) as register, progress("Sealing anew") as advance:
        done = rotate_keys(register, advance)
    lines = [
        ("Finished the rotation to" if done.resumed else "Sealing under")
        + f" version {done.version}: {done.resealed:,} sealed anew, {done.left:,} left",
        *(f"cannot be opened, left as it is: {one}" for one in done.damaged[:20]),
        f"Back the keys up: {settings.places.key_folder}",
    ]
    report(asdict(done), lines, as_json=json)
    return FAILED if done.left else 0


def backup(target: Path, /, *, json: AsJson = False) -> None:
    """Write a backup of the register, without the keys: numbers in it are sealed, and the keys belong into a backup of their own.

    Parameters
    ----------
    target: A new file, or a folder for a file named by the time. A manifest, FILE.json, is written beside it.
    """
    settings = load_settings()
    with open_register(settings) as register, working("Writing the backup"):
        file, manifest = backups.backup(register, target)
    rows = sum(manifest.rows.values())
    lines = [
        *([manifest.notice] if manifest.notice else []),
        f"{file}: {rows:,} rows of {len(manifest.rows)} tables, {manifest.bytes / 2**20:.1f} MiB",
        f"The keys are not in it: back up {settings.places.key_folder} apart from it",
    ]
    report({"file": str(file), **asdict(manifest)}, lines, as_json=json)


def restore(
    file: Path,
    /,
    *,
    yes: Yes = False,
    superuser: Annotated[str, Parameter(help="A log-in that is superuser, on a server of your own.")] = restores.SUPERUSER,
    json: AsJson = False,
) -> int:
    """Put a backup in place of the database, then look whether everything is in order.

    It is restored beside the present database, counted against its manifest, and exchanged last. A database that holds a district is
    replaced only with --yes.
    """
    settings = load_settings()
    with working("Restoring") as title:
        done = restores.restore(settings, file, replace=yes, superuser=superuser, say=title)
        checks = examine(settings)
    result = {
        "file": str(file),
        "audit_rows": done.audit_rows,
        "tables": done.tables,
        "made_at": done.manifest.made_at,
        "checks": _told(checks),
    }
    lines = [
        f"Restored {done.tables} tables as of {done.manifest.made_at}; every count is the manifest's",
        f"The trail has all of its {done.audit_rows:,} rows",
        "Tokens of before are dead. Accounts disabled since the backup are open again: look at gridmgmt account list",
        *(f"{check.name}: {check.found} -> {check.mend}" for check in checks if not check.ok),
    ]
    report(result, lines, as_json=json)
    return 0 if all(check.ok for check in checks) else FAILED


def doctor(*, json: AsJson = False) -> int:
    """Look whether everything is in order; leaves with 1 when anything is not, and says how to mend it."""
    checks = examine(load_settings())
    lines: list[str] = []
    for check in checks:
        lines.append(f"{'ok' if check.ok else 'FAILED':<8}{check.name:<12}{check.found}")
        lines += [f"{'':<20}-> {check.mend}"] if check.mend else []
    report({"ok": all(check.ok for check in checks), "checks": _told(checks)}, lines, as_json=json)
    return 0 if all(check.ok for check in checks) else FAILED


def _told(checks: list[Check]) -> list[dict[str, object]]:
    return [asdict(check) for check in checks]
