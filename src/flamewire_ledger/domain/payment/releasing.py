"""What is decided when an invoice did not need the payment that was made for it: paid twice, voided,
or partly given back meanwhile. What it did not need is the customer's, as any other excess.
"""

from __future__ import annotations

from dataclasses import replace

from flamewire_ledger.domain.payment.commands import ReleaseApplied
from flamewire_ledger.domain.payment.facts import PaymentApplicationReleased, Use
from flamewire_ledger.domain.payment.settling import (
    Facts,
    by_account,
    labels_of_excess,
)
from flamewire_ledger.domain.payment.state import Payment, evolve
from flamewire_ledger.domain.posting import CONVERSION, Posting


def release(payment: Payment, command: ReleaseApplied) -> Facts:
    """Take back the share of the surplus from each transfer that was used, rounded down: what is
    less than a unit has paid the invoice.
    """
    settling = next((it for it in payment.settlings if it.number == command.settling), None)
    if settling is None:
        return ()  # the chain took it back meanwhile; of what came in its place another command says
    part, whole = command.surplus.units, command.amount.units
    taken = (Use(use.transfer, use.units * part // whole) for use in settling.uses)
    uses = tuple(use for use in taken if use.units)
    if not uses:
        return ()
    postings = tuple(
        Posting(debit=CONVERSION, credit=held_on, amount=amount)
        for held_on, amount in by_account(payment, uses)
    )
    event = PaymentApplicationReleased(
        payment_id=payment.requested.payment_id,
        settling=settling.number,
        uses=uses,
        excess=(),
        postings=postings,
        totals=payment.totals,
        labels=(),
        released_at=command.at,
    )
    after = evolve(payment, event)
    labels = labels_of_excess(after)
    return (replace(event, excess=after.held_amounts, totals=after.totals, labels=labels),)
