"""What puts credits right or elsewhere: refunds, transfers, and how far an account may go below zero."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from flamewire_ledger.api import credit_account_views as views
from flamewire_ledger.api.call import Call
from flamewire_ledger.api.credit_accounts import ENTRIES, READ_MODEL, fact_of, on_account
from flamewire_ledger.api.currencies import read_amount
from flamewire_ledger.api.models.credit_changes import (
    RefundCreditsBody,
    RefundPurchaseBody,
    SetOverageBody,
    TransferCreditsBody,
)
from flamewire_ledger.api.reading import head_reached
from flamewire_ledger.api.rendering import money, time, to_json
from flamewire_ledger.api.streams import events_of, own
from flamewire_ledger.commands import credit_account as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.domain.credit_account import (
    CREDIT,
    Consumption,
    CreditAccount,
    CreditsConsumed,
    CreditsRefunded,
    CreditsTransferredIn,
    CreditsTransferredOut,
    HoldCaptured,
    PurchaseRefunded,
    RefundCredits,
    RefundPurchase,
    SetOverage,
    TransferCredits,
)
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount, Asset, share
from flamewire_ledger.domain.payment import PaymentResolved, PaymentSucceeded
from flamewire_ledger.domain.posting import DEFERRED_CREDITS
from flamewire_ledger.domain.rejection import Malformed, NotAllowed, NotFound

_LINES_MAX: Final = 10_000  # that are looked through for a reference


async def refund(call: Call) -> Envelope:
    body: RefundCreditsBody = call.body
    now, account_id = call.now(), call.path["id"]
    if (body.entry is None) == (body.reference is None):
        raise Malformed("say which consumption: `entry` or `reference`", pointer="/entry")
    await own(call, "ca", account_id)
    position = int(body.entry) if body.entry else await _by_reference(call, account_id, body)
    command = RefundCredits(
        account_id=account_id,
        refund_id=derived_id("re", now, str(call.command_id)),
        consumption=await _consumption(call, account_id, position),
        at=now,
        amount=None if body.amount is None else read_amount(body.amount, CREDIT),
        reason=body.reason,
    )

    def shown(_: CreditAccount, decision: Decision) -> dict[str, Any]:
        return _refund_view(fact_of(decision, account_id, CreditsRefunded))

    return await on_account(call, command, now, shown)


async def _by_reference(call: Call, account_id: str, body: RefundCreditsBody) -> int:
    """The one consumption with this reference among the latest lines, as far as they are recorded."""
    await head_reached(call, ENTRIES)
    rows = await call.parts.reads.ask(
        ENTRIES,
        "consumptions_by_reference",
        {
            "merchant_id": call.merchant_id,
            "account_id": account_id,
            "reference": body.reference,
            "lines_max": _LINES_MAX,
        },
    )
    if not rows:
        raise NotFound(
            f"nothing was consumed as {body.reference} of late; say its entry", pointer="/reference"
        )
    if len(rows) > 1:
        raise NotAllowed(
            f"several consumptions are called {body.reference}; say an entry", pointer="/reference"
        )
    position: int = rows[0]["position"]
    return position


async def _consumption(call: Call, account_id: str, position: int) -> Consumption:
    """As it was recorded. What else stands at that position is none of this account."""
    found = await call.parts.store.read(call.partition, position - 1, 1)
    recorded = next((it for it in found if it.position == position), None)
    if recorded is not None and recorded.stream_id == account_id:
        match call.parts.codec.decode(recorded):
            case CreditsConsumed(slices=slices, overage=overage, reference=reference):
                return Consumption(position, slices, overage.units, reference)
            case HoldCaptured(slices=slices, reference=reference):
                return Consumption(position, slices, 0, reference)
            case _:
                pass
    raise NotFound(f"no consumption of this account has the entry {position}", pointer="/entry")


def _refund_view(fact: CreditsRefunded) -> dict[str, Any]:
    return {
        "id": fact.refund_id,
        "object": "credit_refund",
        "credit_account_id": fact.account_id,
        "entry": str(fact.consumption),
        "reference": fact.reference,
        "reason": fact.reason,
        **money("amount", fact.amount),
        "slices": views.slices_of(fact.slices),
        "settled": views.slices_of(fact.settled),
        **views.in_credits("lapsed", sum(part.units for part in fact.lapsed)),
        **money("no_longer_owed", fact.owed),
        "created_at": time(fact.refunded_at),
    }


async def refund_purchase(call: Call) -> Envelope:
    body: RefundPurchaseBody = call.body
    now, account_id, grant_id = call.now(), call.path["id"], call.path["grant"]
    await own(call, "ca", account_id)
    await head_reached(call, READ_MODEL)
    row = await call.parts.reads.grant(call.merchant_id, grant_id, now)
    if row is None or row["account_id"] != account_id:
        raise NotFound("there is no such grant of this account")
    payment_id = row["payment_id"]
    if payment_id is None:
        raise NotAllowed(f"grant {grant_id} was not bought: nothing was paid for it")
    units = int(row["granted_units"])
    paid = {bought: _paid(sale, units) for bought, sale in (await _sales(call, payment_id)).items()}
    command = RefundPurchase(
        account_id=account_id,
        grant_id=grant_id,
        paid=(),  # which of the payment's sales it is of is known where it is decided
        at=now,
        amount=None if body.amount is None else read_amount(body.amount, CREDIT),
        reason=body.reason,
    )

    def answer(decision: Decision) -> bytes:
        fact = fact_of(decision, account_id, PurchaseRefunded)
        view = {
            "object": "credit_purchase_refund",
            "credit_account_id": account_id,
            "grant_id": grant_id,
            "payment_intent_id": fact.payment_id,
            **money("amount", fact.amount),
            "payable": [
                {"currency": each.asset.symbol, **money("amount", each)} for each in fact.payable
            ],
            "reason": fact.reason,
            "created_at": time(fact.refunded_at),
            "balance": views.balance_of(decision.after[account_id], now),
        }
        return to_json(view)

    return commands.refund_purchase(call.origin, command, payment_id, paid, answer)


async def _sales(call: Call, payment_id: str) -> dict[str, PaymentSucceeded | PaymentResolved]:
    """What a payment has bought, by the grant that each sale made."""
    return {
        event.grant_id: event
        for event in await events_of(call, payment_id)
        if isinstance(event, PaymentSucceeded | PaymentResolved) and event.grant_id is not None
    }


def _paid(sale: PaymentSucceeded | PaymentResolved, units: int) -> tuple[Amount, ...]:
    """What was booked as paid for so many of its credits."""
    assert sale.credits is not None, "a sale of credits says how many"
    return tuple(share(each, units, sale.credits.units) for each in _deferred(sale))


def _deferred(sale: PaymentSucceeded | PaymentResolved) -> Iterable[Amount]:
    paid: Counter[Asset] = Counter()
    for posting in sale.postings:
        if posting.credit == DEFERRED_CREDITS:
            paid[posting.amount.asset] += posting.amount.units
    return [Amount(asset, units) for asset, units in paid.items()]


async def transfer(call: Call) -> Envelope:
    body: TransferCreditsBody = call.body
    now, sender, receiver = call.now(), call.path["id"], body.to
    await own(call, "ca", sender)
    await own(call, "ca", receiver, "/to")
    command = TransferCredits(
        account_id=sender,
        to_account_id=receiver,
        transfer_id=derived_id("tr", now, str(call.command_id)),
        amount=read_amount(body.amount, CREDIT),
        at=now,
        reference=body.reference,
    )

    def answer(decision: Decision) -> bytes:
        left = fact_of(decision, sender, CreditsTransferredOut)
        came = fact_of(decision, receiver, CreditsTransferredIn)
        return to_json(
            {
                "id": command.transfer_id,
                "object": "credit_transfer",
                "credit_account_id": sender,
                "to": receiver,
                **money("amount", left.amount),
                "reference": left.reference,
                "grants": [
                    {
                        "from_grant_id": part.from_grant_id,
                        "grant_id": part.grant_id,
                        **views.in_credits("amount", part.units),
                    }
                    for part in came.grants
                ],
                "balance": views.balance_of(decision.after[sender], now),
                "to_balance": views.balance_of(decision.after[receiver], now),
                "created_at": time(left.transferred_at),
            }
        )

    return commands.transfer(call.origin, command, answer)


async def set_overage(call: Call) -> Envelope:
    body: SetOverageBody = call.body
    now, account_id = call.now(), call.path["id"]
    overage_max = read_amount(body.overage_max, CREDIT, "/overage_max", zero=True)
    command = SetOverage(account_id, overage_max, now, body.reason)

    def shown(account: CreditAccount, _: Decision) -> dict[str, Any]:
        return {
            "object": "credit_overage",
            "credit_account_id": account_id,
            **money("overage_max", account.overage_max),
        }

    return await on_account(call, command, now, shown)
