"""Rules about credits and receipts: what was paid for is granted once, and nothing is burnt that
was not granted.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from flamewire_ledger.domain.credit_account import (
    CreditAccount,
    CreditsConsumed,
    CreditsGranted,
    CreditsHeld,
    CreditsRefunded,
    CreditsTransferredIn,
    CreditsTransferredOut,
    GrantExpired,
    GrantReversed,
    HoldCaptured,
    HoldReleased,
    balance,
)
from flamewire_ledger.domain.invoice import (
    CreditNoteIssued,
    InvoiceFinalised,
    InvoiceIssued,
    InvoiceNumberAssigned,
    InvoiceVoided,
)
from flamewire_ledger.domain.payment import (
    PaymentResolved,
    PaymentSucceeded,
    PaymentTransferReorganised,
)
from flamewire_ledger.domain.posting import (
    CREDITS_BREAKAGE,
    CREDITS_CONSUMED,
    CREDITS_OWED,
    credits_available,
    credits_held,
)
from flamewire_ledger.domain.price_lock import PriceLock
from tests.simulation.broken import Broken
from tests.simulation.evidence import Evidence, Seen, fold


def what_was_bought_is_granted_once(evidence: Evidence) -> None:
    bought = {
        seen.fact.grant_id: seen.fact.credits
        for seen in evidence.facts(PaymentSucceeded, PaymentResolved)
        if seen.fact.grant_id is not None
    }
    granted = [
        (seen.fact.grant_id, seen.fact.amount)
        for seen in evidence.facts(CreditsGranted)
        if seen.fact.source == "purchased"
    ]
    if Counter(granted) != Counter(bought.items()):
        raise Broken(
            "what was bought is granted once, and nothing else",
            f"bought {sorted(bought.keys() - {id_ for id_, _ in granted})} without a grant; "
            f"granted {granted}",
        )


def what_was_undone_is_taken_back(evidence: Evidence) -> None:
    undone = [
        grant_id
        for seen in evidence.facts(PaymentTransferReorganised)
        for grant_id in seen.fact.grants_undone
    ]
    reversed_ = [seen.fact.grant_id for seen in evidence.facts(GrantReversed)]
    if Counter(undone) != Counter(reversed_):
        raise Broken("what was undone is taken back", f"{undone} is not {reversed_}")


def every_sale_in_force_has_its_receipt(evidence: Evidence) -> None:
    """As many receipts that are not void as there are successes and credits that were not undone."""
    void = {seen.fact.invoice_id for seen in evidence.facts(InvoiceVoided)}
    receipts: Counter[str] = Counter()
    for seen in evidence.facts(InvoiceIssued):
        receipts[seen.fact.payment_id] += seen.fact.invoice_id not in void
    for payment_id, payment in evidence.payments.items():
        in_force = {settling.number for settling in payment.settlings}
        sales = _sales(evidence.streams[payment_id], in_force)
        if receipts[payment_id] != sales:
            raise Broken(
                "every sale in force has its receipt",
                f"{payment_id} has {receipts[payment_id]} receipts for {sales} sales",
            )


def _sales(stream: list[Seen], in_force: set[int]) -> int:
    number = sales = 0
    for fact in (seen.fact for seen in stream):
        if isinstance(fact, PaymentSucceeded | PaymentResolved) and fact.uses:
            number += 1
            is_sale = isinstance(fact, PaymentSucceeded) or fact.grant_id is not None
            sales += is_sale and number in in_force and not _pays_invoice(stream, fact)
    return sales


def _pays_invoice(stream: list[Seen], fact: Any) -> bool:
    """What is paid for an invoice has its paper already."""
    return isinstance(fact, PaymentSucceeded) and stream[0].fact.invoice_id is not None


def invoice_numbers_have_no_gaps(evidence: Evidence) -> None:
    """Receipts and invoices from one register a year, credit notes from another."""
    numbers: dict[str, list[int]] = {}
    issued = {
        seen.fact.credit_note_id
        if isinstance(seen.fact, CreditNoteIssued)
        else seen.fact.invoice_id: seen.fact.number
        for seen in evidence.facts(InvoiceIssued, InvoiceFinalised, CreditNoteIssued)
    }
    for seen in evidence.facts(InvoiceNumberAssigned):
        fact = seen.fact
        numbers.setdefault(fact.register_id, []).append(fact.sequence)
        year = fact.register_id.rpartition("_")[2]
        series = "CN-" if fact.register_id.startswith("cnr_") else ""
        number = issued.pop(fact.document_id, None)
        if number != f"{series}{year}-{fact.sequence:06d}":
            raise Broken("a number that was given is used", f"{fact} is not {number}")
    if issued:
        raise Broken("every invoice has its number from a register", f"{list(issued)} have not")
    for register, sequences in numbers.items():
        if sequences != list(range(1, len(sequences) + 1)):
            raise Broken("invoice numbers have no gaps", f"{register} has {sequences}")


def credits_add_up_at_every_moment(evidence: Evidence) -> None:
    for account_id in evidence.accounts:
        state: CreditAccount | None = None
        tally = _Tally()
        stream = evidence.streams[account_id]
        for version, seen in enumerate(stream, start=1):
            state = fold(stream[:version]) if state is None else _next(state, seen.fact)
            tally.take(seen.fact)
            tally.check(state, f"{account_id} at version {version}")


def _next(state: CreditAccount, fact: Any) -> CreditAccount:
    from flamewire_ledger.domain.credit_account import evolve

    return evolve(state, fact)


class _Tally:
    """Sums of what the facts say, kept without knowing how a state folds."""

    def __init__(self) -> None:
        self.granted = self.consumed = self.held = self.owed = 0
        self.came = self.left = 0  # from and to other accounts

    def take(self, fact: Any) -> None:
        match fact:
            case CreditsGranted(amount=amount, settles=settles):
                self.granted += amount.units
                self.owed -= settles.units
            case CreditsConsumed(amount=amount, overage=overage):
                self.consumed += amount.units
                self.owed += overage.units
            case CreditsHeld(amount=amount):
                self.held += amount.units
            case HoldCaptured(captured=captured, released=released, owed=owed):
                self.held -= captured.units + sum(part.units for part in released)
                self.consumed += captured.units
                self.owed += owed.units
            case HoldReleased(amount=amount):
                self.held -= amount.units
            case GrantReversed(owed=owed):
                self.owed += owed.units
            case CreditsRefunded(amount=amount, owed=owed):
                self.consumed -= amount.units
                self.owed -= owed.units
            case CreditsTransferredIn(amount=amount, settles=settles):
                self.came += amount.units
                self.owed -= settles.units
            case CreditsTransferredOut(amount=amount):
                self.left += amount.units

    def check(self, state: CreditAccount, where: str) -> None:
        available = sum(grant.remaining for grant in state.grants)
        held = sum(hold.units for hold in state.holds.values())
        if any(grant.remaining < 0 or grant.held < 0 for grant in state.grants):
            raise Broken("available credits never go below zero", where)
        moved = (state.seldom.transferred_in, state.seldom.transferred_out)
        told = (state.granted, state.consumed, held, state.owed, *moved)
        if told != (self.granted, self.consumed, self.held, self.owed, self.came, self.left):
            raise Broken("an account adds up to its facts", f"{where}: {told}")
        spent = available + held + state.consumed + state.expired + state.taken_back + self.left
        if state.granted + state.owed + self.came != spent:
            raise Broken(
                "granted + owed + came = available + held + consumed + expired + taken back + left",
                where,
            )


def books_say_what_accounts_say(evidence: Evidence) -> None:
    for account_id, account in evidence.accounts.items():
        available = sum(grant.remaining for grant in account.grants)
        held = sum(hold.units for hold in account.holds.values())
        on_the_books = (
            evidence.books.debit(credits_available(account_id), "CREDIT"),
            evidence.books.debit(credits_held(account_id), "CREDIT"),
        )
        if on_the_books != (available, held):
            raise Broken(
                "the books say what the account says",
                f"{account_id}: {on_the_books} on the books, {(available, held)} in the account",
            )


def credits_add_up_over_all_accounts(evidence: Evidence) -> None:
    """In the books too. What left one account came to another."""
    accounts = evidence.accounts.values()
    came = sum(it.seldom.transferred_in for it in accounts)
    left = sum(it.seldom.transferred_out for it in accounts)
    if came != left:
        raise Broken("what left one account came to another", f"{left} left, {came} came")
    for account, units in (
        (CREDITS_CONSUMED, sum(it.consumed for it in accounts)),
        (CREDITS_BREAKAGE, sum(it.expired for it in accounts)),
        (CREDITS_OWED, sum(it.owed for it in accounts)),
    ):
        if abs(evidence.books.debit(account, "CREDIT")) != units:
            raise Broken(
                "the books have what all accounts have",
                f"{account}: {evidence.books.debit(account, 'CREDIT')}, not {units}",
            )


def everything_past_its_time_is_over(evidence: Evidence) -> None:
    for account_id, account in evidence.accounts.items():
        if account.holds:
            raise Broken("holds past their time are let go", f"{account_id}: {account.holds}")
        stored = sum(grant.remaining for grant in account.grants)
        if balance(account, evidence.now).available.units != stored:
            raise Broken("grants past their time lapse", account_id)
    for stream_id, seen in evidence.streams.items():
        lock = fold(seen) if stream_id.startswith("pl_") else None
        if isinstance(lock, PriceLock) and lock.used_by is None and not lock.is_expired:
            raise Broken("price locks past their time are over", stream_id)
    for seen in evidence.facts(GrantExpired, HoldReleased):
        fact = seen.fact
        if isinstance(fact, GrantExpired) and fact.amount.units < 0:
            raise Broken("nothing lapses twice", seen.recorded.stream_id)


RULES: Final = (
    what_was_bought_is_granted_once,
    what_was_undone_is_taken_back,
    every_sale_in_force_has_its_receipt,
    invoice_numbers_have_no_gaps,
    credits_add_up_at_every_moment,
    books_say_what_accounts_say,
    credits_add_up_over_all_accounts,
    everything_past_its_time_is_over,
)
