"""Payment intents: asking for a payment, looking at it, giving it up, and saying what becomes of
money that is held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from flamewire_ledger.api import payment_intent_views as views
from flamewire_ledger.api import payment_options, recipients
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.currencies import find_currency, read_amount
from flamewire_ledger.api.models.payment_intents import (
    EXPIRES_SECONDS_DEFAULT,
    CreatePaymentIntent,
    ListPaymentIntents,
    ResolvePaymentIntent,
)
from flamewire_ledger.api.payment_options import Moment, Networks, Terms
from flamewire_ledger.api.reading import Row, find, head_reached, listed, page_of
from flamewire_ledger.api.rendering import as_list, to_json
from flamewire_ledger.api.streams import events_of, own
from flamewire_ledger.commands import payment as commands
from flamewire_ledger.commands import price_lock as price_lock_commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Answer as Stored
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import (
    CancelPayment,
    PaymentCommand,
    PaymentRequested,
    RefundAddress,
    RequestPayment,
    ResolvePayment,
)
from flamewire_ledger.domain.price_lock import LockPrice, PriceLock, UsePriceLock
from flamewire_ledger.domain.rejection import InvalidAmount, LockExpired, Malformed
from flamewire_ledger.queries import ownership

TOLERANCE_PPM_MAX: Final = 100_000
READ_MODEL: Final = "payment_status"


async def create(call: Call) -> Envelope:
    body: CreatePaymentIntent = call.body
    command, locks = await request(call, body)
    return commands.request(call.origin, command, locks, _answer(call, command.payment_id, {}))


async def request(
    call: Call, body: CreatePaymentIntent, invoice_id: str | None = None
) -> tuple[RequestPayment, Sequence[LockPrice | UsePriceLock]]:
    """The request with its locks: its currency, rates and addresses are found out here, once."""
    chains = call.chains
    asked = payment_options.networks(chains, body)
    # If it is one network, USDC is that of this network.
    currency = find_currency(chains, body.currency, "/currency", asked.one)
    amount = read_amount(body.amount, currency)
    if body.credit_account_id is not None:
        await own(call, "ca", body.credit_account_id, "/credit_account_id")
    now = call.now()
    command_id = str(call.command_id)
    payment_id = derived_id("pi", now, command_id)
    lock = await _lock(call, body)
    moment = Moment(payment_id, command_id, now, _expires_at(body, now, lock))
    agreed = await _agree(call, body, asked, amount, moment, lock)
    recipient = None if body.recipient is None else _recipient(agreed, body.recipient)
    by_name = body.pay_with is not None
    options = await payment_options.options(call, agreed, recipient, by_name=by_name)
    command = RequestPayment(
        payment_id=payment_id,
        amount=amount,
        options=options,
        credits=await _credits(call, body, amount),
        credit_account_id=body.credit_account_id,
        reference=body.reference,
        requested_at=now,
        expires_at=moment.expires_at,
        metadata=body.metadata,
        tolerance_ppm=_tolerance_ppm(body.tolerance),
        late_policy=call.parts.offer.late_policy,
        invoice_id=invoice_id,
    )
    priced = {option.price_lock_id for option in options}
    locks = [one.lock for one in agreed if one.lock is not None and one.lock.lock_id in priced]
    if recipient is not None:  # last, so that a request refused for something else claims nothing
        await recipients.claim(call, agreed[0].way.chain, recipient)
    return command, locks


async def _lock(call: Call, body: CreatePaymentIntent) -> PriceLock | None:
    if body.price_lock_id is None:
        return None
    await own(call, "pl", body.price_lock_id, "/price_lock_id")
    state: PriceLock | None = None
    for event in await events_of(call, body.price_lock_id):
        state = price_lock_commands.PRICE_LOCK.evolve(state, event)
    return state


def _expires_at(body: CreatePaymentIntent, now: datetime, lock: PriceLock | None) -> datetime:
    """A lock made before promises its rate until it expires, and no longer."""
    wanted = now + timedelta(seconds=body.expires_in_seconds or EXPIRES_SECONDS_DEFAULT)
    if lock is None:
        return wanted
    if lock.locked.expires_at <= now:
        raise LockExpired("this price lock has expired; make a new one", pointer="/price_lock_id")
    if body.expires_in_seconds is None:
        return lock.locked.expires_at
    return min(wanted, lock.locked.expires_at)


async def _agree(
    call: Call,
    body: CreatePaymentIntent,
    asked: Networks,
    amount: Amount,
    moment: Moment,
    lock: PriceLock | None,
) -> Sequence[Terms]:
    offered, by_name = payment_options.ways(call.chains, body, asked)
    if lock is not None:
        return payment_options.locked_terms(lock, offered, by_name, amount, moment)
    return await payment_options.terms(call, offered, by_name, amount, moment)


def _recipient(agreed: Sequence[Terms], text: str) -> str:
    chains = {one.way.chain.network.chain_id: one.way.chain for one in agreed}
    return recipients.check(list(chains.values()), text)


async def _credits(call: Call, body: CreatePaymentIntent, amount: Amount) -> Amount | None:
    if body.credit_account_id is None:
        return None
    bought = await call.till(call.now()).credits_for(amount)
    if bought.is_zero:
        raise InvalidAmount("this buys less than the smallest part of a credit", pointer="/amount")
    return bought


@lru_cache(maxsize=1024)  # most say nothing of it, and the others the same each time
def _tolerance_ppm(text: str) -> int:
    ppm = int(Decimal(text) * views.MILLION)
    if ppm > TOLERANCE_PPM_MAX:
        raise Malformed("a tolerance is 0.1 at most", pointer="/tolerance")
    return ppm


async def cancel(call: Call) -> Envelope:
    return await _on(call, CancelPayment(call.path["id"], call.now()))


async def resolve(call: Call) -> Envelope:
    body: ResolvePaymentIntent = call.body
    payment_id = call.path["id"]
    refund_to = await _refund_to(call, payment_id) if body.choice == "refund" else ()
    command = ResolvePayment(payment_id, body.choice, body.reason, call.now(), refund_to)
    return await _on(call, command)


async def _refund_to(call: Call, payment_id: str) -> tuple[RefundAddress, ...]:
    """The addresses that are registered for refunds of this payment, all that was registered by now."""
    await own(call, "pi", payment_id)
    requested: PaymentRequested = (await events_of(call, payment_id))[0]
    await head_reached(call, ownership.READ_MODEL)
    rows = await ownership.refund_addresses(
        call.parts.reads, call.merchant_id, payment_id, requested.credit_account_id
    )
    return tuple(
        RefundAddress(row["network"], row["chain_id"], row["address"], row["ownership_id"])
        for row in rows
    )


async def _on(call: Call, command: PaymentCommand) -> Envelope:
    await own(call, "pi", command.payment_id)
    seen = views.seen_in(await events_of(call, command.payment_id))
    return commands.envelope(call.origin, command, _answer(call, command.payment_id, seen))


def _answer(call: Call, payment_id: str, seen: Mapping[str, views.Seen]) -> Stored:
    livemode, chains = call.caller.livemode, call.chains

    def answer(decision: Decision) -> bytes:
        facts = views.of_state(decision.after[payment_id], livemode, seen)
        return to_json(views.rendered(facts, chains))

    return answer


async def get(call: Call) -> Answer:
    row = await find(
        call,
        "payment intent",
        READ_MODEL,
        lambda: call.parts.reads.payment(call.merchant_id, call.path["id"]),
    )
    return Answer(to_json(_rendered(call, row)))


async def list_all(call: Call) -> Answer:
    query: ListPaymentIntents = call.query
    listing = await listed(
        call,
        READ_MODEL,
        lambda: call.parts.reads.payments(
            call.merchant_id,
            page_of(call),
            status=query.status,
            reference=query.reference,
            credit_account_id=query.credit_account_id,
        ),
        ids="pi",
    )
    return Answer(
        as_list([_rendered(call, row) for row in listing.rows], has_more=listing.has_more)
    )


def _rendered(call: Call, row: Row) -> dict[str, Any]:
    facts = views.of_rows(row, row["transfers"], call.caller.livemode)
    return {**views.rendered(facts, call.chains), "position": row["position"]}
