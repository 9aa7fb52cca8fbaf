"""Pages while others write: whatever was there throughout comes once, at whatever order, through whichever index."""

import threading
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from tests.gis.conftest import MORE
from tests.places import point
from tests.served import Served

(WEST, SOUTH), (EAST, NORTH) = point(0, 0), point(2000, 800)
EVERYTHING = f"bbox={WEST},{SOUTH},{EAST},{NORTH}"
LIMIT = 40


COME_AND_GO = (
    (
        "UPDATE reg.building SET deleted_at = now() WHERE id IN (SELECT id FROM reg.building WHERE house_code LIKE %s"
        " AND deleted_at IS NULL ORDER BY random() LIMIT 10)"
    ),
    "DELETE FROM reg.building WHERE id IN (SELECT id FROM reg.building WHERE house_code LIKE %s ORDER BY random() LIMIT 10)",
)
QUERIES = (
    "",
    EVERYTHING,
    "sortby=name",
    "sortby=-floors_above,built_year",
    f"{EVERYTHING}&sortby=-built_year",
    "rental=true",
)


@contextmanager
def coming_and_going(served: Served) -> Generator[list[int]]:
    """Buildings are inserted and deleted by two threads until the block ends; how often, is counted in the list."""
    done, rounds = threading.Event(), [0, 0]

    def churn(number: int) -> None:
        with served.superuser() as superuser:
            while not done.is_set():
                superuser.execute(MORE.encode(), {"prefix": f"440399{6 + number}", "first": 20 * rounds[number], "count": 20})
                for statement in COME_AND_GO:
                    superuser.execute(statement.encode(), [f"440399{6 + number}%"])
                rounds[number] += 1

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield rounds
    finally:
        done.set()
        for thread in threads:
            thread.join()
        with served.superuser() as superuser:
            superuser.execute("DELETE FROM reg.building WHERE house_code LIKE ANY (ARRAY['4403996%', '4403997%'])")


def lasting(served: Served) -> set[str]:
    """Ids of the buildings that nobody touches."""
    with served.superuser() as superuser:
        rows = superuser.execute("SELECT id FROM reg.building")
        return {str(row[0]) for row in rows.fetchall()}


def walk(served: Served, query: str, rounds: Sequence[int] = (LIMIT,)) -> tuple[list[dict[str, Any]], int]:
    """Every feature by following `next`, and the number of pages. Whoever comes and goes does a round for each eight pages at least."""
    address: str | None = f"{served.root}/collections/buildings/items?limit={LIMIT}&{query}"
    features: list[dict[str, Any]] = []
    pages = 0
    with httpx2.Client(headers={"Authorization": f"Bearer {served.token('district')}"}, timeout=20) as client:
        while address is not None:
            answer = client.get(address)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            features += page["features"]
            pages += 1
            while min(rounds) < pages // 8:
                time.sleep(0.001)
            address = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    return features, pages


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_no_feature_is_lost_or_repeated_while_others_come_and_go(served: Served, query: str) -> None:
    stay = lasting(served)
    if query == "rental=true":
        with served.superuser() as superuser:
            stay &= {str(row[0]) for row in superuser.execute("SELECT id FROM reg.building WHERE rental").fetchall()}
    with coming_and_going(served) as rounds:
        features, pages = walk(served, query, rounds)
    seen = Counter(str(feature["id"]) for feature in features)
    assert [one for one in stay if seen[one] != 1] == []
    assert [one for one, times in seen.items() if times > 1] == []
    assert len(stay) > 1_200
    assert pages > 30
    assert min(rounds) >= 3  # others did come and go meanwhile


def test_order_holds_from_page_to_page_with_missing_values_last(served: Served) -> None:
    features, _ = walk(served, "sortby=-floors_above,built_year")
    told = [(feature["properties"], str(feature["id"])) for feature in features]
    keys = [(-one["floors_above"], one["built_year"] is None, one["built_year"] or 0, identifier) for one, identifier in told]
    assert keys == sorted(keys)
    assert len({identifier for _, identifier in told}) == len(told) == 1_205
