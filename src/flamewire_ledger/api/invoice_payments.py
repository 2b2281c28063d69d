"""Paying an invoice: a payment intent that is made for it, or found again; or the word that it was
paid elsewhere.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from flamewire_ledger.api import invoice_views as views
from flamewire_ledger.api import payment_intent_views, payment_intents, payment_options
from flamewire_ledger.api.call import Call
from flamewire_ledger.api.currencies import read_amount
from flamewire_ledger.api.invoices import currency_of, known
from flamewire_ledger.api.models.invoices import PayInvoiceBody
from flamewire_ledger.api.models.payment_intents import CreatePaymentIntent
from flamewire_ledger.api.rendering import to_json
from flamewire_ledger.api.streams import events_of
from flamewire_ledger.commands import invoice as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Answer, Decision
from flamewire_ledger.commands.payment import PAYMENT
from flamewire_ledger.domain.invoice import Invoice, PayInvoice, RequestInvoicePayment, payable
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import Payment
from flamewire_ledger.domain.rejection import InvalidAmount, Malformed, PriceUnavailable

_LOOKED_AT_MAX: Final = 5  # of the payment intents there are already, the newest first


async def pay(call: Call) -> Envelope:
    body: PayInvoiceBody = call.body
    invoice = await known(call)
    amount = None
    if body.amount is not None:
        amount = read_amount(body.amount, currency_of(invoice))
    if body.out_of_band:
        return _elsewhere(call, body, amount)
    if body.reason is not None:
        raise Malformed("a reason belongs to what was paid elsewhere", pointer="/reason")
    due = payable(invoice)
    wanted = due if amount is None else amount
    found = await _found(call, body, invoice, wanted)
    if found is not None:
        return commands.look(
            call.origin, call.path["id"], found, _answer(call, found, await _seen(call, found))
        )
    return await _made(call, body, invoice, wanted)


def _elsewhere(call: Call, body: PayInvoiceBody, amount: Amount | None) -> Envelope:
    if body.reason is None:
        raise Malformed("what was paid elsewhere has a reason", pointer="/reason")
    if body.network is not None or body.pay_with is not None:
        raise Malformed("what was paid elsewhere is paid with nothing here", pointer="/out_of_band")
    command = PayInvoice(call.path["id"], body.reason, call.now(), amount)
    return commands.envelope(call.origin, command, _answer(call, None, {}))


async def _found(call: Call, body: PayInvoiceBody, invoice: Invoice, wanted: Amount) -> str | None:
    """A payment intent of this amount that is still to be paid, or about to be, in the ways that
    were asked for: in no other, and in none less; whichever, where none were.
    """
    if not invoice.asked:
        return None
    ways = await _ways(call, body, wanted)
    now = call.now()
    for asked in reversed(invoice.asked[-_LOOKED_AT_MAX:]):
        if asked.amount != wanted:
            continue
        payment: Payment | None = None
        for event in await events_of(call, asked.payment_id):
            payment = PAYMENT.evolve(payment, event)
        assert payment is not None, "it was recorded with the invoice's fact"
        if ways is not None and ways != {
            (it.chain_id, it.asset_id) for it in payment.requested.options
        }:
            continue
        is_open = payment.status == "requires_payment" and asked.expires_at > now
        if is_open or payment.status == "processing":
            return asked.payment_id
    return None


async def _ways(call: Call, body: PayInvoiceBody, wanted: Amount) -> set[tuple[str, str]] | None:
    """Chains and assets that the caller named, by themselves or with their network, of which those
    are left out that an intent of now would leave out; None: whichever there are. Raises Unknown…
    """
    if body.network is None and body.pay_with is None:
        return None
    asked, now = _asked(body, wanted), call.now()
    networks = payment_options.networks(call.chains, asked)
    ways, by_name = payment_options.ways(call.chains, asked, networks)
    if not by_name:
        nobodys = payment_options.Moment("", "", now, now)  # nothing is locked
        with suppress(PriceUnavailable, InvalidAmount):  # then one is found that was made before
            agreed = await payment_options.terms(call, ways, by_name, wanted, nobodys)
            ways = [one.way for one in agreed]
    return {(it.chain.network.chain_id, it.token.asset_id) for it in ways}


def _asked(
    body: PayInvoiceBody, wanted: Amount, reference: str | None = None
) -> CreatePaymentIntent:
    return CreatePaymentIntent(
        amount=wanted.text,
        currency=wanted.asset.code,
        network=body.network,
        pay_with=body.pay_with,
        reference=reference,
        expires_in_seconds=body.expires_in_seconds,
        tolerance=body.tolerance,
    )


async def _made(call: Call, body: PayInvoiceBody, invoice: Invoice, wanted: Amount) -> Envelope:
    assert invoice.finalised is not None, "it is payable"
    asked = _asked(body, wanted, invoice.finalised.number)
    payment, locks = await payment_intents.request(call, asked, call.path["id"])
    command = RequestInvoicePayment(
        call.path["id"], payment.payment_id, wanted, payment.expires_at, payment.requested_at
    )
    shown = _answer(call, payment.payment_id, {})
    return commands.request_payment(call.origin, command, payment, locks, shown)


async def _seen(call: Call, payment_id: str) -> dict[str, payment_intent_views.Seen]:
    return payment_intent_views.seen_in(await events_of(call, payment_id))


def _answer(
    call: Call, payment_id: str | None, seen: dict[str, payment_intent_views.Seen]
) -> Answer:
    now, invoice_id = call.now(), call.path["id"]
    livemode, chains = call.caller.livemode, call.chains

    def shown(decision: Decision) -> bytes:
        row = views.row_of_state(decision.after[invoice_id])
        intent: dict[str, Any] | None = None
        if payment_id is not None:
            facts = payment_intent_views.of_state(decision.after[payment_id], livemode, seen)
            intent = payment_intent_views.rendered(facts, chains)
        return to_json(
            {
                "object": "invoice_payment",
                "invoice": {**views.of_row(row, now), "position": None},
                "payment_intent": None if intent is None else {**intent, "position": None},
            }
        )

    return shown
