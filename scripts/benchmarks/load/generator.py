"""The generator: sends what is due when it is due, and writes down every answer.

Open loop, requests are due by the schedule alone: a ledger that stands still for a second is late for
everything that was due in that second, and not only for the few requests that were on their way
(coordinated omission). A request waits for a free connection, and its waiting counts. Closed loop,
every connection sends again as soon as it was answered: the largest figure there is.

A request without an answer, or with one that says nothing was done, is sent again with the same
idempotency key, until it is acknowledged or its tries are used up.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import deque
from collections.abc import Callable
from typing import Final

from scripts.benchmarks.load.commands import (
    Commands,
    Refused,
    TryAgain,
    WrongAnswer,
    commands_of,
)
from scripts.benchmarks.load.connection import Connection, connect
from scripts.benchmarks.load.plan import Plan, Result

_TICK_SECONDS: Final = 0.001
_LOOK_SECONDS: Final = 0.5


class Request:
    """One request on its way to its answer."""

    __slots__ = ("due", "number", "tries")

    def __init__(self, number: int, due: float) -> None:
        self.number = number
        self.due = due
        self.tries = 0


class Generator:
    """Runs one plan. `notify` is told the phase and the commands acknowledged so far, twice a second."""

    def __init__(self, plan: Plan, notify: Callable[[str, int], None] = lambda *_: None) -> None:
        self._plan = plan
        self._commands: Commands = commands_of(plan)
        self._notify = notify
        self._loop = asyncio.get_running_loop()
        # The loop's own clock counts whole milliseconds; it has the same origin.
        self._to_epoch = time.time() - time.monotonic()
        self._idle: list[Connection] = []
        self._under_way: dict[Connection, Request] = {}
        self._due: deque[Request] = deque()
        self._again: deque[Request] = deque()  # sent before; they go first
        self._pausing = 0  # requests that wait a moment before they are sent again
        self._opening: set[asyncio.Task[None]] = set()
        self._phase = "connecting"
        self._scheduled = 0
        self._is_paused = False
        self._is_over = False  # nothing new is sent
        self._is_closed = False
        self._fault: Exception | None = None
        self._stopped = asyncio.Event()
        self._requests, self._positions = array("q"), array("q")
        self._answered_at, self._latencies = array("d"), array("d")
        self._ids: list[str] = []
        self._dropped = self._resent = self._lost = self._replayed = self._peak = 0
        self._abandoned: list[int] = []
        self._refused: dict[str, int] = {}
        self._refusal: str | None = None

    def pause(self, paused: bool) -> None:
        """Closed loop only: send nothing until told otherwise. What was acknowledged stays so."""
        self._is_paused = paused
        self._send_waiting()

    def stop(self) -> None:
        """End before the time is up."""
        self._stopped.set()

    async def run(self) -> Result:
        """All of it; raises WrongAnswer, or OSError when there is nobody to connect to."""
        plan = self._plan
        await self._open_all()
        began = time.monotonic()
        looking = asyncio.create_task(self._look())
        if plan.requests_per_second is not None:
            self._schedule(began, plan.requests_per_second)
        try:
            self._send_waiting()
            self._phase = "warming up"
            await self._wait(began + plan.warm_up_seconds)
            self._phase, measured_from, cpu = "measuring", time.monotonic(), time.process_time()
            self._notify(self._phase, len(self._positions))
            await self._wait(measured_from + plan.seconds)
            measured_to = time.monotonic()
            self._phase = "draining"
            self._notify(self._phase, len(self._positions))
            await self._end()
            return self._result(measured_from, measured_to, time.process_time() - cpu)
        finally:
            self._is_closed = True
            for task in (looking, *self._opening):
                task.cancel()
            for connection in [*self._idle, *self._under_way]:
                connection.close()

    async def _wait(self, until: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                await self._stopped.wait()
        except TimeoutError:
            pass
        if self._fault is not None:
            raise self._fault

    async def _end(self) -> None:
        """No more is due; what is on its way is given the time to come back."""
        self._is_over = True
        until = time.monotonic() + self._plan.drain_seconds
        while (self._under_way or self._again or self._pausing) and time.monotonic() < until:
            if self._fault is not None:
                raise self._fault
            self._send_waiting()
            await asyncio.sleep(0.005)
        self._abandoned += [request.number for request in self._under_way.values()]
        self._abandoned += [request.number for request in self._again]
        if self._fault is not None:
            raise self._fault

    def _result(self, began: float, ended: float, cpu: float) -> Result:
        return Result(
            plan=self._plan,
            requests=self._requests.tobytes(),
            positions=self._positions.tobytes(),
            answered_at=self._answered_at.tobytes(),
            latencies=self._latencies.tobytes(),
            ids=self._ids,
            began_at=began + self._to_epoch,
            ended_at=ended + self._to_epoch,
            due_requests=self._scheduled,
            unsent_waits=[ended - request.due for request in self._due],
            dropped_requests=self._dropped,
            abandoned=self._abandoned,
            resent_requests=self._resent,
            lost_connections=self._lost,
            replayed=self._replayed,
            refused=self._refused,
            refusal=self._refusal,
            cpu_seconds=cpu,
            peak_in_flight=self._peak,
        )

    # What is due

    def _schedule(self, began: float, rate: float) -> None:
        """Put into line what has become due since the last look; late looks lose nothing."""
        if self._is_over:
            return
        due = int((time.monotonic() - began) * rate) + 1
        for number in range(self._scheduled, due):
            if len(self._due) < self._plan.backlog_requests_max:
                self._due.append(Request(number, began + number / rate))
            else:
                self._dropped += 1
        self._scheduled = due
        self._send_waiting()
        next_due = began + due / rate
        seconds = max(_TICK_SECONDS, next_due - time.monotonic())
        self._loop.call_later(seconds, self._schedule, began, rate)

    def _next(self) -> Request | None:
        if self._again:
            return self._again.popleft()
        if self._is_over or self._is_paused or self._fault is not None:
            return None
        if self._plan.requests_per_second is not None:
            return self._due.popleft() if self._due else None
        request = Request(self._scheduled, time.monotonic())
        self._scheduled += 1
        return request

    def _send_waiting(self) -> None:
        while self._idle and (request := self._next()) is not None:
            self._send(self._idle.pop(), request)

    def _send(self, connection: Connection, request: Request) -> None:
        self._under_way[connection] = request
        self._peak = max(self._peak, len(self._under_way))
        request.tries += 1
        connection.send(self._commands.request(request.number), time.monotonic())

    # What comes back

    def answered(self, connection: Connection, status: int, head: bytes, body: bytes) -> None:
        now = time.monotonic()
        request = self._under_way.pop(connection)
        try:
            answer = self._commands.answer(request.number, status, head, body)
        except TryAgain:
            self._try_again(request)
        except Refused as refusal:
            self._refused[refusal.code] = self._refused.get(refusal.code, 0) + 1
            self._refusal = self._refusal or f"{refusal.code}: {refusal}"
        except (WrongAnswer, ValueError) as error:
            self._fail(error)
        else:
            self._requests.append(request.number)
            self._positions.extend(answer.positions)
            self._ids += answer.ids
            self._answered_at.append(now + self._to_epoch)
            self._latencies.append(now - request.due)
            self._replayed += answer.replayed
        self._idle.append(connection)
        self._send_waiting()

    def lost(self, connection: Connection) -> None:
        if self._is_closed:
            return
        self._lost += 1
        if connection in self._idle:
            self._idle.remove(connection)
        request = self._under_way.pop(connection, None)
        if request is not None:
            self._try_again(request)
        addresses = self._plan.addresses
        task = asyncio.create_task(self._open_again(addresses[self._lost % len(addresses)]))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def garbled(self, error: ValueError) -> None:
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._fault = self._fault or error
        self._stopped.set()

    def _try_again(self, request: Request) -> None:
        if request.tries >= self._plan.tries_max:
            self._abandoned.append(request.number)
            return
        self._resent += 1
        self._pausing += 1

        def again() -> None:
            self._pausing -= 1
            self._again.append(request)
            self._send_waiting()

        self._loop.call_later(self._plan.retry_pause_seconds, again)

    # Connections

    async def _open_all(self) -> None:
        plan = self._plan
        for number in range(plan.connections):
            self._idle.append(await connect(plan.addresses[number % len(plan.addresses)], self))

    async def _open_again(self, address: tuple[str, int]) -> None:
        """Until somebody listens there again, or the run is over."""
        while not self._is_closed:
            try:
                connection = await connect(address, self)
            except OSError:
                await asyncio.sleep(self._plan.retry_pause_seconds)
                continue
            self._idle.append(connection)
            self._send_waiting()
            return

    async def _look(self) -> None:
        """Tell how far it is, and give up connections that do not answer."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._notify(self._phase, len(self._positions))
            oldest = time.monotonic() - self._plan.answer_seconds_max
            for connection in [it for it in self._under_way if it.sent_at < oldest]:
                connection.close()
