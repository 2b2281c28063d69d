"""Webhooks from a ledger: where they may go, what the API is given, and who sends them."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from typing import Final

from flamewire_ledger.api.parts import WebhookDesk
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.processes.announcing import Announcing
from flamewire_ledger.processes.search import PostgresSearch
from flamewire_ledger.processes.webhook_delivery import ALL_MAX, Delivering, World
from flamewire_ledger.processes.webhook_registry import Registry
from flamewire_ledger.processes.webhooks import Webhooks
from flamewire_ledger.settings import Settings
from flamewire_ledger.store.postgres_webhooks import PostgresWebhooks
from flamewire_ledger.store.shares import Shares
from flamewire_ledger.webhooks.addresses import LOOPBACK, Reach, read_networks
from flamewire_ledger.wiring.ledger import Ledger
from flamewire_ledger.wiring.sealing import LazySealer

_PURPOSE: Final = "webhook secrets"


def webhook_desk(ledger: Ledger) -> WebhookDesk:
    """What the API needs."""
    return WebhookDesk(
        queue=PostgresWebhooks(ledger.connections),
        sealer=LazySealer(ledger.settings, _PURPOSE),
        reach=reach_of(ledger.settings),
    )


async def send_webhooks(ledger: Ledger, writer: Writer, shares: Shares) -> None:
    """Announce and deliver until cancelled."""
    import httpx  # who sends nothing needs no certificates

    from flamewire_ledger.webhooks.send import Sender

    settings, now = ledger.settings, ledger.clock.now
    queue = PostgresWebhooks(ledger.connections)
    registry = Registry(ledger.store, ledger.codec)
    search = PostgresSearch(ledger.connections, ledger.store)
    sender = Sender(
        httpx.create_ssl_context(trust_env=False),
        attempt_seconds=settings.webhook_attempt_seconds,
        connections_max=2 * ALL_MAX,
    )
    delivering = Delivering(
        registry,
        queue,
        writer,
        sender,
        LazySealer(settings, _PURPOSE),
        World(now=now, monotonic=time.monotonic, reach=reach_of(settings)),
        meter=ledger.meters,
    )
    announcing = Announcing(ledger.store, search, ledger.codec, registry, queue, now)
    webhooks = Webhooks(
        ledger.store,
        announcing,
        delivering,
        queue,
        now,
        shares=shares,
        days_kept=settings.webhook_days_kept,
        meter=ledger.meters,
    )
    try:
        await webhooks.run()
    finally:
        await sender.aclose()


def reach_of(settings: Settings) -> Callable[[bool], Reach]:
    """What webhooks may reach, by livemode."""
    networks = read_networks(settings.webhook_networks)
    live = Reach(networks)
    test = Reach((*networks, *LOOPBACK)) if _is_loopback_allowed(settings) else live
    return lambda livemode: live if livemode else test


def _is_loopback_allowed(settings: Settings) -> bool:
    """Who can only be reached from this machine lets nobody else look at it."""
    if settings.webhook_loopback is not None:
        return settings.webhook_loopback
    if settings.host == "localhost":
        return settings.sandbox
    try:
        return settings.sandbox and ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        return False
