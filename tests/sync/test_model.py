"""Whatever happens between handhelds and the server: nothing lost, nothing doubled, nothing blocked."""

from collections.abc import Generator
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from gridmgmt.database import Database
from gridmgmt.security.context import signer
from tests.cloning import Clones
from tests.drawn import Drawn
from tests.places import KEYS, Places
from tests.sync.ground import Ground
from tests.sync.model import Model, Tally

EXAMPLES = 6
STEPS = 25


def test_nothing_is_lost_doubled_or_blocked_whatever_happens(
    ground: Ground, drawn_clones: Clones, drawn_template: tuple[str, Places]
) -> None:
    class Case(Model):
        tally = Tally()

        @classmethod
        @contextmanager
        def district(cls) -> Generator[Drawn]:
            with drawn_clones.lent() as address:
                database = Database(address, signer(KEYS.context_kid, KEYS.context), pool_size=1)
                yield Drawn(address, database, drawn_template[1])
                database.close()

    Case.ground = ground
    run_state_machine_as_test(
        Case,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),
    )
    assert Case.tally.faulty
