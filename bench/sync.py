"""Handhelds over HTTP: pushes a second beside the same rows written bare, pulls, the first sync, and the end of a shift."""

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import psycopg

from bench.handhelds import Rider, enrolled, evening, written_bare
from bench.requests import served
from bench.stage import Figure, Stage

WORKERS: Final = 2
SECONDS: Final = 3.0
TURNS: Final = 3
SETTINGS: Final = ((1, 50), (1, 200), (8, 50), (8, 200))
"""Devices at once, and mutations of a push."""
CROWD: Final = 120
"""Devices of the shift's end."""
FIRST: Final = 1_500
"""Rows of a first sync."""
AGAIN: Final = 0.05
"""Seconds after which a device that was refused comes again where capacity is measured; a real one waits as long as it is told."""
NORMAL: Final = 1.0
"""Seconds in which a push is answered when nothing is wrong."""


def measure(stage: Stage) -> Iterator[Figure]:
    """All of it, on a server with two processes."""
    with served(stage, workers=WORKERS, GRIDMGMT_PUSH_BURST="1000000") as (port, _), stage.superuser() as superuser:
        riders = enrolled(stage, superuser, CROWD, port)
        old = asyncio.run(_cursors(riders[:8]))
        best: dict[int, float] = {}
        for devices, size in SETTINGS:
            # in turn, so that neither has the quieter minutes
            turns = [
                (asyncio.run(_push(riders[:devices], size, SECONDS)), written_bare(superuser, riders[0], size, SECONDS))
                for _ in range(TURNS)
            ]
            ours, bare = max(turns, key=sum)
            best[size] = max(best.get(size, 0.0), ours)
            yield Figure(f"sync_push_{devices}x{size}", ours, bare, "mutations/s", goal=(">=", 0.25))
        yield Figure("sync_push", max(best.values()), 2_000, "mutations/s", "limit", (">=", 1))
        yield Figure("sync_pull", asyncio.run(_pull(riders[:8], old, SECONDS)), 20_000, "rows/s", "limit", (">=", 1))
        yield from _first_sync(superuser, riders[-1])
        yield from _shift_end(superuser, riders, 2 * best[50] / 50, stage.endurance)


async def _cursors(riders: Sequence[Rider]) -> list[str]:
    """A cursor of each before anything was pushed: where the snapshot began."""
    return [(await rider.snapshot())[0]["start_cursor"] for rider in riders]


async def _push(riders: Sequence[Rider], size: int, seconds: float) -> float:
    """Mutations a second, each device sending as fast as it is answered; the first push of each warms up."""

    async def one(rider: Rider, end: float) -> int:
        done = 0
        while time.perf_counter() < end:
            status, _, told = await rider.push(rider.unsent or evening(rider, size))
            if status == 503:
                await asyncio.sleep(AGAIN)
                continue
            assert status == 200, told
            wrong = [result for result in told["results"] if result["status"] != "applied"]
            assert not wrong, wrong[:2]
            done += len(told["results"])
        return done

    for rider in riders:
        status, _, told = await rider.push(rider.unsent or evening(rider, size))
        assert status == 200, told
    start = time.perf_counter()
    done = await asyncio.gather(*(one(rider, start + seconds) for rider in riders))
    return sum(done) / (time.perf_counter() - start)


async def _pull(riders: Sequence[Rider], old: Sequence[str], seconds: float) -> float:
    """Rows a second, each device pulling page after page from its old cursor, again and again."""

    async def one(rider: Rider, first: str, end: float) -> int:
        rows, cursor = 0, first
        while time.perf_counter() < end:
            body = {"scopes": [{"scope_id": rider.grid, "cursor": cursor}], "limit": 500, "wait_s": 0}
            status, _, told = await rider.ask("POST", "/v1/sync/pull", body)
            assert status == 200, told
            [scope] = told["scopes"]
            rows += len(scope["items"])
            cursor = scope["cursor"] if scope["has_more"] else first
        return rows

    start = time.perf_counter()
    got = await asyncio.gather(*(one(rider, cursor, start + seconds) for rider, cursor in zip(riders, old, strict=True)))
    return sum(got) / (time.perf_counter() - start)


def _first_sync(superuser: psycopg.Connection[tuple[Any, ...]], rider: Rider) -> Iterator[Figure]:
    """A grid of 1,500 rows and more, from the request to the last line; the best of five."""
    rider.fill(superuser, FIRST)
    times: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        lines = asyncio.run(rider.snapshot())
        times.append(time.perf_counter() - start)
        assert lines[-1]["type"] == "end"
        assert lines[-1]["count"] >= FIRST
    yield Figure("sync_first", min(times), 2.0, "s", "limit", ("<=", 1))


def _shift_end(superuser: psycopg.Connection[tuple[Any, ...]], riders: Sequence[Rider], rate: float, seconds: float) -> Iterator[Figure]:
    """Pushes arrive at twice the rate that was measured, whether earlier ones are answered or not."""
    taken, refused, after = asyncio.run(_arrive(riders, rate, seconds))
    taken.sort()
    p99 = taken[math.ceil(len(taken) * 0.99) - 1]
    yield Figure("sync_shift_end_p99", p99, NORMAL, "s", "limit", ("<=", 1))
    yield Figure("sync_shift_end_refused", refused, refused + len(taken), "pushes")
    [(found,)] = superuser.execute(
        "SELECT count(*) FROM sync.mutation m JOIN unnest(%s::uuid[], %s::bigint[]) AS d(id, last)"
        " ON d.id = m.device_id AND client_seq <= d.last",
        [[rider.device for rider in riders], [rider.acknowledged for rider in riders]],
    ).fetchall()
    yield Figure("sync_shift_end_kept", found, sum(rider.acknowledged for rider in riders), "mutations", "limit", (">=", 1))
    yield Figure("sync_shift_end_recovery", after, 10.0, "s", "limit", ("<=", 1))


async def _arrive(riders: Sequence[Rider], rate: float, seconds: float) -> tuple[list[float], int, float]:
    """Seconds that admitted pushes took, how many were refused, and seconds after the end until all answers are quick again."""
    idle, taken, refused = list(riders), list[float](), 0
    running: set[asyncio.Task[None]] = set()

    async def one(rider: Rider) -> None:
        nonlocal refused
        began = time.perf_counter()
        status, headers, told = await rider.push(rider.unsent or evening(rider, 50))
        if status == 200:
            taken.append(time.perf_counter() - began)
        else:
            assert status == 503, told
            assert headers["retry-after"].isdigit()
            refused += 1
        idle.append(rider)

    start = time.perf_counter()
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        if idle:
            task = asyncio.create_task(one(idle.pop(0)))
            running.add(task)
            task.add_done_callback(running.discard)
        else:
            refused += 1  # nobody is left who could come: all of them wait for an answer
    await asyncio.gather(*running)
    end = time.perf_counter()
    quick = 0
    while quick < 10:
        began = time.perf_counter()
        status, _, _ = await riders[0].push(riders[0].unsent or evening(riders[0], 50))
        quick = quick + 1 if status == 200 and time.perf_counter() - began < NORMAL else 0
        assert time.perf_counter() < end + 60
    return taken, refused, time.perf_counter() - end
