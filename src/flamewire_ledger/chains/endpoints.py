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
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flamewire_ledger.chains.chain import (
    ChainUnavailable,
    EndpointReport,
    QuestionRefused,
    Throttled,
    WrongChain,
)
from flamewire_ledger.chains.pace import Pace
from flamewire_ledger.chains.standing import EndpointLimits, Standing

__all__ = ["EndpointLimits", "EndpointReport", "Endpoints", "QuestionRefused", "Throttled"]

E = TypeVar("E")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Place(Generic[E]):
    """One endpoint, with what is known of it."""

    endpoint: E
    pace: Pace
    standing: Standing

    @property
    def number(self) -> int:
        return self.standing.number


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
        self._clock = clock
        self._compared_at = clock()
        self._places = [
            _Place(
                endpoint,
                Pace(self._limits.requests_per_second, clock=clock, sleep=sleep),
                Standing(number, network, self._limits, clock),
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
    def limits(self) -> EndpointLimits:
        return self._limits

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
                foreign = error  # it is aside for that, and others may be right
        self._refuse_the_wrong_chain(foreign)
        raise fault or ChainUnavailable(self._why_none())

    async def ask_leader(
        self, question: Callable[[E], Awaitable[T]], height_of: Callable[[T], int]
    ) -> tuple[int, T]:
        """As `ask_whom`, of an endpoint that does not lag, if there is one. The answer tells its head."""
        number, answer = await self.ask_whom(question)
        for _ in self._places:
            self.spoke_of(number, height_of(answer))
            if not self.is_set_aside(number):
                break
            number, answer = await self.ask_whom(question)
        return number, answer

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
            aside = place.standing.aside
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
        ready = [place for place in self._places if place.standing.is_ready]
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
            place.standing.put_aside("throttles", str(error), seconds=seconds)
            raise
        except ChainUnavailable as error:
            place.standing.put_aside("fails", str(error))
            raise
        except WrongChain as error:
            place.standing.put_aside("is foreign", str(error))
            raise
        place.standing.answered()
        return answer

    def _in_order(self) -> list[_Place[E]]:
        """Who stands ready, in the order of the file; then who is only set aside for being weak."""
        ready = [place for place in self._places if place.standing.is_ready]
        weak = [place for place in self._places if place.standing.is_weak]
        return ready + sorted(weak, key=lambda place: place.standing.seconds_left)

    def _refuse_the_wrong_chain(self, foreign: WrongChain | None) -> None:
        """Where none has ever proved to be right, one of another chain is a mistake in the file."""
        if any(place.standing.is_proven for place in self._places):
            return
        if foreign is not None:
            raise foreign
        for place in self._places:
            aside = place.standing.aside
            if aside is not None and aside.fault == "is foreign":
                raise WrongChain(aside.reason)

    def _why_none(self) -> str:
        if not self._places:
            return "no endpoint is configured"
        whys = [
            f"endpoint {place.number}: {aside.reason} (again in {place.standing.seconds_left:.0f} s)"
            for place in self._places
            if (aside := place.standing.aside) is not None
        ]
        return f"every endpoint is set aside: {'; '.join(whys)}"

    # Setting aside.

    def set_aside(self, number: int, reason: str) -> None:
        """For what it said: until its time is over it is asked nothing, even when no other answers.

        The reason is logged and shown to people: no URL in it. Setting aside who is aside already
        changes nothing, so that what many questions find out at once counts once.
        """
        self._standing(number).put_aside("lies", reason)

    def is_set_aside(self, number: int) -> bool:
        return not self._standing(number).is_ready

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
                self._standing(number).doubt(
                    f"{what} is not what others say, and there is no majority"
                )
            elif each != most:
                self.set_aside(number, f"{what} is not what most of the endpoints say")

    def _standing(self, number: int) -> Standing:
        return self._places[number - 1].standing

    # Heads.

    def spoke_of(self, number: int, height: int) -> None:
        """What an endpoint said its head is. One far behind the others is set aside until it is not.

        Only the one that spoke is judged: the others' heads have grown since they were told.
        """
        self._standing(number).spoke_of(height)
        self._standing(number).is_behind(self._told_lately() - height)

    def spoke_together(self, heights: Mapping[int, int]) -> None:
        """The same of several that were asked at one time, by number.

        Where three or more spoke, one that tells of blocks nobody else has is set aside as well.
        """
        for number, height in heights.items():
            self._standing(number).spoke_of(height)
        if len(heights) > 2:
            *_, second, highest = sorted(heights.values())
            for number, height in heights.items():
                self._standing(number).is_ahead(highest - second if height == highest else 0)
        for number, height in heights.items():
            self._standing(number).is_behind(self._told_lately() - height)

    def _told_lately(self) -> int:
        """The head by the word of two, where three or more have spoken lately; else the highest."""
        telling = sorted(
            place.standing.height or 0 for place in self._places if place.standing.counts
        )
        return telling[-2 if len(telling) > 2 else -1] if telling else 0

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
        ready = [place.number for place in self._places if place.standing.is_ready]
        in_use = min(ready, default=None)
        return [place.standing.report(in_use=place.number == in_use) for place in self._places]
