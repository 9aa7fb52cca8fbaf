"""What may happen between handhelds and the district, in any order: hypothesis draws it, and makes it short when something breaks."""

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from clients.handheld import outbox
from tests.drawn import Drawn
from tests.sync import district, oracle
from tests.sync.ground import Ground
from tests.sync.proxy import Fault
from tests.sync.values import CHANGES, KINDS, SEEN, new, poison
from tests.sync.world import Gadget, World

DEVICES = st.integers(0, 2)
DICE = st.integers(0, 2**32 - 1).map(random.Random)
BAD = st.sampled_from([fault for fault in Fault if fault is not Fault.NONE])
FAULTS = st.lists(BAD | st.just(Fault.NONE), min_size=1, max_size=6)
HISTORIES = 2
"""Restores of a case: after each, everybody fetches everything anew."""


@dataclass
class Tally:
    """What was tried, over all cases."""

    cases: int = 0
    steps: int = 0
    faulty: int = 0
    """Meetings on a bad network, and meetings in which something was killed."""
    faults: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, name: str, times: int = 1) -> None:
        self.faults[name] = self.faults.get(name, 0) + times


class Model(RuleBasedStateMachine):
    """One case. A subclass says where the district comes from."""

    ground: ClassVar[Ground]
    tally: ClassVar[Tally]

    @classmethod
    def district(cls) -> AbstractContextManager[Drawn]:
        """A district that nobody has written to."""
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        self.lent = self.district()
        self.world = World(self.ground, self.lent.__enter__())
        self.tally.cases += 1
        for gadget in self.world.gadgets:
            self.world.sync(gadget)

    @rule(device=DEVICES, kind=st.sampled_from((*KINDS, *SEEN)), dice=DICE)
    def enter(self, device: int, kind: str, dice: random.Random) -> None:
        """A worker writes down something new."""
        gadget = self._gadget(device)
        found = new(self.world, gadget, kind, dice)
        if found is not None:
            outbox.record(gadget.store, gadget.clock, "create", kind, scope_id=found[0], values=found[1])

    @rule(device=DEVICES, kind=st.sampled_from(KINDS), dice=DICE)
    def change(self, device: int, kind: str, dice: random.Random) -> None:
        """A worker changes what the device shows."""
        gadget = self._gadget(device)
        known = self.world.shown(gadget, kind)
        if known:
            outbox.record(gadget.store, gadget.clock, "update", kind, dice.choice(known).id, values=CHANGES[kind](dice))

    @rule(devices=st.permutations([0, 1, 2]), kind=st.sampled_from(["unit", "residence"]), dice=DICE)
    def change_the_same(self, devices: Sequence[int], kind: str, dice: random.Random) -> None:
        """Two workers change the same field of the same row, without knowing of one another."""
        gadgets = [self._gadget(device) for device in devices[:2]]
        shown = [{row.id for row in self.world.shown(gadget, kind) if row.version} for gadget in gadgets]
        both = sorted(shown[0] & shown[1])
        if both:
            chosen, names = dice.choice(both), CHANGES[kind](dice).keys()
            for gadget in gadgets:
                values = next(value for value in iter(lambda: CHANGES[kind](dice), None) if value.keys() == names)
                outbox.record(gadget.store, gadget.clock, "update", kind, chosen, values=values)

    @rule(device=DEVICES, kind=st.sampled_from(["unit", "residence", "lease"]), dice=DICE)
    def delete(self, device: int, kind: str, dice: random.Random) -> None:
        """A worker strikes something out."""
        gadget = self._gadget(device)
        known = self.world.shown(gadget, kind)
        if known:
            outbox.record(gadget.store, gadget.clock, "delete", kind, dice.choice(known).id)

    @rule(device=DEVICES, dice=DICE)
    def write_nonsense(self, device: int, dice: random.Random) -> None:
        """Something that the server cannot take, and that must not stop what stands behind it."""
        gadget = self._gadget(device)
        kind, grid, values = poison(self.world, dice)
        outbox.record(gadget.store, gadget.clock, "create", kind, scope_id=grid, values=values)

    @rule(device=DEVICES)
    def meet(self, device: int) -> None:
        """A device meets the server."""
        self.world.sync(self._gadget(device))

    @rule(device=DEVICES, faults=FAULTS)
    def meet_on_a_bad_network(self, device: int, faults: list[Fault]) -> None:
        """A device meets the server as well as it can."""
        self.tally.faulty += any(fault is not Fault.NONE for fault in faults)
        self.world.sync(self._gadget(device), faults)

    @rule(device=DEVICES)
    def meet_and_be_killed(self, device: int) -> None:
        """The server is killed after the commit, before the answer."""
        gadget = self._gadget(device)
        if outbox.waiting(gadget.store):
            self.tally.faulty += 1
            self.tally.add("KILLED_BEFORE_ANSWER")
            with self.ground.process.killing_itself("answer", "/v1/sync/push"):
                self.world.sync(gadget, [Fault.NONE])

    @rule(device=DEVICES, after=st.floats(0, 0.05))
    def meet_while_it_is_killed(self, device: int, after: float) -> None:
        """The server is killed at some moment."""
        self._meet_while(device, after, self.ground.process.kill, "KILLED")

    @rule(device=DEVICES, after=st.floats(0, 0.05))
    def meet_while_sessions_end(self, device: int, after: float) -> None:
        """PostgreSQL ends the sessions of the server at some moment."""
        self._meet_while(device, after, self.world.hang_up, "SESSIONS_ENDED")

    @rule(device=DEVICES, ends=st.tuples(st.integers(1, 9), st.integers(1, 9)))
    def push_again(self, device: int, ends: tuple[int, int]) -> None:
        """A device that forgot what was answered."""
        self.tally.add("OLD_BATCH")
        self.world.again(self._gadget(device), min(ends), max(ends))

    @rule(device=DEVICES)
    def push_twice_at_once(self, device: int) -> None:
        """A retry arrives while the original runs."""
        gadget = self._gadget(device)
        batch = outbox.batch(gadget.store, most=50, most_bytes=1 << 20)
        if batch is not None:
            self.tally.add("PARALLEL")
            reached = self.world.superuser.execute("SELECT last_seq FROM sync.device WHERE id = %s", [gadget.device.id]).fetchall()
            with ThreadPoolExecutor(2) as pool:
                both = [running.result() for running in [pool.submit(self.world.sending(gadget, batch)) for _ in range(2)]]
            assert [bare(result) for result in both[0]["results"]] == [bare(result) for result in both[1]["results"]]
            told = sorted(result.get("replayed", False) for answer in both for result in answer["results"][:1])
            assert told == [reached[0][0] >= batch.first, True]  # both are repetitions when an answer was lost before
            outbox.settle(gadget.store, both[0])

    @rule(dice=DICE)
    def correct_in_the_office(self, dice: random.Random) -> None:
        """The district changes a unit or a building."""
        noun = dice.choice(("unit", "building"))
        found = self.world.superuser.execute(f"SELECT id FROM reg.{noun} WHERE deleted_at IS NULL ORDER BY id").fetchall()
        if found:
            self.world.office("PATCH", f"/v1/{noun}s/{dice.choice(found)[0]}", CHANGES[noun](dice))

    @rule(dice=DICE)
    def strike_out_in_the_office(self, dice: random.Random) -> None:
        """The district strikes out a residence or a unit."""
        noun = dice.choice(("unit", "residence"))
        found = self.world.superuser.execute(f"SELECT id FROM reg.{noun} WHERE deleted_at IS NULL ORDER BY id").fetchall()
        if found:
            self.world.office("DELETE", f"/v1/{noun}s/{dice.choice(found)[0]}")

    @rule(dice=DICE)
    def decide_in_the_office(self, dice: random.Random) -> None:
        """Somebody decides a conflict."""
        if district.decide(self.world, dice):
            self.tally.add("DECIDED")

    @rule(late=st.booleans())
    def tidy_up(self, late: bool) -> None:
        """A night, or one half a year later: pointers are dropped, and old cursors with them."""
        if district.tidy(self.world, late=late):
            self.tally.add("SWEPT")

    @rule(dice=DICE)
    def move_a_building(self, dice: random.Random) -> None:
        """The district finds that a building stands in another grid: everything in it moves along."""
        self.world.relocate(dice)

    @rule(holding=st.sampled_from([("worker", "south-east"), ("worker", "south-west"), ("worker-east", "south-west")]))
    def move_a_worker(self, holding: tuple[str, str]) -> None:
        """A worker loses a grid, or gets it."""
        self.world.move_worker(*holding)

    @rule(device=DEVICES, days=st.sampled_from([-1, 0, 1]))
    def turn_a_clock(self, device: int, days: int) -> None:
        """Somebody turns the clock of a device."""
        self._gadget(device).turn(days)

    @rule()
    def begin_something_long(self) -> None:
        """A transaction begins, and what it wrote comes late."""
        self.world.begin_long()

    @rule(commit=st.booleans())
    def end_something_long(self, commit: bool) -> None:
        """It ends."""
        self.world.end_long(commit=commit)

    @precondition(lambda self: self.world.histories < HISTORIES)
    @rule()
    def begin_another_history(self) -> None:
        """A restore."""
        self.tally.add("RESTORED")
        self.world.another_history()

    @rule(device=DEVICES)
    def copy_a_device(self, device: int) -> None:
        """What a device held some time ago: from there a pull must lead to the same end."""
        self.world.copy(self._gadget(device))

    def teardown(self) -> None:
        """The network is good, everybody meets the server, and then everything must agree."""
        if not hasattr(self, "world"):
            return
        try:
            self.world.settle()
            oracle.judge(self.world)
        finally:
            self.world.close()
            for name, times in self.ground.proxy.met.items():
                self.tally.add(name, times)
            self.ground.proxy.met.clear()
            self.lent.__exit__(None, None, None)

    def _gadget(self, device: int) -> Gadget:
        self.tally.steps += 1
        return self.world.gadgets[device]

    def _meet_while(self, device: int, after: float, happening: Any, name: str) -> None:
        self.tally.faulty += 1
        self.tally.add(name)
        timer = threading.Timer(after, happening)
        timer.start()
        try:
            self.world.sync(self._gadget(device), [Fault.NONE])
        finally:
            timer.join()


def bare(result: dict[str, Any]) -> dict[str, Any]:
    """An answer without the word that it was given before."""
    return {name: value for name, value in result.items() if name != "replayed"}
