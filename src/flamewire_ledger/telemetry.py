"""What is logged and counted: this file holds how log lines look, what they never show, and every
metric by name.

Parts log with `structlog.get_logger(__name__)` and know nothing of this file; they count through a
meter they are given, by the names in METRICS. A secret that slips into a log line is cut out here,
last, in whatever key or traceback it came.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TextIO, TypeAlias

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric as Family

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads

HIDDEN: Final = "[hidden]"

_SECRET_KEY = re.compile(
    r"authorization|password|passwd|secret(?!_sha256)|mnemonic|seed|api_key$|private|cookie",
    re.IGNORECASE,
)
# What a secret looks like wherever it stands: (pattern, what is left of it).
_SECRET_TEXT: Final = (
    (re.compile(r"(?i)\b(bearer)\s+[^\s'\",;]+"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)\b(authorization:\s*basic)\s+[^\s'\",;]+"), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(fw_(?:test|live)_)[A-Za-z0-9_-]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\b(whsec_)[A-Za-z0-9+/=_-]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\b([a-zA-Z]prv)[1-9A-HJ-NP-Za-km-z]{40,}"), rf"\1{HIDDEN}"),
    (re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"(?i)\b(password\s*=\s*)[^\s&'\"]+"), rf"\1{HIDDEN}"),
)
_DEPTH_MAX: Final = 6  # of nested values that are looked through; deeper ones are not shown at all
_NOISY: Final = ("aio_pika", "aiormq", "httpx", "httpcore", "psycopg.pool", "uvicorn.access")


def redact(value: Any, depth: int = 0) -> Any:
    """The same value without secrets: strings are searched, mappings also by the names of their
    keys.
    """
    if isinstance(value, str):
        for pattern, left in _SECRET_TEXT:
            value = pattern.sub(left, value)
        return value
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == _DEPTH_MAX:
        return HIDDEN
    if isinstance(value, Mapping):
        return {
            name: HIDDEN if _SECRET_KEY.search(str(name)) else redact(inner, depth + 1)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(inner, depth + 1) for inner in value]
    return redact(str(value), depth + 1)


def _redact_line(
    _logger: Any, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    own = {name: line.pop(name) for name in ("_record", "_from_structlog") if name in line}
    return {**redact(line), **own}


def configure_logging(
    level: str = "warning",
    form: Literal["console", "json"] = "console",
    stream: TextIO | None = None,
) -> None:
    """Send every log line, ours and the libraries', to stderr in one form. Calling it again
    replaces the first.
    """
    stream = stream or sys.stderr
    steps: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=steps,
            # Redaction is the last step before the text is made: nothing added on the way escapes
            # it.
            processors=[
                _redact_line,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its Prometheus kind, what it says, and the labels it is split by (few values
    each, never an id).

    `together`: what several processes of one ledger say of a gauge makes this of it.
    """

    kind: Literal["counter", "gauge", "seconds"]
    says: str
    labels: tuple[str, ...] = ()
    together: Literal["most", "sum"] = "most"


_CHAIN: Final = ("network", "chain_id")  # a name can be a test network's and a live one's

METRICS: Final[Mapping[str, Metric]] = {
    "processes": Metric("gauge", "Processes of this ledger that are up.", ("kind",), "sum"),
    "commands": Metric("counter", "Commands answered, by outcome.", ("outcome",)),
    "append_batches": Metric("counter", "Batches of commands that went to the store."),
    "writer_queued": Metric("gauge", "Commands that wait for a batch.", together="sum"),
    "http_requests": Metric("counter", "Requests answered.", ("route", "status")),
    "usage_items": Metric(
        "counter", "Items of usage that came, by what became of them.", ("outcome",)
    ),
    "facts_read": Metric("counter", "Facts of streams read, by where they were.", ("source",)),
    "http_seconds": Metric("seconds", "From request to answer.", ("route",)),
    "relay_events": Metric("counter", "Events confirmed by the broker.", ("partition",)),
    "relay_position": Metric("gauge", "Last position confirmed by the broker.", ("partition",)),
    "relay_failures": Metric("counter", "Times the relay had to begin again.", ("partition",)),
    "consumer_batches": Metric("counter", "Batches of events taken from the broker.", ("group",)),
    "consumer_parked": Metric("counter", "Messages put aside as unusable.", ("group",)),
    "consumer_failures": Metric("counter", "Times a consumer had to connect again.", ("group",)),
    "projection_position": Metric("gauge", "Checkpoint of a projection.", ("name", "partition")),
    "projection_lag_seconds": Metric(
        "gauge", "Age of what is not yet projected.", ("name", "partition")
    ),
    "process_position": Metric("gauge", "Checkpoint of a process.", ("name", "partition")),
    "process_commands": Metric("counter", "Commands that processes sent.", ("outcome",)),
    "process_parked": Metric("counter", "Events a process could not handle.", ("name",)),
    "chain_head": Metric("gauge", "Height of a chain's newest block.", _CHAIN),
    "chain_finalized": Metric("gauge", "Height up to which a chain is final.", _CHAIN),
    "chain_followed": Metric("gauge", "Height up to which a chain was followed.", _CHAIN),
    "chain_lag_blocks": Metric("gauge", "Blocks between what was followed and the head.", _CHAIN),
    "chain_head_age_seconds": Metric(
        "gauge", "Seconds since the time of the newest block.", _CHAIN
    ),
    "chain_endpoints": Metric("gauge", "Endpoints of a chain, by state.", (*_CHAIN, "state")),
    "chain_transfers": Metric(
        "gauge", "Transfers to our addresses that a follower keeps, by stage.", (*_CHAIN, "stage")
    ),
    "chain_unattested": Metric(
        "gauge", "Transfers in final blocks that too few endpoints attest.", _CHAIN
    ),
    "chain_refused": Metric(
        "gauge", "Transfers of which the ledger refuses to take note; the log says why.", _CHAIN
    ),
    "price_questions": Metric(
        "counter", "Times a price source was to be asked.", ("source", "outcome")
    ),
    "webhook_attempts": Metric(
        "counter", "Attempts at webhooks, by what became of the delivery.", ("outcome",)
    ),
    "webhook_attempt": Metric("seconds", "From sending a webhook to its answer."),
    "unclaimed_transfers": Metric(
        "gauge", "Transfers at a shared address that wait for a person.", ("chain",)
    ),
    "deadlines_due": Metric(
        "counter", "Deadlines that were met with a command.", ("kind", "outcome")
    ),
    "subscription_steps": Metric(
        "counter", "What time made due of subscriptions, made or not yet.", ("outcome",)
    ),
    "top_ups": Metric("counter", "Top-ups asked for, closed, refused, or not yet.", ("outcome",)),
}
_PREFIX: Final = "flamewire_"
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


# One number: the metric it belongs to, its own name, its labels, its value. As JSON can say it.
Sample: TypeAlias = tuple[str, str, Mapping[str, str], float]


class Meters:
    """The metrics of this process. Parts are given one as their meter; a name that METRICS lacks is
    a KeyError.
    """

    def __init__(self, of_all: Callable[[], Awaitable[bytes]] | None = None) -> None:
        """`of_all` renders the metrics of all processes, where this one is one of several."""
        self.registry = CollectorRegistry()
        self._made: dict[str, Any] = {name: self._make(name, it) for name, it in METRICS.items()}
        self._of_all = of_all
        # What was counted before, by name and labels: finding it anew takes longer than counting.
        self._series: dict[tuple[object, ...], Any] = {}

    def add(self, name: str, amount: int = 1, /, **labels: str) -> None:
        self._of(name, labels).inc(amount)

    def set(self, name: str, value: float, /, **labels: str) -> None:
        self._of(name, labels).set(value)

    def forget(self, name: str, /, **labels: str) -> None:
        """Say nothing any more of what is said no longer: another process may say it now."""
        if self._series.pop((name, *labels.items()), None) is not None:
            self._made[name].remove(*(labels[label] for label in METRICS[name].labels))

    def seconds(self, name: str, value: float, /, **labels: str) -> None:
        self._of(name, labels).observe(value)

    async def render(self) -> bytes:
        """The text that Prometheus scrapes, version 0.0.4."""
        if self._of_all is not None:
            return await self._of_all()
        return generate_latest(self.registry)

    def samples(self) -> list[Sample]:
        """Every number of this process, for Totals."""
        return [
            (family.name.removeprefix(_PREFIX), sample.name, sample.labels, sample.value)
            for family in self.registry.collect()
            for sample in family.samples
        ]

    def _of(self, name: str, labels: Mapping[str, str]) -> Any:
        key = (name, *labels.items())
        series = self._series.get(key)
        if series is None:
            made = self._made[name]
            series = self._series[key] = made.labels(**labels) if METRICS[name].labels else made
        return series

    def _make(self, name: str, metric: Metric) -> MetricWrapperBase:
        full, labels = _PREFIX + name, metric.labels
        match metric.kind:
            case "counter":
                return Counter(full, metric.says, labels, registry=self.registry)
            case "gauge":
                return Gauge(full, metric.says, labels, registry=self.registry)
            case "seconds":
                return Histogram(
                    full, metric.says, labels, registry=self.registry, buckets=_BUCKETS
                )


class Totals:
    """The metrics of several processes as if they were one's."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}

    def add(self, samples: Sequence[Sample]) -> None:
        """Count what one process says."""
        for name, sample, labels, value in samples:
            key = (name, sample, tuple(labels.items()))
            before = self._values.get(key)
            if before is None:
                self._values[key] = value
            elif METRICS[name].kind == "gauge" and METRICS[name].together == "most":
                self._values[key] = max(before, value)
            else:
                self._values[key] = before + value

    def add_ended(self, samples: Sequence[Sample]) -> None:
        """Count what a process had counted that is no more: were it left out, a sum would fall, and
        a fall looks like a start from zero. Its gauges ended with it.
        """
        self.add([sample for sample in samples if METRICS[sample[0]].kind != "gauge"])

    def samples(self) -> list[Sample]:
        return [(*key[:2], dict(key[2]), value) for key, value in self._values.items()]

    def render(self) -> bytes:
        """The text that Prometheus scrapes, version 0.0.4."""
        return generate_latest(self)  # it asks for nothing but collect()

    def collect(self) -> Iterator[Family]:
        """The metrics in the order of METRICS, as prometheus_client wants them."""
        families = {
            name: Family(_PREFIX + name, it.says, "histogram" if it.kind == "seconds" else it.kind)
            for name, it in METRICS.items()
        }
        for (name, sample, labels), value in self._values.items():
            families[name].add_sample(sample, dict(labels), value)
        yield from families.values()
