"""What a thing cost: a sample now and then, and what was odd about it. The history of prices is made of these.

A sample is what enough sources agreed on, in US dollars. How often one is taken is decided here, so
that it is bounded whoever asks, and however often.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Final, Literal, TypeAlias, assert_never

from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.rejection import Malformed

SAMPLES_MAX: Final = 1_000  # in one fact
RANGES_MAX: Final = 64  # of the past that were filled in apart from each other
SOURCES_MAX: Final = 32
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLION: Final = 1_000_000


def price_id(symbol: str, *, livemode: bool) -> str:
    """The stream of a thing's price: sandbox prices are others than real ones."""
    return derived_id("px", _EPOCH, "live" if livemode else "test", symbol)


def owner_id(*, livemode: bool) -> str:
    """Whose streams prices are in: the ledger's own, and no merchant's."""
    return derived_id("mer", _EPOCH, "prices", "live" if livemode else "test")


# Facts.


@dataclass(frozen=True, slots=True)
class SourceSaid:
    """What one source said at that time: dollars, or why it did not count."""

    source: str
    dollars: Decimal | None
    dropped: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    dollars: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class PriceRecorded:
    type: ClassVar = "price.recorded.v1"
    price_id: str
    symbol: str
    dollars: Decimal
    sources: tuple[str, ...]  # those that counted
    at: datetime


@dataclass(frozen=True, slots=True)
class PricesBackfilled:
    """Prices from before anybody took samples here, by the word of one source."""

    type: ClassVar = "price.backfilled.v1"
    price_id: str
    symbol: str
    source: str
    samples: tuple[Sample, ...]  # oldest first
    covers_from: datetime
    covers_to: datetime


@dataclass(frozen=True, slots=True)
class PriceDeviationDetected:
    """`apart`: the sources are further from each other than they should be; said once until they are
    not. `moved`: the price is further from the last sample than it should be."""

    type: ClassVar = "price.deviation_detected.v1"
    price_id: str
    symbol: str
    kind: Literal["apart", "moved"]
    deviation_ppm: int
    deviation_ppm_max: int
    said: tuple[SourceSaid, ...]
    since: datetime | None  # of the last sample, for `moved`
    at: datetime


@dataclass(frozen=True, slots=True)
class PriceDeviationEnded:
    """The sources are near each other again."""

    type: ClassVar = "price.deviation_ended.v1"
    price_id: str
    symbol: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PriceSourceWentStale:
    """A source has said nothing that counts for a while."""

    type: ClassVar = "price.source_went_stale.v1"
    price_id: str
    symbol: str
    source: str
    reason: str
    since: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class PriceSourceReturned:
    type: ClassVar = "price.source_returned.v1"
    price_id: str
    symbol: str
    source: str
    at: datetime


PriceEvent: TypeAlias = (
    PriceRecorded
    | PricesBackfilled
    | PriceDeviationDetected
    | PriceDeviationEnded
    | PriceSourceWentStale
    | PriceSourceReturned
)

# State.


@dataclass(frozen=True, slots=True)
class Price:
    first_at: datetime | None = None  # of the samples taken here
    last: Sample | None = None
    covered: tuple[tuple[datetime, datetime], ...] = ()  # of the past, in order and apart
    is_apart: bool = False
    stale_sources: frozenset[str] = field(default_factory=frozenset)


def evolve(price: Price | None, event: PriceEvent) -> Price:
    """Fold one fact into the state."""
    price = price or Price()
    match event:
        case PriceRecorded():
            first_at = price.first_at or event.at
            return replace(price, first_at=first_at, last=Sample(event.dollars, event.at))
        case PricesBackfilled():
            added = (event.covers_from, event.covers_to)
            return replace(price, covered=_joined((*price.covered, added)))
        case PriceDeviationDetected():
            return replace(price, is_apart=price.is_apart or event.kind == "apart")
        case PriceDeviationEnded():
            return replace(price, is_apart=False)
        case PriceSourceWentStale():
            return replace(price, stale_sources=price.stale_sources | {event.source})
        case PriceSourceReturned():
            return replace(price, stale_sources=price.stale_sources - {event.source})
        case _:
            assert_never(event)


def _joined(
    ranges: Iterable[tuple[datetime, datetime]],
) -> tuple[tuple[datetime, datetime], ...]:
    joined: list[tuple[datetime, datetime]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


# Commands.


@dataclass(frozen=True, slots=True)
class Sampling:
    """How often a sample is taken, and from when on something is odd."""

    sample_seconds_min: int = 60
    unchanged_seconds: int = 900  # between samples of a price that does not move
    apart_ppm_max: int = 50_000  # 5 %
    moved_ppm_max: int = 100_000  # 10 % since the last sample
    silent_seconds_max: int = 300

    def __post_init__(self) -> None:
        if not 0 < self.sample_seconds_min <= self.unchanged_seconds:
            raise ValueError(
                "a price that does not move is sampled no more often than one that does"
            )


@dataclass(frozen=True, slots=True)
class SilentSource:
    source: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ObservePrice:
    """What the sources say now. `dollars` is None when they do not agree on a price."""

    price_id: str
    symbol: str
    dollars: Decimal | None
    said: tuple[SourceSaid, ...]
    silent: tuple[SilentSource, ...]  # whoever does not count at present, and since when
    at: datetime
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class BackfillPrices:
    """Prices of the past, by the word of one source, oldest first. `covers_from`: what goes on where
    another part ended leaves no gap between the two."""

    price_id: str
    symbol: str
    source: str
    samples: tuple[Sample, ...]
    covers_from: datetime | None = None


PriceCommand: TypeAlias = ObservePrice | BackfillPrices
Facts = tuple[PriceEvent, ...]


def decide(price: Price | None, command: PriceCommand) -> Facts:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    price = price or Price()
    match command:
        case ObservePrice():
            return (
                *_sampled(price, command),
                *_apart(price, command),
                *_sources(price, command),
            )
        case BackfillPrices():
            return _backfilled(price, command)
        case _:
            assert_never(command)


def _sampled(price: Price, command: ObservePrice) -> Facts:
    dollars, last = command.dollars, price.last
    if dollars is None:
        return ()
    sampling = command.sampling
    if last is not None:
        unchanged = dollars == last.dollars
        seconds = sampling.unchanged_seconds if unchanged else sampling.sample_seconds_min
        if command.at - last.at < timedelta(seconds=seconds):
            return ()
    counted = tuple(each.source for each in command.said if each.dropped is None)
    recorded = PriceRecorded(command.price_id, command.symbol, dollars, counted, command.at)
    if last is None:
        return (recorded,)
    moved_ppm = int(abs(dollars - last.dollars) * _MILLION / last.dollars)
    if moved_ppm <= sampling.moved_ppm_max:
        return (recorded,)
    return recorded, _deviation(command, "moved", moved_ppm, sampling.moved_ppm_max, last.at)


def _apart(price: Price, command: ObservePrice) -> Facts:
    named = [each.dollars for each in command.said if each.dollars is not None]
    if len(named) < 2:
        return ()
    apart_ppm = int((max(named) - min(named)) * _MILLION / min(named))
    ppm_max = command.sampling.apart_ppm_max
    if apart_ppm > ppm_max:
        return () if price.is_apart else (_deviation(command, "apart", apart_ppm, ppm_max, None),)
    if price.is_apart:
        return (PriceDeviationEnded(command.price_id, command.symbol, command.at),)
    return ()


def _deviation(
    command: ObservePrice,
    kind: Literal["apart", "moved"],
    deviation_ppm: int,
    deviation_ppm_max: int,
    since: datetime | None,
) -> PriceDeviationDetected:
    return PriceDeviationDetected(
        price_id=command.price_id,
        symbol=command.symbol,
        kind=kind,
        deviation_ppm=deviation_ppm,
        deviation_ppm_max=deviation_ppm_max,
        said=command.said,
        since=since,
        at=command.at,
    )


def _sources(price: Price, command: ObservePrice) -> Facts:
    """Who went silent, and who came back. Each is said once."""
    limit = timedelta(seconds=command.sampling.silent_seconds_max)
    events: list[PriceEvent] = [
        PriceSourceWentStale(
            price_id=command.price_id,
            symbol=command.symbol,
            source=each.source,
            reason=each.reason,
            since=each.since,
            at=command.at,
        )
        for each in command.silent[:SOURCES_MAX]
        if each.source not in price.stale_sources and command.at - each.since >= limit
    ]
    heard = {each.source for each in command.said if each.dropped is None}
    events += [
        PriceSourceReturned(command.price_id, command.symbol, source, command.at)
        for source in sorted(price.stale_sources & heard)
    ]
    return tuple(events)


def _backfilled(price: Price, command: BackfillPrices) -> Facts:
    """Only what is not covered yet, and lies before the first sample that was taken here."""
    if len(command.samples) > SAMPLES_MAX:
        raise Malformed(f"at most {SAMPLES_MAX} prices are filled in at once")
    if any(sample.dollars <= 0 for sample in command.samples):
        raise Malformed("a price is above zero")
    ordered = sorted(command.samples, key=lambda sample: sample.at)
    samples = [sample for sample in ordered if _is_missing(price, sample.at)]
    if not samples:
        return ()
    if len(price.covered) >= RANGES_MAX:
        raise Malformed(
            "the past was filled in by too many parts that do not touch: fill it in whole"
        )
    return (
        PricesBackfilled(
            price_id=command.price_id,
            symbol=command.symbol,
            source=command.source,
            samples=tuple(samples),
            covers_from=command.covers_from or ordered[0].at,
            covers_to=samples[-1].at,
        ),
    )


def _is_missing(price: Price, at: datetime) -> bool:
    if price.first_at is not None and at >= price.first_at:
        return False
    return not any(start <= at <= end for start, end in price.covered)
