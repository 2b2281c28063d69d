"""Rules about subscriptions and invoices: periods without a gap, each bill an invoice, each line in its
total, and all that was used asked for once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from flamewire_ledger.domain.credit_account import CreditsGranted
from flamewire_ledger.domain.entitlement import Entitlements
from flamewire_ledger.domain.invoice import (
    CreditNoteIssued,
    InvoiceDrafted,
    InvoiceFinalised,
    InvoicePaymentRecorded,
    InvoicePaymentReversed,
)
from flamewire_ledger.domain.subscription import (
    Subscription,
    SubscriptionCanceled,
    SubscriptionClosed,
    SubscriptionPaused,
    SubscriptionPlanChanged,
    SubscriptionRenewed,
    SubscriptionResumed,
    SubscriptionStarted,
)
from flamewire_ledger.domain.top_up import TopUp, TopUpClosed, TopUpReopened, TopUpRequested
from tests.simulation.broken import Broken
from tests.simulation.evidence import Evidence, Seen, fold
from tests.simulation.plan_traffic import CENTS_A_CALL, METERED
from tests.simulation.readings import hour_of
from tests.simulation.rules_usage import used_in

_OVER = ("succeeded", "expired", "canceled", "failed")
_HALF = Fraction(1, 2)


def lines_add_up_to_totals(evidence: Evidence) -> None:
    for seen in evidence.facts(InvoiceFinalised, CreditNoteIssued):
        fact, sums = seen.fact, seen.fact.sums
        signs = [-1 if line.is_credit else 1 for line in fact.lines]
        net = sum(sign * it.net.units for sign, it in zip(signs, fact.lines, strict=True))
        tax = sum(sign * it.tax.units for sign, it in zip(signs, fact.lines, strict=True))
        told = (net, tax, net + tax)
        if told != (sums.net.units, sums.tax.units, sums.total.units):
            raise Broken("lines add up to the total", f"{seen.recorded.stream_id}: {told}, {sums}")
        for each in sums.taxes:
            of_rate = [
                (sign * it.net.units, sign * it.tax.units)
                for sign, it in zip(signs, fact.lines, strict=True)
                if it.tax_rate == each.rate
            ]
            if tuple(map(sum, zip(*of_rate, strict=True))) != (each.net.units, each.tax.units):
                raise Broken("lines add up to their tax", f"{seen.recorded.stream_id}: {each}")
            if isinstance(fact, InvoiceFinalised):
                _tax_is_right(evidence, seen, each.rate, each.net.units, each.tax.units)


def _tax_is_right(evidence: Evidence, seen: Seen, rate: str | None, net: int, tax: int) -> None:
    """Rounded once for each rate, half up."""
    drafted = evidence.invoices[seen.recorded.stream_id].drafted
    assert drafted is not None, "it was drafted"
    part = Fraction(rate or 0) / 100
    whole = net + tax
    exact = whole * part / (1 + part) if drafted.prices_include_tax else net * part
    if int(exact + _HALF) != tax:
        raise Broken("tax is rounded once, half up", f"{seen.recorded.stream_id}: {rate} of {net}")


def what_is_due_is_what_is_left(evidence: Evidence) -> None:
    for invoice_id, invoice in evidence.invoices.items():
        if invoice.finalised is None or invoice.due is None or invoice.is_void:
            continue
        paid = 0
        for fact in (seen.fact for seen in evidence.streams[invoice_id]):
            match fact:
                case InvoicePaymentRecorded(amount=amount):
                    paid += amount.units
                case InvoicePaymentReversed(amount=amount):
                    paid -= amount.units
        total = invoice.finalised.sums.total.units
        credited = sum(note.sums.total.units for note in invoice.credit_notes)
        due = invoice.due.units
        if due != max(0, total - paid - credited) or credited > total or paid > total:
            raise Broken(
                "what is due is the total less what was paid and given back",
                f"{invoice_id}: {total} - {paid} - {credited} is not {due}",
            )


def periods_follow_each_other(evidence: Evidence) -> None:
    for subscription_id, stream in _subscriptions(evidence):
        number, end = 0, None
        for fact in (seen.fact for seen in stream):
            match fact:
                case SubscriptionRenewed(period=period):
                    is_next = period.number == number + 1 and end in (None, period.start)
                case SubscriptionPlanChanged(period=period) if period is not None:
                    goes_on = period.number == number and period.end == end
                    begins = period.number == number + 1 and period.start == fact.changed_at
                    is_next = goes_on or (begins and end is not None and period.start <= end)
                case SubscriptionResumed(period=period):
                    is_next = period.number == number and end is not None and period.end >= end
                case _:
                    continue
            if not is_next or period.end <= period.start:
                raise Broken("periods follow each other", f"{subscription_id}: {end}, {period}")
            number, end = period.number, period.end


def every_bill_is_one_invoice(evidence: Evidence) -> None:
    bills: dict[str, Any] = {}
    billed = (
        SubscriptionRenewed,
        SubscriptionPlanChanged,
        SubscriptionCanceled,
        SubscriptionClosed,
    )
    for seen in evidence.facts(*billed):
        bill = seen.fact.bill
        if bill is None:
            continue
        if bill.invoice_id in bills:
            raise Broken("every bill is one invoice", f"{bill.invoice_id} is asked for twice")
        bills[bill.invoice_id] = bill
    made = {
        id_: it for id_, it in evidence.invoices.items() if it.drafted.subscription_id is not None
    }
    if made.keys() != bills.keys():
        raise Broken("every bill is one invoice", f"{made.keys() ^ bills.keys()}")
    for invoice_id, invoice in made.items():
        asked = [(it.description, it.amount, it.is_credit) for it in bills[invoice_id].lines]
        if [(it.description, it.amount, it.is_credit) for it in invoice.lines] != asked:
            raise Broken("an invoice has the lines of its bill", invoice_id)
        if invoice.status == "draft":
            raise Broken("an invoice of a subscription is made final", invoice_id)


def every_allotment_is_granted_once(evidence: Evidence) -> None:
    promised = Counter(
        (allotment.grant_id, allotment.amount.units)
        for some in evidence.partitions
        for seen in some
        if (allotment := getattr(seen.fact, "allotment", None)) is not None
    )
    granted = Counter(
        (seen.fact.grant_id, seen.fact.amount.units)
        for seen in evidence.facts(CreditsGranted)
        if seen.fact.grant_id in {grant_id for grant_id, _ in promised}
    )
    if promised != granted:
        raise Broken("credits of a plan are granted once", f"{promised - granted}")


def what_ends_gives_back_once(evidence: Evidence) -> None:
    notes = Counter(seen.fact.credit_note_id for seen in evidence.facts(CreditNoteIssued))
    for seen in evidence.facts(SubscriptionCanceled):
        refund = seen.fact.refund
        if refund is None:
            continue
        invoice = evidence.invoices[refund.invoice_id]
        # A person may have given it back before.
        is_left = not invoice.is_void and not invoice.credited_units
        if notes[refund.credit_note_id] > 1 or (is_left and not notes[refund.credit_note_id]):
            raise Broken("what ends gives back once", f"{seen.recorded.stream_id}: {refund}")


def what_was_used_is_billed_once(evidence: Evidence) -> None:
    """By calls, as each costs a cent. What was recorded behind the bill before the last one may have
    come too late for the last."""
    for subscription_id, stream in _subscriptions(evidence):
        billed = sum(_billed_cents(seen.fact) for seen in stream) // CENTS_A_CALL
        windows = list(_windows(stream))
        most = least = Decimal(0)
        bills = [seen for seen in stream if getattr(seen.fact, "bill", None) is not None]
        known_until = bills[-2].recorded.position if len(bills) > 1 else 0
        started: SubscriptionStarted = stream[0].fact
        merchant_id = stream[0].recorded.merchant_id
        meter_id = evidence.business.usage.billed[merchant_id]
        for start, end in windows:
            used = used_in(evidence, started.credit_account_id, meter_id, start, end)
            most += sum(quantity for _, quantity in used)
            least += sum(quantity for position, quantity in used if position <= known_until)
        state = fold(stream)
        assert isinstance(state, Subscription), "a stream of a subscription"
        if not least <= billed <= most or (windows and not state.is_canceled):
            raise Broken(
                "what was used is billed, and once",
                f"{subscription_id}: {billed} of {least} to {most} in {windows}",
            )


def _billed_cents(fact: Any) -> int:
    bill = getattr(fact, "bill", None)
    return sum(
        -line.amount.units if line.is_credit else line.amount.units
        for line in (() if bill is None else bill.lines)
        if line.description.startswith(METERED)
    )


def _windows(stream: Sequence[Seen]) -> Iterator[tuple[datetime, datetime]]:
    """From when to when calls were asked for, by the plan of that time; in whole hours. The hour in which
    the first period begins was begun without it; that in which it ends is the last.
    """
    since: datetime | None = None
    paused_at: datetime | None = None
    end: datetime | None = None
    is_metered = is_first = False
    for fact in (seen.fact for seen in stream):
        match fact:
            case SubscriptionRenewed(period=period):
                until, then = period.start, period.start
            case SubscriptionPlanChanged(period=period) if period is not None:
                until, then = fact.changed_at, fact.changed_at
            case SubscriptionPaused():
                paused_at = fact.paused_at
                continue
            case SubscriptionResumed(period=period):
                paused_at, end = None, period.end
                continue
            case SubscriptionCanceled() if end is not None:
                until, then = min(paused_at or fact.canceled_at, end), None
            case _:
                continue
        if since is not None and is_metered and until > since:
            begun = _hour_up(since) if is_first else hour_of(since)
            yield begun, _hour_up(until) if then is None else hour_of(until)
        is_first = since is None or (is_first and until <= since)
        since = then
        if then is not None:
            end, is_metered = period.end, bool(fact.plan.terms.metered)


def _hour_up(at: datetime) -> datetime:
    hour = hour_of(at)
    return hour if hour == at else hour + timedelta(hours=1)


def features_are_those_of_plans(evidence: Evidence) -> None:
    allowed: set[str] = set()
    for stream_id, stream in evidence.streams.items():
        if stream_id.startswith("en_"):
            state = fold(stream)
            assert isinstance(state, Entitlements), "a stream of entitlements"
            allowed |= {it.source.removeprefix("subscription:") for it in state.grants.values()}
    for subscription_id, stream in _subscriptions(evidence):
        state = fold(stream)
        is_on = state.status in ("trialing", "active", "past_due")
        if is_on != (subscription_id in allowed):
            raise Broken("features are those of plans", f"{subscription_id} is {state.status}")


def top_ups_never_fire_twice(evidence: Evidence) -> None:
    for stream_id, stream in evidence.streams.items():
        pending: TopUpRequested | None = None
        asked: dict[str, TopUpRequested] = {}  # by payment
        for fact in (seen.fact for seen in stream if stream_id.startswith("tu_")):
            match fact:
                case TopUpRequested():
                    if pending is not None:
                        raise Broken("a top-up never fires twice", f"{stream_id}: {fact}")
                    pending = asked[fact.payment_id] = fact
                case TopUpReopened():
                    if pending is not None:
                        raise Broken("a top-up never fires twice", f"{stream_id}: {fact}")
                    pending = asked[fact.payment_id]
                case TopUpClosed():
                    if pending is None or pending.payment_id != fact.payment_id:
                        raise Broken("what is closed was open", f"{stream_id}: {fact}")
                    if evidence.payments[fact.payment_id].requested.amount != pending.due:
                        raise Broken("a top-up asks for what is due", f"{stream_id}: {fact}")
                    pending = None
        if pending is not None and evidence.payments[pending.payment_id].status in _OVER:
            state = fold(stream)
            assert isinstance(state, TopUp), "a stream of a top-up"
            raise Broken("a top-up whose payment is over is closed", f"{stream_id}: {state}")


def nothing_is_due_by_time(evidence: Evidence) -> None:
    for subscription_id, stream in _subscriptions(evidence):
        state = fold(stream)
        if state.due_step(evidence.now) is not None:
            raise Broken("what time makes due is done", f"{subscription_id}: {state.next_step}")
    for invoice_id, invoice in evidence.invoices.items():
        final = invoice.finalised
        is_overdue = final is not None and invoice.status == "open" and final.due_at < evidence.now
        if is_overdue and invoice.fell_due_at is None:
            raise Broken("an invoice that is overdue is said to be", invoice_id)


def invoices_that_are_payable_were_drafted(evidence: Evidence) -> None:
    drafted = {seen.fact.invoice_id for seen in evidence.facts(InvoiceDrafted)}
    for payment_id, payment in evidence.payments.items():
        invoice_id = payment.requested.invoice_id
        if invoice_id is None:
            continue
        asked = {it.payment_id for it in evidence.invoices[invoice_id].asked}
        if invoice_id not in drafted or payment_id not in asked:
            raise Broken("an invoice and its payment know each other", payment_id)


def _subscriptions(evidence: Evidence) -> list[tuple[str, list[Seen]]]:
    return [(id_, it) for id_, it in evidence.streams.items() if id_.startswith("sub_")]


RULES: Final = (
    lines_add_up_to_totals,
    what_is_due_is_what_is_left,
    periods_follow_each_other,
    every_bill_is_one_invoice,
    every_allotment_is_granted_once,
    what_ends_gives_back_once,
    what_was_used_is_billed_once,
    features_are_those_of_plans,
    top_ups_never_fire_twice,
    nothing_is_due_by_time,
    invoices_that_are_payable_were_drafted,
)
