"""Running roles: one process may be several of them (`flamewire up`) or one (`flamewire serve`).

Each role is a coroutine that runs until it is cancelled. They stop in order: first nobody is let in
any more, then the readers of the log, then the writer, which finishes what it was given.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import structlog

from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.processes.assignment import Assignment
from flamewire_ledger.processes.checkpoint import PostgresCheckpoints, PostgresDeadLetters
from flamewire_ledger.processes.deadlines import Clock, Deadlines
from flamewire_ledger.processes.dunning import Dunning
from flamewire_ledger.processes.entitling import Entitling
from flamewire_ledger.processes.invoice_payments import InvoicePayments
from flamewire_ledger.processes.process import Process
from flamewire_ledger.processes.reaction import Reactions
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.processes.recognition import Recognition
from flamewire_ledger.processes.renewals import Renewals
from flamewire_ledger.processes.reversal import Reversal
from flamewire_ledger.processes.search import PostgresSearch
from flamewire_ledger.processes.settlement import Settlement
from flamewire_ledger.processes.subscribing import SubscriptionBilling
from flamewire_ledger.processes.topping_up import ToppingUp
from flamewire_ledger.projector.connections import write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.queries.metered_usage import MeteredUsage
from flamewire_ledger.store.segments import keep_room_ahead
from flamewire_ledger.store.shares import PostgresShares, Shares
from flamewire_ledger.wiring.chain_reports import measure_chains
from flamewire_ledger.wiring.health import Health, is_chain
from flamewire_ledger.wiring.ledger import Ledger
from flamewire_ledger.wiring.mail import senders
from flamewire_ledger.wiring.price_recording import recordings
from flamewire_ledger.wiring.status import Status, serve_status
from flamewire_ledger.wiring.unclaimed import UnclaimedCount
from flamewire_ledger.wiring.usage import finish_usage, usage_recorder
from flamewire_ledger.wiring.watchers import chain_meters, followers
from flamewire_ledger.wiring.webhooks import send_webhooks

if TYPE_CHECKING:
    from flamewire_ledger.relay.consumer import Consumer

_log = structlog.get_logger(__name__)
Role: TypeAlias = Literal["api", "relay", "projector", "reactor", "watcher"]
_READY_LOOK_SECONDS: Final = 0.02
_CHAINS_WAIT_SECONDS: Final = 5
_DRAIN_SECONDS: Final = 10
# A second lane stages a batch for itself once more: with no core to spare it only takes from the first.
_LANES: Final = 2 if (os.cpu_count() or 1) > 2 else 1


async def run_roles(
    ledger: Ledger,
    roles: Sequence[Role],
    *,
    listener: socket.socket | None,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
    health: Health | None = None,
    status_listener: socket.socket | None = None,
) -> None:
    """Run these roles until `stop` is set; `on_ready` is called once, when all of them are up.

    A role that fails for good takes the others along: half a ledger would look like a whole one.
    `listener` is the API's socket, `status_listener` that of the status port, where there is one.
    """
    # What was imported stays; events and states die young. With Python's own thresholds the
    # collector takes more than half of the time of deciding.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    health = health or Health(ledger)
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(ledger.writing())
        tasks = await stack.enter_async_context(_cancelled_in_the_end())
        # Whoever appends also sees that there is room for what comes.
        room = keep_room_ahead(ledger.connections)
        tasks.append(asyncio.create_task(room, name="room ahead"))
        if ledger.settings.sandbox:
            tasks.append(asyncio.create_task(ledger.sandbox_clock.run(), name="sandbox clock"))
        if "projector" in roles:
            await _start_projector(ledger, health, stack, tasks)
        if "reactor" in roles:
            _start_reactor(ledger, writer, health, tasks)
            shares = _shares(ledger, "webhooks", tasks)
            tasks.append(
                asyncio.create_task(send_webhooks(ledger, writer, shares), name="webhooks")
            )
            for sender in senders(ledger, writer):
                tasks.append(asyncio.create_task(sender.run(), name="invoices"))
        if "watcher" in roles:
            unclaimed = UnclaimedCount(ledger.reads, ledger.meters)
            health.watch_unclaimed(lambda: unclaimed.by_chain)
            tasks.append(asyncio.create_task(unclaimed.run(), name="unclaimed transfers"))
            watchers = followers(ledger, writer, health)
            for watcher in watchers:
                tasks.append(asyncio.create_task(watcher.run(), name="watcher"))
            measuring = measure_chains(chain_meters(ledger, watchers))
            tasks.append(asyncio.create_task(measuring, name="chain meters"))
        if "relay" in roles and ledger.settings.amqp_url is not None:
            _start_relay(ledger, health, stack, tasks)
        if "api" in roles:
            assert listener is not None, "the API has a socket"
            for recorder in recordings(ledger, writer):
                tasks.append(asyncio.create_task(recorder.run(), name="prices"))
            await stack.enter_async_context(_serving(ledger, writer, health, listener, tasks))
        if status_listener is not None:
            serving = serve_status(Status(health, ledger.meters), status_listener)
            tasks.append(asyncio.create_task(serving, name="status"))
        await _until(stop, health, tasks, on_ready)


@asynccontextmanager
async def _cancelled_in_the_end() -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks: list[asyncio.Task[None]] = []
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until(
    stop: asyncio.Event,
    health: Health,
    tasks: Sequence[asyncio.Task[None]],
    on_ready: Callable[[], None],
) -> None:
    stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    announcing = asyncio.create_task(_announce(health, on_ready))
    try:
        watched: set[asyncio.Task[Any]] = {stopping, *tasks}
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.cancelled():  # nobody here asked for it
                raise RuntimeError(f"{task.get_name()} was cancelled from within")
            if task.done() and (error := task.exception()) is not None:
                raise error
    finally:
        stopping.cancel()
        announcing.cancel()


async def _announce(health: Health, on_ready: Callable[[], None]) -> None:
    """Say so when everything is up. A chain whose node is down is given some time, and then up to
    itself: all the rest works without it.
    """
    loop = asyncio.get_running_loop()
    chains_until = loop.time() + _CHAINS_WAIT_SECONDS
    # The roles come up by themselves, some of them in other processes: there is nothing to wait on.
    while missing := [it.name for it in await health.own_checks() if not it.is_ready]:
        if loop.time() > chains_until and all(is_chain(name) for name in missing):
            _log.warning("waiting_for_networks", checks=missing)
            break
        await asyncio.sleep(_READY_LOOK_SECONDS)
    on_ready()


async def _start_projector(
    ledger: Ledger, health: Health, stack: AsyncExitStack, tasks: list[asyncio.Task[None]]
) -> None:
    pool = write_pool(ledger.database_url)
    await pool.open()
    stack.push_async_callback(pool.close)
    shares = _shares(ledger, "projector", tasks)
    projector = Projector(
        pool,
        ledger.store,
        ledger.catalog,
        _consumer(ledger, "projector", shares, tasks),
        lanes=_LANES,
        shares=shares,
        meter=ledger.meters,
        now=ledger.clock.now,
    )
    health.watch_projector(projector)
    tasks.append(asyncio.create_task(projector.run(), name="projector"))


def processes() -> tuple[Process, ...]:
    """Every process of the ledger."""
    return (
        Settlement(),
        Recognition(),
        Reversal(),
        Assignment(),
        InvoicePayments(),
        SubscriptionBilling(),
        Dunning(),
        Entitling(),
    )


def _start_reactor(
    ledger: Ledger, writer: Writer, health: Health, tasks: list[asyncio.Task[None]]
) -> None:
    shares = _shares(ledger, "reactor", tasks)
    reactor = make_reactor(ledger, writer, shares)
    clocks: dict[bool, Clock] = {it: ledger.clock_of(livemode=it) for it in (True, False)}
    deadlines = Deadlines(
        ledger.reads,
        writer,
        clocks,
        recorded=lambda: [reactor.position(each) for each in range(ledger.store.partitions)],
        meter=ledger.meters,
    )
    source = _consumer(ledger, "reactor", shares, tasks)
    tasks.append(asyncio.create_task(reactor.run(source), name="reactor"))
    tasks.append(asyncio.create_task(deadlines.run(), name="deadlines"))
    usage = MeteredUsage(ledger.reads, ledger.store)
    renewals = Renewals(
        ledger.reads, usage, ledger.store, ledger.codec, writer, clocks, meter=ledger.meters
    )
    tasks.append(asyncio.create_task(renewals.run(), name="renewals"))
    topping_up = _topping_up(ledger, writer, health, clocks)
    tasks.append(asyncio.create_task(topping_up.run(), name="top-ups"))
    finishing = finish_usage(usage_recorder(ledger, writer))
    tasks.append(asyncio.create_task(finishing, name="usage"))
    health.watch_reactor(reactor)


def _topping_up(
    ledger: Ledger, writer: Writer, health: Health, clocks: Mapping[bool, Clock]
) -> ToppingUp:
    from flamewire_ledger.wiring.api_parts import api_parts  # here, as for the API itself
    from flamewire_ledger.wiring.topping_up import ApiIntents

    intents = ApiIntents(api_parts(ledger, writer, health))
    return ToppingUp(ledger.reads, writer, intents, clocks, meter=ledger.meters)


def make_reactor(ledger: Ledger, writer: Writer, shares: Shares | None = None) -> Reactor:
    """The reactor over this ledger's store; its writer has to run."""
    return Reactor(
        ledger.store,
        Reactions(ledger.store, ledger.codec, writer),
        processes(),
        PostgresCheckpoints(ledger.connections),
        PostgresDeadLetters(ledger.connections),
        search=PostgresSearch(ledger.connections, ledger.store),
        shares=shares,
        meter=ledger.meters,
    )


def _shares(ledger: Ledger, group: str, tasks: list[asyncio.Task[None]]) -> Shares:
    """This process's part of the partitions among all processes of the group."""
    shares = PostgresShares(ledger.connections, group, ledger.store.partitions)
    tasks.append(asyncio.create_task(shares.run(), name=f"{group} shares"))
    return shares


def _consumer(
    ledger: Ledger, group: str, shares: Shares, tasks: list[asyncio.Task[None]]
) -> Consumer | None:
    """The news from RabbitMQ; None where there is no broker, and the store is tailed."""
    amqp_url = ledger.settings.amqp_url
    if amqp_url is None:
        return None
    from flamewire_ledger.relay.consumer import Consumer  # who has no broker needs no client of it

    consumer = Consumer(
        amqp_url.get_secret_value(),
        group,
        ledger.store.partitions,
        prefix=ledger.settings.amqp_prefix,
        # The reactor looks in the store for what little it needs, the projector's database is
        # beside the log.
        reads_events=False,
        shares=shares,
        meter=ledger.meters,
    )
    tasks.append(asyncio.create_task(consumer.run(), name=f"{group} consumer"))
    return consumer


def _start_relay(
    ledger: Ledger, health: Health, stack: AsyncExitStack, tasks: list[asyncio.Task[None]]
) -> None:
    amqp_url = ledger.settings.amqp_url
    assert amqp_url is not None
    from flamewire_ledger.relay.rabbitmq import RabbitPublisher
    from flamewire_ledger.relay.tail import Relay
    from flamewire_ledger.relay.turns import PostgresTurns

    publisher = RabbitPublisher(
        amqp_url.get_secret_value(), ledger.store.partitions, prefix=ledger.settings.amqp_prefix
    )
    stack.push_async_callback(publisher.close)
    relay = Relay(
        ledger.store,
        publisher,
        PostgresTurns(ledger.connections),
        shares=_shares(ledger, "relay", tasks),
        meter=ledger.meters,
    )
    health.watch_relay()
    tasks.append(asyncio.create_task(relay.run(), name="relay"))


@asynccontextmanager
async def _serving(
    ledger: Ledger,
    writer: Writer,
    health: Health,
    listener: socket.socket,
    tasks: list[asyncio.Task[None]],
) -> AsyncIterator[None]:
    """Answer requests; in the end let the ones in flight finish."""
    import uvicorn  # here, so that the other roles start without it

    from flamewire_ledger.api.app import create_app
    from flamewire_ledger.wiring.api_parts import api_parts

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # signals are the command's, which stops everything in order

    server = Server(
        uvicorn.Config(
            create_app(api_parts(ledger, writer, health)),
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nobody asks where a request came from
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    )
    health.watch_api(lambda: server.started)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="api")
    tasks.append(task)
    try:
        yield
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task}, timeout=_DRAIN_SECONDS + 1)
