"""The read models that watchers and deadlines ask, folded from the store's events, behind by a
little or a lot.

What is due is what the questions in `projections/` say, from the states of the domain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from flamewire_ledger.billing.arrears import UsageKey
from flamewire_ledger.domain import (
    credit_account,
    invoice,
    payment,
    price_lock,
    subscription,
    top_up,
    unclaimed_transfer,
)
from flamewire_ledger.domain.invoice import Invoice
from flamewire_ledger.domain.merchant import MerchantRegistered
from flamewire_ledger.domain.payment import Payment, PaymentRequested
from flamewire_ledger.domain.payment.transfers import RETURN_WAIT
from flamewire_ledger.domain.subscription import Subscription
from flamewire_ledger.domain.top_up import TopUp
from flamewire_ledger.domain.unclaimed_transfer import UnclaimedTransfer
from flamewire_ledger.domain.usage import UsageRecorded
from flamewire_ledger.queries.metered_usage import UsageBehind
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import EventStore, RecordedEvent, partition_of
from tests.simulation.due import due_rows, top_up_row
from tests.simulation.known import Known
from tests.simulation.weather import Weather

Row = dict[str, Any]
T = TypeVar("T")
_FOLDS = {
    "pi": payment.evolve,
    "ca": credit_account.evolve,
    "pl": price_lock.evolve,
    "ut": unclaimed_transfer.evolve,
    "inv": invoice.evolve_invoice,
    "sub": subscription.evolve,
    "tu": top_up.evolve,
}
_USAGE_SECONDS_MAX = 2.0
_OVER = ("succeeded", "expired", "canceled", "failed")


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
        self._owners: dict[str, str] = {}
        self._used: dict[tuple[str, str], list[tuple[datetime, Decimal]]] = {}
        self.known = Known()

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
        """Questions about payments at an address of many, newest first; and what is due."""
        match question:
            case "subscriptions_due":
                return self._subscriptions_due(parameters)
            case "top_ups_due" | "top_ups_to_close" | "top_ups_taken_back":
                return self._top_ups(question, parameters)
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

    def _subscriptions_due(self, parameters: Mapping[str, Any]) -> Sequence[Row]:
        found = []
        for stream_id, state in self._states.items():
            step = state.next_step if isinstance(state, Subscription) else None
            if step is not None and step[1] <= parameters["now"]:
                row = {"subscription_id": stream_id, "next_at": step[1]}
                found.append({**row, "merchant_id": self._owners[stream_id]})
        after = (parameters["after_due_at"], parameters["after_subscription_id"])
        places = sorted((row["next_at"], row["subscription_id"], row) for row in found)
        rows = [row for *place, row in places if after[0] is None or tuple(place) > after]
        return rows[: parameters["limit"]]

    def _top_ups(self, question: str, parameters: Mapping[str, Any]) -> Sequence[Row]:
        found = []
        for stream_id in sorted(self._states):
            state = self._states[stream_id]
            if not isinstance(state, TopUp) or stream_id <= parameters["after"]:
                continue
            row: Row | None
            if question == "top_ups_to_close":
                row = self._to_close(stream_id, state, parameters["now"])
            elif question == "top_ups_taken_back":
                row = self._taken_back(stream_id, state)
            else:
                account = self._states.get(state.rule.account_id)
                row = top_up_row(stream_id, state, account, parameters["now"])
            if row is not None:
                found.append({**row, "merchant_id": self._owners[stream_id]})
        return found[: parameters["limit"]]

    def _to_close(self, stream_id: str, state: TopUp, now: datetime) -> Row | None:
        asked = None if state.pending is None else self._states.get(state.pending.payment_id)
        if asked is None:
            return None
        had_its_time = state.reopened_at is not None and state.reopened_at + RETURN_WAIT <= now
        is_over = asked.status in _OVER or (asked.status == "requires_action" and had_its_time)
        return _of_top_up(stream_id, state, asked.requested.payment_id) if is_over else None

    def _taken_back(self, stream_id: str, state: TopUp) -> Row | None:
        if state.pending is not None or not state.is_on:
            return None
        paid = [it.payment_id for it in state.paid]
        known = {it: self._states[it].status for it in paid if it in self._states}
        undone = [it for it, status in known.items() if status != "succeeded"]
        return _of_top_up(stream_id, state, undone[0]) if undone else None

    async def metered(
        self, merchant_id: str, credit_account_id: str, keys: Sequence[UsageKey]
    ) -> Mapping[UsageKey, Decimal]:
        """What queries.metered_usage answers: by whole hours, once all that is recorded is counted."""
        partition = partition_of(merchant_id, self._store.partitions)
        head = await self._store.head(partition)
        if not await self.wait_for(partition, head, (), _USAGE_SECONDS_MAX):
            raise UsageBehind("usage is not counted yet")
        return {key: self._quantity(credit_account_id, key) for key in keys}

    def _quantity(self, account_id: str, key: UsageKey) -> Decimal:
        begin, end = hour_of(key.start), hour_of(key.end)
        used = self._used.get((account_id, key.meter), ())
        return sum((units for hour, units in used if begin <= hour < end), Decimal(0))

    def subscription(self, subscription_id: str) -> Subscription | None:
        return self._states.get(subscription_id)

    def all_of(self, kind: type[T]) -> list[tuple[str, str, T]]:
        """(merchant, id, state) of all streams of a kind, the oldest first."""
        return [
            (self._owners[stream_id], stream_id, state)
            for stream_id, state in self._states.items()
            if isinstance(state, kind)
        ]

    def invoices(self) -> list[tuple[str, str, Invoice]]:
        """Those that were drafted."""
        return [it for it in self.all_of(Invoice) if it[2].drafted is not None]

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
            case UsageRecorded():
                for delta in (it for bundle in fact.bundles for it in bundle.deltas):
                    used = self._used.setdefault((fact.account_id, delta.meter_id), [])
                    used.append((delta.hour, delta.quantity or Decimal(0)))
        self.known.take(event, fact)
        self._owners[stream_id] = event.merchant_id
        fold = _FOLDS.get(stream_id.partition("_")[0])
        if fold is None:
            return
        state = self._states[stream_id] = fold(self._states.get(stream_id), fact)
        self._due.pop(stream_id, None)
        if due := due_rows(state):
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


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _of_top_up(stream_id: str, state: TopUp, payment_id: str) -> Row:
    account_id = state.rule.account_id
    return {"top_up_id": stream_id, "account_id": account_id, "payment_id": payment_id}
