"""The endpoints of one chain: which of them is asked, how fast, and which are set aside, and why.

The first of the networks file is preferred, the others stand by. An endpoint that fails, lags,
asks to be left alone, contradicts the others or is of another chain is set aside for a while, ever
longer when it happens again. The pool is generic in what an endpoint is and knows no protocol: an
adapter gives it its connections, and asks them through it.

A question is tried at every endpoint once. What only fails or lags is tried even while it is set
aside, after all others: a slow answer is better than none. What lied, is of another chain, or
wants to be left alone is not. No message holds a URL: endpoints are called by their number.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeAlias, TypeVar

from flamewire_ledger.chains.chain import (
    ChainUnavailable,
    EndpointReport,
    EndpointState,
    QuestionRefused,
    Throttled,
    WrongChain,
)
from flamewire_ledger.chains.pace import Pace

__all__ = ["EndpointLimits", "EndpointReport", "Endpoints", "QuestionRefused", "Throttled"]

_log = logging.getLogger(__name__)

E = TypeVar("E")
T = TypeVar("T")
# Why an endpoint is aside decides whether it is asked when nobody else answers.
_Fault: TypeAlias = Literal["fails", "lags", "throttles", "lies"]
_ASKED_AT_LAST: Final[frozenset[_Fault]] = frozenset({"fails", "lags"})
REASON_MAX: Final = 300  # characters
_LAG_SECONDS_MAX: Final = 120
_LAG_BLOCKS_LEAST: Final = 5


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

    @classmethod
    def for_blocks_of(cls, seconds: int, requests_per_second: int | None = None) -> EndpointLimits:
        """An endpoint may lag two minutes' worth of blocks, and a few however long they take."""
        lag_blocks_max = max(_LAG_BLOCKS_LEAST, _LAG_SECONDS_MAX // seconds)
        return cls(requests_per_second=requests_per_second, lag_blocks_max=lag_blocks_max)


@dataclass(slots=True)
class _Aside:
    fault: _Fault
    reason: str
    until: float


@dataclass(slots=True)
class _Place(Generic[E]):
    """One endpoint, and what is known of it."""

    number: int
    endpoint: E
    pace: Pace
    height: int | None = None
    told_at: float = 0.0
    failures: int = 0
    strikes: int = 0  # in a row: the time aside doubles with each
    well_at: float = 0.0  # it has to behave until then for the strikes to be forgotten
    is_proven: bool = False
    aside: _Aside | None = None
    doubt: _Doubt | None = None


@dataclass(frozen=True, slots=True)
class _Doubt:
    """What is held against an endpoint while nobody can tell who is right."""

    reason: str
    until: float


class Endpoints(Generic[E]):
    """A few endpoints of one chain. Use it from one event loop.

    A question is a coroutine function of one endpoint with a deadline of its own. It raises
    ChainUnavailable where another endpoint may do better, QuestionRefused where none would,
    Throttled when it is told to ask less, WrongChain when the endpoint is another chain's.
    """

    def __init__(
        self,
        endpoints: Sequence[E],
        limits: EndpointLimits | None = None,
        *,
        network: str = "chain",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`network` names the chain in what is logged; the clock is a monotonic one."""
        self._limits = limits or EndpointLimits()
        self._network = network
        self._clock = clock
        self._compared_at = clock()
        self._places = [
            _Place(
                number,
                endpoint,
                Pace(self._limits.requests_per_second, clock=clock, sleep=sleep),
            )
            for number, endpoint in enumerate(endpoints, start=1)
        ]

    def __len__(self) -> int:
        return len(self._places)

    @property
    def all(self) -> Sequence[E]:
        """The connections, in the order of the file; to close them, not to ask them."""
        return [place.endpoint for place in self._places]

    @property
    def requests_at_once_max(self) -> int | None:
        """How many questions one batch may hold so that it fits into a second; None: any number."""
        return self._limits.requests_per_second

    # Asking.

    async def ask(self, question: Callable[[E], Awaitable[T]], *, requests: int = 1) -> T:
        """The answer of the healthiest endpoint, or of the next one when it gives none.

        `requests` is what the question costs at `requests_per_second`. Raises ChainUnavailable when
        none answers; WrongChain when one is of another chain and none has ever proved to be right.
        """
        _, answer = await self.ask_whom(question, requests=requests)
        return answer

    async def ask_whom(
        self, question: Callable[[E], Awaitable[T]], *, requests: int = 1
    ) -> tuple[int, T]:
        """As `ask`, with the number of the endpoint that answered."""
        fault: ChainUnavailable | None = None
        foreign: WrongChain | None = None
        for place in self._in_order():
            try:
                return place.number, await self._ask_one(place, question, requests)
            except QuestionRefused:
                raise
            except ChainUnavailable as error:
                fault = error
            except WrongChain as error:
                foreign = error
        if foreign is not None and not any(place.is_proven for place in self._places):
            raise foreign
        raise fault or ChainUnavailable(self._why_none())

    async def ask_all(
        self,
        question: Callable[[E], Awaitable[T]],
        *,
        requests: int = 1,
        even_set_aside: bool = False,
    ) -> Sequence[tuple[int, T | ChainUnavailable]]:
        """What each endpoint answers, by number: for quorum, and for status. It never raises.

        Those that are set aside are not asked, so that what a liar says counts for nothing;
        `even_set_aside` asks them too, except who wants to be left alone.
        """

        left_out: list[tuple[int, T | ChainUnavailable]] = []
        asked: list[_Place[E]] = []
        for place in self._places:
            aside = self._aside(place)
            if aside and (aside.fault == "throttles" or not even_set_aside):
                why = ChainUnavailable(f"it is set aside: {aside.reason}")
                left_out.append((place.number, why))
            else:
                asked.append(place)
        answers = [*left_out, *await self._ask_these(asked, question, requests)]
        return sorted(answers, key=lambda each: each[0])

    async def ask_several(
        self, question: Callable[[E], Awaitable[T]], count: int, *, requests: int = 1
    ) -> Sequence[tuple[int, T]]:
        """The answers of the healthiest `count` endpoints, each with its number; of fewer when no
        more are ready, one at least. Raises as `ask` does.
        """
        ready = [place for place in self._places if self._aside(place) is None]
        answers: list[tuple[int, T]] = []
        while ready and len(answers) < count:
            some, ready = ready[: count - len(answers)], ready[count - len(answers) :]
            for number, answer in await self._ask_these(some, question, requests):
                if isinstance(answer, QuestionRefused):
                    raise answer
                if not isinstance(answer, ChainUnavailable):
                    answers.append((number, answer))
        return answers or [await self.ask_whom(question, requests=requests)]

    async def _ask_these(
        self, places: Sequence[_Place[E]], question: Callable[[E], Awaitable[T]], requests: int
    ) -> Sequence[tuple[int, T | ChainUnavailable]]:
        async def one(place: _Place[E]) -> tuple[int, T | ChainUnavailable]:
            try:
                return place.number, await self._ask_one(place, question, requests)
            except ChainUnavailable as error:
                return place.number, error
            except WrongChain as error:
                return place.number, ChainUnavailable(str(error))

        return await asyncio.gather(*(one(place) for place in places))

    async def _ask_one(
        self, place: _Place[E], question: Callable[[E], Awaitable[T]], requests: int
    ) -> T:
        await place.pace.wait(requests)
        try:
            answer = await question(place.endpoint)
        except QuestionRefused:
            raise  # it answered: that no endpoint can is not its fault
        except Throttled as error:
            seconds = min(error.retry_after_seconds or 0.0, self._limits.retry_after_seconds_max)
            self._put_aside(place, "throttles", str(error), at_least_seconds=seconds)
            raise
        except ChainUnavailable as error:
            self._put_aside(place, "fails", str(error))
            raise
        except WrongChain as error:
            self._put_aside(place, "lies", str(error))
            raise
        self._answered(place)
        return answer

    def _in_order(self) -> list[_Place[E]]:
        """Who stands ready, in the order of the file; then who is only set aside for being weak."""
        ready = [place for place in self._places if self._aside(place) is None]
        weak = [
            (aside.until, place.number, place)
            for place in self._places
            if (aside := self._aside(place)) is not None and aside.fault in _ASKED_AT_LAST
        ]
        return ready + [place for *_, place in sorted(weak, key=lambda each: each[:2])]

    def _why_none(self) -> str:
        if not self._places:
            return "no endpoint is configured"
        whys = [
            f"endpoint {place.number}: {aside.reason} (again in {aside.until - self._clock():.0f} s)"
            for place in self._places
            if (aside := self._aside(place)) is not None
        ]
        return f"every endpoint is set aside: {'; '.join(whys)}"

    # Setting aside.

    def set_aside(self, number: int, reason: str) -> None:
        """For what it said: until its time is over it is asked nothing, even when no other answers.

        The reason is logged and shown to people: no URL in it. Setting aside who is aside already
        changes nothing, so that what many questions find out at once counts once.
        """
        self._put_aside(self._places[number - 1], "lies", reason)

    def outvote(self, said: Mapping[int, Hashable], what: str) -> None:
        """Set aside who says something else than most of those who spoke, by number.

        `what` is what they spoke of: "its block 7". Where no two make up a majority nobody is set
        aside, and the reports tell that they differ.
        """
        most, count = None, 0
        for each in said.values():
            agreeing = sum(other == each for other in said.values())
            if agreeing > count:
                most, count = each, agreeing
        is_decided = count > 1 and 2 * count > len(said)
        for number, each in said.items():
            if len(said) > count and not is_decided:
                self._doubt(
                    self._places[number - 1],
                    f"{what} is not what others say, and there is no majority",
                )
            elif each != most:
                self.set_aside(number, f"{what} is not what most of the endpoints say")

    def _doubt(self, place: _Place[E], reason: str) -> None:
        if self._doubted(place) != reason:
            _log.error("%s, endpoint %d: %s", self._network, place.number, reason)
        place.doubt = _Doubt(reason, self._clock() + self._limits.told_seconds_max)

    def _doubted(self, place: _Place[E]) -> str | None:
        if place.doubt is not None and self._clock() >= place.doubt.until:
            place.doubt = None
        return place.doubt.reason if place.doubt else None

    def is_set_aside(self, number: int) -> bool:
        return self._aside(self._places[number - 1]) is not None

    def _put_aside(
        self, place: _Place[E], fault: _Fault, reason: str, *, at_least_seconds: float = 0.0
    ) -> None:
        now, before = self._clock(), self._aside(place)
        if before is not None and (before.fault not in _ASKED_AT_LAST or fault == "lags"):
            return
        if place.strikes and now >= place.well_at:
            place.strikes = 0
        doubled = self._limits.aside_seconds * 2.0 ** min(place.strikes, 30)
        seconds = max(min(doubled, self._limits.aside_seconds_max), at_least_seconds)
        place.strikes += 1
        place.failures += 1
        place.aside = _Aside(fault, reason[:REASON_MAX], now + seconds)
        place.well_at = now + 2 * seconds
        _log.warning(
            "%s, endpoint %d: %s; set aside for %.0f s",
            self._network, place.number, place.aside.reason, seconds,
        )  # fmt: skip

    def _aside(self, place: _Place[E]) -> _Aside | None:
        if place.aside is not None and self._clock() >= place.aside.until:
            place.aside = None
        return place.aside

    def _answered(self, place: _Place[E]) -> None:
        """Who failed and answers now stands ready again, unless it answers too late a head."""
        place.is_proven = True
        if place.aside is not None and place.aside.fault == "fails":
            place.aside = None

    # Heads.

    def spoke_of(self, number: int, height: int) -> None:
        """What an endpoint said its head is. One far behind the others is set aside until it is not.

        Where three or more have spoken lately, the second highest counts: one that speaks of blocks
        nobody else has does not make laggards of all others, and is itself set aside.
        """
        now = self._clock()
        spoken = self._places[number - 1]
        spoken.height, spoken.told_at = height, now
        fresh = [
            place
            for place in self._places
            if place.height is not None
            and now - place.told_at <= self._limits.told_seconds_max
            and not (place.aside is not None and place.aside.fault == "lies")
        ]
        heights = sorted(place.height or 0 for place in fresh)
        if len(heights) < 2:
            return
        best = heights[-2] if len(heights) > 2 else heights[-1]
        for place in fresh:
            self._judge(place, (place.height or 0) - best)

    def _judge(self, place: _Place[E], ahead: int) -> None:
        if ahead < -self._limits.lag_blocks_max:
            self._put_aside(place, "lags", f"its head is {-ahead} blocks behind the others'")
        elif ahead > self._limits.lag_blocks_max:
            self._put_aside(place, "lags", f"its head is {ahead} blocks ahead of all others'")
        elif place.aside is not None and place.aside.fault == "lags":
            place.aside = None

    @property
    def is_comparison_due(self) -> bool:
        """Whether all of several endpoints should be asked for their heads again."""
        is_due = self._clock() - self._compared_at >= self._limits.compare_seconds
        return len(self._places) > 1 and is_due

    def compared(self) -> None:
        """All have been asked: the next time is some seconds away."""
        self._compared_at = self._clock()

    # Telling.

    def reports(self) -> Sequence[EndpointReport]:
        """What is known of each, in the order of the file. Nobody is asked."""
        ready = [place.number for place in self._places if self._aside(place) is None]
        return [self._report(place, in_use=place.number == min(ready, default=0))
                for place in self._places]  # fmt: skip

    def _report(self, place: _Place[E], *, in_use: bool) -> EndpointReport:
        state: EndpointState = "in use" if in_use else "standing by"
        if place.aside is None:
            return EndpointReport(
                place.number, state, place.height, place.failures, self._doubted(place)
            )
        reason = place.aside.reason
        return EndpointReport(place.number, "set aside", place.height, place.failures, reason)
