"""`python -m tests.sync.soak --minutes 5`: the model of tests/sync for as long as asked. Prints cases, faults and breaks; 1 on a break.

Each round has a seed of its own, printed with what broke; `--seed` begins with that one.
"""

import argparse
import os
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from gridmgmt.database import Database
from gridmgmt.operations import cluster as clusters
from gridmgmt.security.context import signer
from tests.cloning import Clones
from tests.conftest import migrate, place_of_runs
from tests.drawn import Drawn
from tests.places import KEYS, Places, draw, register
from tests.sync.ground import prepared
from tests.sync.model import Model, Tally

CASES = 10
"""Cases of a round: hypothesis makes the first ones of each simple."""
STEPS = 60


def main() -> int:
    """Run until the time is over, then say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.sync.soak", description="Whatever happens: nothing lost, doubled or blocked.")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--steps", type=int, default=STEPS, help="most steps of a case")
    parser.add_argument("--seed", type=int, default=None, help="of the first round; drawn unless given")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("GRIDMGMT_", "PG"))]:
        del os.environ[name]
    end, tally, breaks = time.monotonic() + given.minutes * 60, Tally(), 0
    first = given.seed if given.seed is not None else secrets.randbits(32)
    with district() as (clones, places), prepared() as ground:
        for number in count(first):
            if time.monotonic() >= end:
                break

            class Case(Model):
                @classmethod
                @contextmanager
                def district(cls) -> Generator[Drawn]:
                    with clones.lent() as address:
                        database = Database(address, signer(KEYS.context_kid, KEYS.context), pool_size=1)
                        yield Drawn(address, database, places)
                        database.close()

            Case.ground, Case.tally = ground, tally
            try:
                run_state_machine_as_test(seed(number)(Case), settings=rules(given.steps))
            except Exception:  # noqa: BLE001 -- whatever broke is told and counted
                breaks += 1
                print(f"BREAK in the round with seed {number}", flush=True)
                traceback.print_exc()
            print(f"seed {number}: {tally.cases} cases, {tally.steps} steps, {tally.faulty} faulty meetings, {breaks} breaks", flush=True)
        kills = ground.process.kills
    faults = ", ".join(f"{name.lower().replace('_', ' ')} {times}" for name, times in sorted(tally.faults.items()))
    print(f"cases {tally.cases}, steps {tally.steps}, faulty meetings {tally.faulty}, servers killed {kills}, breaks {breaks}")
    print(f"faults: {faults}")
    return 1 if breaks else 0


def rules(steps: int) -> settings:
    """No time-outs, no memory of earlier runs."""
    return settings(
        max_examples=CASES,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        phases=[Phase.generate],
    )


@contextmanager
def district() -> Generator[tuple[Clones, Places]]:
    """A cluster of the run's own, with the drawn district for cloning."""
    folder = Path(tempfile.mkdtemp(prefix="gridmgmt-soak-", dir=place_of_runs()))
    folder.chmod(0o711)  # the database's user goes through it when root runs this
    try:
        cluster = clusters.up(folder / "home", durable=False)
        clusters.prepare(cluster, "drawn")
        migrate(cluster.address("drawn"))
        database = register(cluster.address("drawn"))
        places = draw(database)
        database.close()
        yield Clones(cluster, "drawn", "case", count()), places
    finally:
        clusters.reset(folder / "home")
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
