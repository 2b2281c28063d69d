"""The API's parts, made from a ledger: its Protocols are met here by small adapters and nowhere
else.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from flamewire_ledger.api.parts import Behaviour, Health, Mode, Offer, Parts, Sandbox
from flamewire_ledger.chains.sandbox.chain import SandboxChain
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.payment import LatePolicy
from flamewire_ledger.domain.rejection import UnknownAsset, UnknownNetwork
from flamewire_ledger.queries.read_models import ReadModels
from flamewire_ledger.security.api_keys import ApiKey
from flamewire_ledger.security.rate_limits import Policy, RateLimits, TokenBuckets
from flamewire_ledger.settings import Settings
from flamewire_ledger.store.usage_items import PostgresUsageItems
from flamewire_ledger.wiring.clocks import SandboxClock
from flamewire_ledger.wiring.ledger import Ledger
from flamewire_ledger.wiring.price_rules import read_price_rules
from flamewire_ledger.wiring.reconciliation import OwnReconciler
from flamewire_ledger.wiring.signatures import verifier_of
from flamewire_ledger.wiring.usage import entitlement_table
from flamewire_ledger.wiring.webhooks import webhook_desk

# A key that was revoked works this much longer, at most, where it was used a moment ago.
KEY_REMEMBERED_SECONDS: Final = 1.0
_PPM_A_PERCENT: Final = 10_000
_VISIBLE_SECONDS_MAX: Final = 2.0
_KEYS_REMEMBERED_MAX: Final = 10_000


def api_parts(ledger: Ledger, writer: Writer, health: Health) -> Parts:
    """Everything create_app is given."""
    settings = ledger.settings
    sandbox = SandboxPlayer(ledger.sandbox_chains, ledger.sandbox_clock)
    return Parts(
        store=ledger.store,
        codec=ledger.codec,
        writer=writer,
        reads=ledger.reads,
        keys=RememberedKeys(ledger.reads),
        live=_mode(ledger, livemode=True, sandbox=None),
        test=_mode(ledger, livemode=False, sandbox=sandbox if settings.sandbox else None),
        deposit_indexes=ledger.deposit_indexes,
        entropy=os.urandom,
        monotonic=time.monotonic,
        rate_limits=_rate_limits(settings),
        meter=ledger.meters,
        health=health,
        signatures=verifier_of(settings),
        usage_items=PostgresUsageItems(ledger.connections),
        entitlements=entitlement_table(ledger),
        webhooks=webhook_desk(ledger),
        reconciler=OwnReconciler(ledger, writer),
        functional_currency=settings.functional_currency,
        offer=Offer(
            price_lock_seconds=settings.price_lock_seconds,
            credit_price=settings.credit_price,
            late_policy=late_policy(settings),
            price_rules=read_price_rules(settings.price_rules_file),
            seller_name=settings.seller_name,
            challenge_domain=settings.domain_of_challenges,
            challenge_seconds=settings.challenge_seconds,
        ),
    )


def late_policy(settings: Settings) -> LatePolicy:
    """What becomes of a transfer that is first seen when time is up."""
    drift = settings.late_drift_percent
    return LatePolicy(
        settings.late_policy,
        settings.late_honour_seconds,
        None if drift is None else int(drift * _PPM_A_PERCENT),
    )


def _rate_limits(settings: Settings) -> RateLimits:
    policy = Policy(settings.requests_per_minute_max, 60)
    alone = TokenBuckets(policy, time.monotonic)
    if settings.redis_url is None:
        return alone
    from flamewire_ledger.security.shared_rate_limits import SharedRateLimits

    return SharedRateLimits(
        settings.redis_url.get_secret_value(),
        policy,
        alone,
        time.time,
        prefix=settings.redis_prefix,
    )


def _mode(ledger: Ledger, *, livemode: bool, sandbox: Sandbox | None) -> Mode:
    clock = ledger.clock_of(livemode=livemode)
    board = ledger.prices if livemode else ledger.sandbox_prices
    chains = [chain for chain in ledger.chains if chain.network.livemode == livemode]
    return Mode(clock=clock, prices=board, chains=chains, sandbox=sandbox)


class RememberedKeys:
    """Keys from the read model; what was found is remembered for a moment."""

    def __init__(self, reads: ReadModels) -> None:
        self._reads = reads
        self._found: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()

    async def find(self, secret_sha256: str) -> ApiKey | None:
        remembered = self._found.get(secret_sha256)
        if remembered is not None and time.monotonic() - remembered[0] < KEY_REMEMBERED_SECONDS:
            return remembered[1]
        row = await self._reads.api_key(secret_sha256)
        if row is None or row["revoked_at"] is not None:
            self._found.pop(secret_sha256, None)
            return None
        key = ApiKey(row["key_id"], row["merchant_id"], row["livemode"], frozenset(row["scopes"]))
        self._found[secret_sha256] = (time.monotonic(), key)
        if len(self._found) > _KEYS_REMEMBERED_MAX:
            self._found.popitem(last=False)
        return key

    async def changed(self, key_id: str, partition: int, position: int) -> None:
        """Other processes know within KEY_REMEMBERED_SECONDS."""
        await self._reads.wait_for(partition, position, ("merchants",), _VISIBLE_SECONDS_MAX)
        for secret_sha256, (_, key) in list(self._found.items()):
            if key.key_id == key_id:
                del self._found[secret_sha256]


class SandboxPlayer:
    """Plays payers on the sandbox chains, and moves the sandbox clock."""

    def __init__(self, chains: Sequence[SandboxChain], clock: SandboxClock) -> None:
        self._chains = {chain.network.name: chain for chain in chains}
        self._clock = clock

    async def pay(
        self,
        network: str,
        address: str,
        symbol: str,
        units: int,
        behaviour: Behaviour,
        mark: str | None,
    ) -> str:
        chain = self._chains.get(network)
        if chain is None:
            raise UnknownNetwork(f"there is no sandbox chain called {network}")
        token = chain.network.token(symbol)
        if token is None:
            raise UnknownAsset(f"{symbol} does not live on {network}")
        transfer = await chain.pay(address, token, units, behaviour, mark)
        return transfer.transaction_id

    async def advance(self, seconds: int) -> datetime:
        return await self._clock.advance(seconds)
