"""A payment intent as it is answered: from the state after a command, or from the rows of the read
model; the same text.

The first is stored with the idempotency key before any read model has seen the payment, the second
is what a GET gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flamewire_ledger.api.currencies import asset_id_of
from flamewire_ledger.api.reading import Row
from flamewire_ledger.api.rendering import money, plain, shown, time
from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import (
    Payment,
    PaymentOption,
    PaymentTransferConfirmed,
    PaymentTransferDetected,
    RefundAddress,
)
from flamewire_ledger.domain.payment.state import Arrival

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class TransferFacts:
    """What is known of one transfer."""

    network: str
    transaction_id: str
    index: int
    address: str
    amount: Amount
    status: str
    confirmations: int
    block_height: int | None
    seen_at: datetime


@dataclass(slots=True)  # not frozen: one is made for each answer, and read at once
class IntentFacts:
    """All that the answer shows, wherever it was read."""

    payment_id: str
    livemode: bool
    status: str
    labels: Sequence[str]
    amount: Amount
    reference: str | None
    metadata: Mapping[str, str]
    credit_account_id: str | None
    credits: Amount | None
    tolerance_ppm: int
    options: Sequence[PaymentOption]
    detected: Amount
    confirmed: Amount
    excess: Amount
    due: Amount
    transfers: Sequence[TransferFacts]
    refund_to: Sequence[RefundAddress]
    created_at: datetime
    expires_at: datetime
    invoice_id: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the events say of a transfer and the state, which decides without it, does not keep."""

    seen_at: datetime
    confirmations: int = 0


def seen_in(events: Iterable[Any]) -> dict[str, Seen]:
    """By transfer key, from the events of one payment in their order."""
    found: dict[str, Seen] = {}
    for event in events:
        if isinstance(event, PaymentTransferDetected):
            found.setdefault(event.transfer.key, Seen(event.seen_at))
        elif isinstance(event, PaymentTransferConfirmed):
            before = found.get(event.transfer.key, Seen(event.confirmed_at))
            found[event.transfer.key] = Seen(before.seen_at, event.confirmations)
    return found


def of_state(payment: Payment, livemode: bool, seen: Mapping[str, Seen]) -> IntentFacts:
    """The facts as the command left them."""
    requested, totals = payment.requested, payment.totals
    return IntentFacts(
        payment_id=requested.payment_id,
        livemode=livemode,
        status=payment.status,
        labels=sorted(payment.labels),
        amount=requested.amount,
        reference=requested.reference,
        metadata=requested.metadata,
        credit_account_id=requested.credit_account_id,
        credits=requested.credits,
        tolerance_ppm=requested.tolerance_ppm,
        options=requested.options,
        detected=totals.detected,
        confirmed=totals.confirmed,
        excess=totals.excess,
        due=totals.due,
        transfers=[_of_arrival(arrival, seen) for arrival in payment.arrivals.values()],
        refund_to=payment.refund_to,
        created_at=requested.requested_at,
        expires_at=requested.expires_at,
        invoice_id=requested.invoice_id,
    )


def _of_arrival(arrival: Arrival, seen: Mapping[str, Seen]) -> TransferFacts:
    transfer = arrival.transfer
    known = seen.get(transfer.key, Seen(arrival.judged_at))
    return TransferFacts(
        network=transfer.network,
        transaction_id=transfer.transaction_id,
        index=transfer.index,
        address=transfer.address,
        amount=transfer.amount,
        status=arrival.status,
        confirmations=known.confirmations,
        block_height=arrival.block.height if arrival.block is not None else None,
        seen_at=known.seen_at,
    )


def of_rows(row: Row, transfers: Sequence[Row], livemode: bool) -> IntentFacts:
    """The facts as the read model has them."""
    currency = Asset(row["currency"], row["decimals"])
    return IntentFacts(
        payment_id=row["payment_id"],
        livemode=livemode,
        status=row["status"],
        labels=row["labels"],
        amount=Amount(currency, int(row["amount_units"])),
        reference=row["reference"],
        metadata=row["metadata"],
        credit_account_id=row["credit_account_id"],
        credits=None if row["credits"] is None else _amount(row["credits"]),
        tolerance_ppm=row["tolerance_ppm"],
        options=[_option_of(option) for option in row["options"]],
        detected=Amount(currency, int(row["detected_units"])),
        confirmed=Amount(currency, int(row["confirmed_units"])),
        excess=Amount(currency, int(row["excess_units"])),
        due=Amount(currency, int(row["due_units"])),
        transfers=[_of_row(transfer) for transfer in transfers],
        refund_to=[RefundAddress(**each) for each in row["refund_to"]],
        created_at=row["requested_at"],
        expires_at=row["expires_at"],
        invoice_id=row["invoice_id"],
    )


def _of_row(row: Row) -> TransferFacts:
    return TransferFacts(
        network=row["network"],
        transaction_id=row["transaction_id"],
        index=row["index"],
        address=row["address"],
        amount=Amount(Asset(row["asset"], row["decimals"]), int(row["units"])),
        status=row["status"],
        confirmations=row["confirmations"],
        block_height=row["block_height"],
        seen_at=datetime.fromisoformat(row["seen_at"]),  # inside JSON, so still text
    )


def _option_of(option: Mapping[str, Any]) -> PaymentOption:
    return PaymentOption(
        network=option["network"],
        chain_id=option["chain_id"],
        asset_id=option["asset_id"],
        due=_amount(option["due"]),
        address=option["address"],
        uri=option["uri"],
        price_lock_id=option["price_lock_id"],
        memo=option["memo"],
    )


def _amount(value: Mapping[str, Any]) -> Amount:
    return Amount(Asset(value["asset"], value["decimals"]), int(value["units"]))


def rendered(facts: IntentFacts, chains: Sequence[Chain]) -> dict[str, Any]:
    """Everything but its position."""
    amount, amount_minor = shown(facts.amount)
    detected, detected_minor = shown(facts.detected)
    confirmed, confirmed_minor = shown(facts.confirmed)
    excess, excess_minor = shown(facts.excess)
    due, due_minor = shown(facts.due)
    return {
        "id": facts.payment_id,
        "object": "payment_intent",
        "livemode": facts.livemode,
        "status": facts.status,
        "labels": facts.labels,
        "amount": amount,
        "amount_minor": amount_minor,
        "currency": facts.amount.asset.symbol,
        "currency_asset_id": asset_id_of(chains, facts.amount.asset.code),
        "reference": facts.reference,
        "metadata": facts.metadata,
        "credit_account_id": facts.credit_account_id,
        "credits": None if facts.credits is None else facts.credits.text,
        "invoice_id": facts.invoice_id,
        "tolerance": plain(facts.tolerance_ppm, MILLION),
        "payment_options": [_option(option) for option in facts.options],
        "amounts": {
            "requested": amount,
            "requested_minor": amount_minor,
            "detected": detected,
            "detected_minor": detected_minor,
            "confirmed": confirmed,
            "confirmed_minor": confirmed_minor,
            "excess": excess,
            "excess_minor": excess_minor,
            "due": due,
            "due_minor": due_minor,
        },
        "transfers": [_transfer(transfer) for transfer in facts.transfers],
        "refund_to": [_refund_address(each) for each in facts.refund_to],
        "created_at": time(facts.created_at),
        "expires_at": time(facts.expires_at),
    }


def _option(option: PaymentOption) -> dict[str, Any]:
    due, due_minor = shown(option.due)
    return {
        "network": option.network,
        "chain_id": option.chain_id,
        "asset": option.due.asset.symbol,
        "asset_id": option.asset_id,
        "amount": due,
        "amount_minor": due_minor,
        "address": option.address,
        "uri": option.uri,
        "memo": option.memo,
        "price_lock_id": option.price_lock_id,
    }


def _refund_address(each: RefundAddress) -> dict[str, Any]:
    return {
        "network": each.network,
        "chain_id": each.chain_id,
        "address": each.address,
        "registered_address_id": each.ownership_id,
    }


def _transfer(transfer: TransferFacts) -> dict[str, Any]:
    return {
        "network": transfer.network,
        "asset": transfer.amount.asset.symbol,
        "transaction_id": transfer.transaction_id,
        "index": transfer.index,
        "address": transfer.address,
        **money("amount", transfer.amount),
        "status": transfer.status,
        "confirmations": transfer.confirmations,
        "block_height": transfer.block_height,
        "seen_at": time(transfer.seen_at),
    }
