"""Facts for the tests of processes: a payment for credits and what can become of it, as it is
recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from flamewire_ledger.domain.credit_account import CREDIT, CreditAccountOpened
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.money import Amount, Asset, Rate
from flamewire_ledger.domain.payment import (
    LatePolicy,
    PaymentOption,
    PaymentRequested,
    PaymentResolved,
    PaymentSucceeded,
    PaymentTransferConfirmed,
    PaymentTransferReorganised,
    Totals,
    Use,
)
from flamewire_ledger.domain.price_lock import PriceLocked, Quote
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.processes.process import Fact, Past
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import (
    Append,
    EventStore,
    RecordedEvent,
    StreamAppend,
    partition_of,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
USD = Asset("USD", 2)
TAO = Asset("bittensor:TAO", 9)
MERCHANT = derived_id("mer", NOON, "merchant")
PAYMENT = derived_id("pi", NOON, "payment")
ACCOUNT = derived_id("ca", NOON, "account")
LOCK = derived_id("pl", NOON, "lock")
GRANT = derived_id("gr", NOON, "grant")
SECOND = derived_id("gr", NOON, "second grant")
CODEC = Codec()

TRANSFER = Transfer("bittensor", "0xaa", 0, "5Receiver", Amount(TAO, 70_000_000))
BLOCK = Block(100, "0xb1", NOON)
NO_TOTALS = Totals(Amount(USD, 0), Amount(USD, 0), Amount(USD, 0), Amount(USD, 0))


def minutes(count: int) -> datetime:
    return NOON + timedelta(minutes=count)


def requested(
    credit_account_id: str | None = ACCOUNT, payment_id: str = PAYMENT
) -> PaymentRequested:
    return PaymentRequested(
        payment_id=payment_id,
        amount=Amount(USD, 25_00),
        options=(
            PaymentOption(
                network="bittensor",
                chain_id="sandbox:bittensor",
                asset_id="sandbox:bittensor/slip44:1005",
                due=Amount(TAO, 60_606_061),
                address="5Receiver",
                uri="bittensor:5Receiver",
                price_lock_id=LOCK,
            ),
        ),
        credits=None if credit_account_id is None else Amount(CREDIT, 25_000_000),
        credit_account_id=credit_account_id,
        reference="order-17",
        metadata={},
        tolerance_ppm=0,
        late_policy=LatePolicy(),
        requested_at=NOON,
        expires_at=minutes(15),
    )


def locked() -> PriceLocked:
    return PriceLocked(
        lock_id=LOCK,
        rate=Rate(TAO, USD, Decimal("412.50")),
        quotes=(Quote("sandbox", Decimal("412.50"), NOON),),
        payment_id=PAYMENT,
        locked_at=NOON,
        expires_at=minutes(15),
    )


def confirmed(**changes: Any) -> PaymentTransferConfirmed:
    given: dict[str, Any] = {
        "payment_id": PAYMENT,
        "transfer": TRANSFER,
        "block": BLOCK,
        "confirmations": 3,
        "worth": Amount(USD, 28_87),
        "postings": (),
        "totals": NO_TOTALS,
        "confirmed_at": minutes(2),
    }
    return PaymentTransferConfirmed(**{**given, **changes})


def succeeded(
    grant_id: str | None = GRANT, at: datetime | None = None, payment_id: str = PAYMENT
) -> PaymentSucceeded:
    return PaymentSucceeded(
        payment_id=payment_id,
        transaction_id="0xaa",
        applied=(Amount(TAO, 60_606_061),),
        confirmed=Amount(USD, 25_00),
        credits=None if grant_id is None else Amount(CREDIT, 25_000_000),
        credit_account_id=None if grant_id is None else ACCOUNT,
        postings=(),
        totals=NO_TOTALS,
        succeeded_at=at or minutes(2),
        uses=(Use(TRANSFER.key, 60_606_061),),
        grant_id=grant_id,
    )


def resolved(choice: Any, units: int, grant_id: str | None) -> PaymentResolved:
    return PaymentResolved(
        payment_id=PAYMENT,
        choice=choice,
        reason="the customer wrote",
        postings=(),
        credits=None if grant_id is None else Amount(CREDIT, units),
        credit_account_id=None if grant_id is None else ACCOUNT,
        status_after="succeeded",
        totals=NO_TOTALS,
        resolved_at=minutes(30),
        uses=(Use(TRANSFER.key, 9_393_939),),
        grant_id=grant_id,
    )


def reorganised(*grants: str, undoes_success: bool = True) -> PaymentTransferReorganised:
    return PaymentTransferReorganised(
        payment_id=PAYMENT,
        transfer=TRANSFER,
        postings=(),
        undoes_success=undoes_success,
        status_after="processing",
        totals=NO_TOTALS,
        reorganised_at=minutes(5),
        grants_undone=grants,
    )


def opened(account_id: str = ACCOUNT) -> CreditAccountOpened:
    return CreditAccountOpened(account_id, None, None, Amount(CREDIT, 0), NOON)


def stream(stream_id: str, *events: Any) -> list[Fact]:
    """The events as they are recorded in a stream of their own."""
    return [
        Fact(
            event,
            RecordedEvent(
                position=version,
                partition=0,
                stream_id=stream_id,
                version=version,
                type=event.type,
                data=CODEC.encode(event).data,
                merchant_id=MERCHANT,
                command_id=command_id(stream_id, str(version)),
                metadata=b'{"actor":"cli"}',
                recorded_at=NOON,
            ),
        )
        for version, event in enumerate(events, 1)
    ]


def known(*streams: Sequence[Fact]) -> Past:
    return {facts[0].recorded.stream_id: facts for facts in streams}


async def record(
    store: EventStore, stream_id: str, *events: Any, merchant_id: str = MERCHANT
) -> int:
    """Append to a stream, whatever is in it, as a command of its own; returns the position."""
    partition = partition_of(merchant_id, store.partitions)
    before = len(await store.read_stream(partition, stream_id))
    append = Append(
        command_id=command_id("story", stream_id, str(before)),
        fingerprint=b"",
        merchant_id=merchant_id,
        metadata=b'{"actor":"cli","causation_id":null,"correlation_id":null}',
        streams=[StreamAppend(stream_id, before, [CODEC.encode(event) for event in events])],
    )
    await store.append(partition, [append])
    return await store.head(partition)
