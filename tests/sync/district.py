"""What the district does about the feed and about conflicts, at any moment."""

import random
from dataclasses import replace

from gridmgmt.security import accounts
from gridmgmt.sync.retention import compact_feed, prune_feed, sweep
from tests.sync.world import World

DECISIONS = ("theirs", "yours", "merge", "apart")


def decide(world: World, dice: random.Random) -> bool:
    """Somebody decides an open conflict in one way or another; whether there was one. A decision that does not fit is refused."""
    found = world.superuser.execute("SELECT id FROM sync.conflict WHERE state = 'open' ORDER BY id").fetchall()
    if found:
        status = world.office("POST", f"/v1/sync/conflicts/{dice.choice(found)[0]}/resolve", {"take": dice.choice(DECISIONS)})
        assert status in {200, 403, 404, 409, 422}, status
    return bool(found)


def tidy(world: World, *, late: bool) -> int:
    """The night's sweeps of the feed; how many pointers they dropped. `late`: half a year after the last change."""
    operator = replace(accounts.known_as(world.drawn.database, "local-operator"), scope="loader")
    if late:
        world.superuser.execute("UPDATE sync.change_log SET at = at - interval '181 days'")
    return sum(sweep(world.drawn.database, operator, one) for one in (compact_feed, prune_feed))
