"""`python -m bench`: prints one JSON object a line, each a figure against a limit or against a peer measured in the same run.

Everything happens in a cluster of the run's own, with the demo district in it, which is deleted at the end. Keys: `case`, `ours`,
`limit` or `peer`, `unit`, `ratio` (ours to the other), and `goal`, which the ratio should meet.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from bench import building, cancelled, comparisons, coverages, formats, gis, imports, keys, maps, rents, requests, sync
from bench.stage import Figure, Stage, staged

CASES: Mapping[str, Callable[[Stage], Iterator[Figure]]] = {
    "demo_build": building.measure,
    "primary_key": keys.measure,
    "coverage": coverages.measure,
    "map_box": maps.measure,
    "formats": formats.measure,
    "gis": gis.measure,
    "cancelled": cancelled.measure,
    "requests": requests.measure,
    "compare": comparisons.measure,
    "sync": sync.measure,
    "lease_import": imports.measure,
    "rents": rents.measure,
    "rents_large": rents.measure_large,
}
"""In this order: the last ones fill the tables that the others read."""
ASKED: frozenset[str] = frozenset({"rents_large"})
"""Run when they are named alone: they take a quarter of an hour and 20 GB."""


def main() -> int:
    """Run the chosen cases; 1 when a figure misses its goal."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks that print ratios, one JSON object a line.")
    parser.add_argument("--case", choices=list(CASES), action="append", help="run this one only; may be said more than once")
    parser.add_argument("--endurance", type=float, default=60.0, help="seconds for which a load is held (default: 60)")
    given = parser.parse_args()
    wanted: list[str] = given.case or [name for name in CASES if name not in ASKED]
    for name in [name for name in os.environ if name.startswith(("GRIDMGMT_", "PG"))]:
        del os.environ[name]
    met = True
    with staged() as built:
        stage = replace(built, endurance=given.endurance)
        for case in CASES:
            if case in wanted:
                for figure in CASES[case](stage):
                    print(figure.line(), flush=True)
                    met = met and figure.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
