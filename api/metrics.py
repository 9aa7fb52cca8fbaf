"""Counters for operators, in Prometheus' format. Labels are routes, statuses, problems and classes of user: nothing personal.

Several processes of one server count together, in the folder that `gridmgmt serve` gives them; only the connections in use are those
of the process that answers.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from gridmgmt.database import Database
from gridmgmt.sync.figures import Figure

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
        self._figures = _Figures()
        for watched in (self._pools, self._figures):
            self.registry.register(watched)

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

    def text(self, figures: Sequence[Figure] = ()) -> bytes:
        """All of it, as a scrape reads it, with what the database told of jobs and handhelds."""
        self._figures.told = figures
        if SHARED not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        for watched in (self._pools, self._figures):
            together.register(watched)
        return generate_latest(together)


class _Pools(Collector):
    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        """Connections in use, by class of user and kind of pool."""
        family = GaugeMetricFamily("gridmgmt_connections_in_use", "Connections to the database in use", labels=["class", "pool"])
        for (scope, kind), used in self._database.usage().items():
            family.add_metric([scope, kind], used)
        yield family


class _Figures(Collector):
    """Numbers of the register itself: the same whichever process is asked."""

    def __init__(self) -> None:
        self.told: Sequence[Figure] = ()

    def collect(self) -> Iterator[Metric]:
        """Jobs, how long changes wait, what waits for a decision, handhelds by how they stand and by their last contact."""
        for name, (title, text, label) in FIGURES.items():
            family = GaugeMetricFamily(f"gridmgmt_{title}", text, labels=[label] if label else [])
            for figure in self.told:
                if figure.name == name:
                    family.add_metric([figure.label] if label else [], figure.value)
            yield family


FIGURES: Final = {
    "job": ("job_seconds_since_success", "Time since a job's last success began", "job"),
    "lag": ("feed_lag_seconds", "Age of the oldest change that waits for a writer that is still open", ""),
    "open": ("sync_open", "Conflicts and dead letters that wait for a decision", "queue"),
    "devices": ("devices", "Handhelds by how they stand", "status"),
    "contact": ("devices_last_contact", "Active handhelds by how long ago they were last heard of", "within"),
}
"""The names of the figures, what they say, and their label."""
