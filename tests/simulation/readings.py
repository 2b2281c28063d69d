"""The read models that watchers and deadlines ask, folded from the store's events, behind by a
little or a lot.

What is due is what the questions in `projections/` say, from the states of the domain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from flamewire_ledger.domain import credit_account, payment, price_lock, unclaimed_transfer
from flamewire_ledger.domain.credit_account import CreditAccount
from flamewire_ledger.domain.merchant import MerchantRegistered
from flamewire_ledger.domain.payment import Payment, PaymentRequested
from flamewire_ledger.domain.price_lock import PriceLock
from flamewire_ledger.domain.unclaimed_transfer import UnclaimedTransfer
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import EventStore, RecordedEvent
from tests.simulation.weather import Weather

Row = dict[str, Any]
_FOLDS = {
    "pi": payment.evolve,
    "ca": credit_account.evolve,
    "pl": price_lock.evolve,
    "ut": unclaimed_transfer.evolve,
}


class Readings:
    """`run` keeps them up; `wait_for` and the questions are what processes ask."""

    def __init__(self, store: EventStore, codec: Codec, weather: Weather) -> None:
        self._store = store
        self._codec = codec
        self._weather = weather
        self.positions = [0] * store.partitions
        self._merchants: dict[str, Row] = {}
        self._deposits: dict[tuple[str, str], list[Row]] = {}
        self._states: dict[str, Any] = {}
        self._due: dict[str, list[Row]] = {}

    async def run(self) -> None:
        while True:
            for partition in range(self._store.partitions):
                after = self.positions[partition]
                for event in await self._store.read(partition, after, 1_000):
                    self._apply(event)
                    self.positions[partition] = event.position
            if self._weather.happens("the read models fall behind", 0.02):
                await asyncio.sleep(self._weather.seconds(1, 12))
            await asyncio.sleep(self._weather.seconds(0.01, 0.1))

    async def wait_for(
        self, partition: int, position: int, names: Collection[str], timeout_seconds: float
    ) -> bool:
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while self.positions[partition] < position:
            if asyncio.get_running_loop().time() >= deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    async def deposits_at(
        self, network: str, addresses: Sequence[str], *, limit: int = 10_000
    ) -> Sequence[Row]:
        return [row for address in addresses for row in self._deposits.get((network, address), ())]

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, Any]
    ) -> Sequence[Row]:
        """The two questions about payments at an address of many, newest first."""
        rows = await self.deposits_at(parameters["network"], sorted(set(parameters["addresses"])))
        match question:
            case "deposits_marked":
                marks = set(zip(parameters["addresses"], parameters["marks"], strict=True))
                return [row for row in rows if (row["address"], row["mark"]) in marks]
            case "deposits_due":
                names = ("addresses", "assets", "units")
                due = set(zip(*(parameters[name] for name in names), strict=True))
                asked = ("address", "asset", "due_units")
                return [
                    row
                    for row in rows
                    if row["identified_by"] == "amount"
                    and tuple(row[name] for name in asked) in due
                ]
        raise AssertionError(question)

    async def merchant(self, merchant_id: str) -> Row | None:
        return self._merchants.get(merchant_id)

    async def payment(self, merchant_id: str, payment_id: str) -> Row | None:
        state: Payment | None = self._states.get(payment_id)
        if state is None:
            return None
        asset = state.requested.amount.asset
        return {"currency": asset.code, "decimals": asset.decimals}

    def unclaimed(self) -> list[str]:
        """What an operator is shown: transfers that wait for a decision."""
        return [
            stream_id
            for stream_id, state in self._states.items()
            if isinstance(state, UnclaimedTransfer) and state.status == "confirmed"
        ]

    async def due_deadlines(
        self,
        now: datetime,
        *,
        livemode: bool,
        limit: int = 500,
        after: tuple[datetime, str] | None = None,
    ) -> Sequence[Row]:
        rows = [row for some in self._due.values() for row in some if row["due_at"] <= now]
        rows = [row for row in rows if after is None or _place(row) > after]
        return sorted(rows, key=_place)[:limit]

    def _apply(self, event: RecordedEvent) -> None:
        fact, stream_id = self._codec.decode(event), event.stream_id
        match fact:
            case MerchantRegistered():
                self._merchants[fact.merchant_id] = {"livemode": fact.livemode}
            case PaymentRequested():
                self._give_out(event.merchant_id, fact)
        fold = _FOLDS.get(stream_id.partition("_")[0])
        if fold is None:
            return
        state = self._states[stream_id] = fold(self._states.get(stream_id), fact)
        self._due.pop(stream_id, None)
        if due := _due(state):
            self._due[stream_id] = [
                {"stream_id": stream_id, "merchant_id": event.merchant_id, **row} for row in due
            ]

    def _give_out(self, merchant_id: str, fact: PaymentRequested) -> None:
        for option in fact.options:
            row = {
                "address": option.address,
                "payment_id": fact.payment_id,
                "merchant_id": merchant_id,
                "expires_at": fact.expires_at,
                "requested_at": fact.requested_at,
                "identified_by": option.identified_by,
                "mark": option.mark,
                "asset": option.due.asset.code,
                "due_units": option.due.units,
            }
            self._deposits.setdefault((option.network, option.address), []).insert(0, row)


def _place(row: Row) -> tuple[datetime, str]:
    return row["due_at"], row["subject_id"]


def _due(state: Any) -> list[Row]:
    match state:
        case Payment(requested=requested):
            is_undone = state.status == "processing" and "reorged" in state.labels
            if state.status == "requires_payment" or is_undone:
                return [_row("payment", requested.payment_id, requested.expires_at)]
        case PriceLock(locked=locked):
            if state.used_by is None and not state.is_expired:
                return [_row("price_lock", locked.lock_id, locked.expires_at)]
        case CreditAccount():
            holds = [_row("hold", it.hold_id, it.expires_at) for it in state.holds.values()]
            grants = [
                _row("grant", it.terms.grant_id, it.terms.expires_at)
                for it in state.grants
                if it.remaining and it.terms.expires_at is not None
            ]
            return holds + grants
    return []


def _row(kind: str, subject_id: str, due_at: datetime) -> Row:
    return {"kind": kind, "subject_id": subject_id, "due_at": due_at}
