"""How one endpoint does: whether it is set aside, why and for how long, and what its head was.

Time aside doubles with each time in a row, up to a limit. Who behaves afterwards for as long as it
was aside begins anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from flamewire_ledger.chains.chain import EndpointReport, EndpointState

_log = logging.getLogger(__name__)

# Why an endpoint is aside decides whether it is asked when nobody else answers.
Fault: TypeAlias = Literal["fails", "lags", "leads", "throttles", "lies", "is foreign"]
_WEAKNESSES: Final[frozenset[Fault]] = frozenset({"fails", "lags", "leads"})
_NOT_BELIEVED: Final[frozenset[Fault]] = frozenset({"leads", "lies", "is foreign"})
_LAG_SECONDS_MAX: Final = 120
_LAG_BLOCKS_LEAST: Final = 5
_REASON_MAX: Final = 300  # characters


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """How fast, how far behind, and how long aside."""

    requests_per_second: int | None = None  # of each endpoint; None: as fast as there are questions
    aside_seconds: float = 5.0  # the first time; each further time twice as long
    aside_seconds_max: float = 300.0
    retry_after_seconds_max: float = 3600.0  # an endpoint may ask to be left alone for so long
    lag_blocks_max: int = 10
    told_seconds_max: float = 60.0  # heads that were told longer ago are compared with no other
    compare_seconds: float = 30.0  # how often `is_comparison_due` says that all should be asked
    fork_seconds_max: float = 20.0  # how long rival blocks near the head are borne

    @classmethod
    def for_blocks_of(cls, seconds: int, requests_per_second: int | None = None) -> EndpointLimits:
        """An endpoint may lag two minutes' worth of blocks, and a few however long they take."""
        lag_blocks_max = max(_LAG_BLOCKS_LEAST, _LAG_SECONDS_MAX // seconds)
        return cls(requests_per_second=requests_per_second, lag_blocks_max=lag_blocks_max)


@dataclass(frozen=True, slots=True)
class _Aside:
    fault: Fault
    reason: str
    until: float


class Standing:
    """Of one endpoint, by a monotonic clock."""

    def __init__(
        self, number: int, network: str, limits: EndpointLimits, clock: Callable[[], float]
    ) -> None:
        self.number = number
        self.is_proven = False  # whether it has ever answered
        self.height: int | None = None
        self._network = network
        self._limits = limits
        self._clock = clock
        self._told_at = 0.0
        self._failures = 0
        self._strikes = 0  # in a row
        self._well_at = 0.0  # it has to behave until then for the strikes to be forgotten
        self._aside: _Aside | None = None
        self._doubt: tuple[str, float] | None = None  # and until when it is remembered

    # Aside.

    @property
    def aside(self) -> _Aside | None:
        if self._aside is not None and self._clock() >= self._aside.until:
            self._aside = None
        return self._aside

    @property
    def is_ready(self) -> bool:
        return self.aside is None

    @property
    def is_weak(self) -> bool:
        """Whether it is aside for something that makes it a last resort, and not a liar."""
        return self.aside is not None and self.aside.fault in _WEAKNESSES

    @property
    def seconds_left(self) -> float:
        return self.aside.until - self._clock() if self.aside else 0.0

    def put_aside(self, fault: Fault, reason: str, *, seconds: float = 0.0) -> None:
        """For so many seconds at least. A lie that is known already, or a lag, counts once."""
        if self.aside is not None and (not self.is_weak or fault in ("lags", "leads")):
            return
        now = self._clock()
        if self._strikes and now >= self._well_at:
            self._strikes = 0
        doubled = self._limits.aside_seconds * 2.0 ** min(self._strikes, 30)
        seconds = max(min(doubled, self._limits.aside_seconds_max), seconds)
        self._strikes += 1
        self._failures += 1
        self._aside = _Aside(fault, reason[:_REASON_MAX], now + seconds)
        self._well_at = now + 2 * seconds
        _log.warning(
            "%s, endpoint %d: %s; set aside for %.0f s",
            self._network, self.number, self._aside.reason, seconds,
        )  # fmt: skip

    def answered(self) -> None:
        """Who failed and answers now stands ready again. It is no proof against a lag or a lie."""
        self.is_proven = True
        if self.aside is not None and self.aside.fault == "fails":
            self._aside = None

    def doubt(self, reason: str) -> None:
        """Hold something against it for a while: nobody can tell yet whether it is right."""
        if self._doubted != reason:
            _log.error("%s, endpoint %d: %s", self._network, self.number, reason)
        self._doubt = (reason, self._clock() + self._limits.told_seconds_max)

    @property
    def _doubted(self) -> str | None:
        if self._doubt is None or self._clock() >= self._doubt[1]:
            return None
        return self._doubt[0]

    # Heads.

    def spoke_of(self, height: int) -> None:
        self.height, self._told_at = height, self._clock()

    @property
    def counts(self) -> bool:
        """Whether its head was told lately, and is to be compared with others'."""
        is_fresh = self._clock() - self._told_at <= self._limits.told_seconds_max
        is_believed = self.aside is None or self.aside.fault not in _NOT_BELIEVED
        return self.height is not None and is_fresh and is_believed

    def is_behind(self, blocks: int) -> None:
        """The others by so many blocks, or not at all."""
        if blocks > self._limits.lag_blocks_max:
            self.put_aside("lags", f"its head is {blocks} blocks behind the others'")
        elif self.aside is not None and self.aside.fault == "lags":
            self._aside = None

    def is_ahead(self, blocks: int) -> None:
        """Of all others by so many blocks, or not at all."""
        if blocks > self._limits.lag_blocks_max:
            self.put_aside("leads", f"its head is {blocks} blocks ahead of all others'")
        elif self.aside is not None and self.aside.fault == "leads":
            self._aside = None

    # Telling.

    def report(self, *, in_use: bool) -> EndpointReport:
        state: EndpointState = "in use" if in_use else "standing by"
        reason = self._doubted
        if self.aside is not None:
            state, reason = "set aside", self.aside.reason
        return EndpointReport(self.number, state, self.height, self._failures, reason)
