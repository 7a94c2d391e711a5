"""Logs with a trace id, and the numbers that Prometheus scrapes."""

from __future__ import annotations

import logging
import sys
from functools import cache
from random import Random
from typing import Any, TypeVar

import structlog
from prometheus_client import Counter, Gauge, Histogram

MetricT = TypeVar("MetricT", Counter, Histogram)
_chance = Random()  # noqa: S311 - of what it makes nothing has to be kept secret
FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SLOW = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
SIZES = (1, 3, 10, 30, 100, 300, 1000, 3000, 10000)

EVENTS_ACCEPTED = Counter("zhengai_events_accepted", "Events taken from campus systems.", ["school", "source"])
EVENTS_REFUSED = Counter(
    "zhengai_events_refused", "Events refused at the gateway, by the answer's status.", ["school", "source", "status"]
)
HTTP_SECONDS = Histogram(
    "zhengai_http_request_seconds", "Time to answer a request.", ["service", "method", "route", "status"], buckets=FAST
)
BATCH_EVENTS = Histogram("zhengai_consumer_batch_records", "Records handled in one transaction.", ["group"], buckets=SIZES)
BATCH_SECONDS = Histogram("zhengai_consumer_batch_seconds", "Time to handle and commit one batch.", ["group"], buckets=FAST)
CONSUMER_LAG = Gauge("zhengai_consumer_lag_bytes", "Bytes on the bus that a group has yet to take in.", ["group", "topic"])
CONSUMER_FAILURES = Counter("zhengai_consumer_failures", "Batches that failed and were tried again.", ["group"])
DEAD_LETTERS = Counter(
    "zhengai_dead_letters", "Records and events put aside because they can never be handled.", ["service", "topic"]
)
OUTBOX_ROWS = Gauge("zhengai_outbox_rows", "Events committed and not yet on the bus.", ["service"])
OBSERVATIONS_COUNTED = Counter("zhengai_observations_counted", "Observations added up, by outcome.", ["outcome"])
OBSERVATION_TO_WARNING = Histogram(
    "zhengai_observation_to_warning_seconds", "From the request that brought an observation to the warning it raised.", buckets=SLOW
)
WARNING_TO_TASK = Histogram(
    "zhengai_warning_to_task_seconds", "From a warning raised to its improvement task opened.", buckets=SLOW
)
WARNINGS_OPEN = Gauge("zhengai_warnings_open", "Uncleared warnings.", ["severity"])
ROWS_KEPT = Gauge("zhengai_rows_kept", "Rows kept, by service and table.", ["service", "table"])
BYTES_KEPT = Gauge("zhengai_database_bytes", "Bytes that a service's database takes.", ["service"])
LEASES = Gauge("zhengai_lease_held", "1 where this process holds the lease.", ["service", "lease"])
CLOCK_AHEAD = Gauge(
    "zhengai_clock_ahead_seconds",
    "How far the machine's clock is ahead of the database's, by which all work; 0 below a second.",
    ["service"],
)
JOB_FAILURES = Counter("zhengai_job_failures", "Runs of a job that failed.", ["service", "name"])


@cache
def labelled(metric: MetricT, *labels: str) -> MetricT:
    """The metric of these labels' values, remembered: to find it costs more than to use it."""
    return metric.labels(*labels)


def log_to_stderr(level: str) -> None:
    """Send structured logs to standard error: lines for a person on a terminal, JSON otherwise."""
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


def new_traceparent() -> str:
    """Return a fresh W3C trace context."""
    return f"00-{unlike_others(16)}-{unlike_others(8)}-01"


def unlike_others(size: int) -> str:
    """Return so many bytes in hexadecimal that nobody else has: for names that are no secrets, and cost no call of the system."""
    return f"{_chance.getrandbits(8 * size):0{2 * size}x}"


def bind_trace(traceparent: str | None) -> str:
    """Make the log lines of this task carry the trace's id; return the trace context, new where there was none."""
    if traceparent is None or len(parts := traceparent.split("-")) != 4 or len(parts[1]) != 32:
        traceparent = new_traceparent()
        parts = traceparent.split("-")
    structlog.contextvars.bind_contextvars(trace=parts[1], traceparent=traceparent)
    return traceparent


def current_traceparent() -> str | None:
    """Return the trace context bound to this task, if any."""
    return structlog.contextvars.get_contextvars().get("traceparent")
