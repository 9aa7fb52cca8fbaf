"""Counters for operators, in Prometheus' format. Labels are routes, statuses, problems and classes of user: nothing personal.

Several processes of one server count together, in the folder that `gridmgmt serve` gives them; only the connections in use are those
of the process that answers.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from gridmgmt.database import Database

SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus_client finds the folder."""
BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counters of one application."""

    def __init__(self, database: Database) -> None:
        """Watches the pools of `database` too."""
        self.registry = CollectorRegistry()
        self._requests = Counter("gridmgmt_requests", "Requests answered", ["method", "route", "status"], registry=self.registry)
        self._seconds = Histogram("gridmgmt_request_seconds", "Time to the answer", ["route"], registry=self.registry, buckets=BUCKETS)
        self._problems = Counter("gridmgmt_problems", "Refusals, by problem", ["slug"], registry=self.registry)
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._pools = _Pools(database)
        self.registry.register(self._pools)

    def count(self, method: str, route: str, status: int, seconds: float, slug: str | None) -> None:
        """One request was answered."""
        children = self._children.get((method, route, status))
        if children is None:
            children = self._requests.labels(method, route, str(status)), self._seconds.labels(route)
            self._children[method, route, status] = children
        children[0].inc()
        children[1].observe(seconds)
        if slug is not None:
            self._problems.labels(slug).inc()

    def text(self, jobs: Mapping[str, float]) -> bytes:
        """All of it, as a scrape reads it; `jobs` are the seconds since each last succeeded."""
        since = CollectorRegistry()
        since.register(_Jobs(jobs))
        return self._counters() + generate_latest(since)

    def _counters(self) -> bytes:
        if SHARED not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        together.register(self._pools)
        return generate_latest(together)


class _Jobs(Collector):
    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds = seconds

    def collect(self) -> Iterator[Metric]:
        """How long ago the last run of each job that succeeded began."""
        family = GaugeMetricFamily("gridmgmt_job_seconds_since_success", "Time since a job's last success began", labels=["job"])
        for job, seconds in self._seconds.items():
            family.add_metric([job], seconds)
        yield family


class _Pools(Collector):
    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        """Connections in use, by class of user and kind of pool."""
        family = GaugeMetricFamily("gridmgmt_connections_in_use", "Connections to the database in use", labels=["class", "pool"])
        for (scope, kind), used in self._database.usage().items():
            family.add_metric([scope, kind], used)
        yield family
