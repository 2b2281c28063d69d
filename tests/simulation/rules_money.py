"""Rules about money: what the chains say is what is on the books, once, and payments follow."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from fractions import Fraction
from typing import Final

from flamewire_ledger.domain.payment import (
    Payment,
    PaymentCanceled,
    PaymentRequested,
    PaymentResolved,
    PaymentTransferConfirmed,
    PaymentTransferReorganised,
)
from flamewire_ledger.domain.posting import (
    DEFERRED_CREDITS,
    REFUNDS_PAYABLE,
    SALES,
    SUSPENSE,
    UNAPPLIED,
    WRITE_OFFS,
)
from tests.simulation.broken import Broken
from tests.simulation.evidence import Evidence, OnChain

_MILLION = 1_000_000
_OWNED_UP_TO = (UNAPPLIED, SUSPENSE, SALES, DEFERRED_CREDITS, REFUNDS_PAYABLE, WRITE_OFFS)
_AT_REST = {"succeeded", "requires_action", "expired", "canceled", "failed"}


def given_out(evidence: Evidence) -> dict[str, str]:
    """Whose each address is: the payment it was given out for."""
    return {
        option.address: seen.fact.payment_id
        for seen in evidence.facts(PaymentRequested)
        for option in seen.fact.options
    }


def transfers_are_booked_once(evidence: Evidence) -> None:
    booked: Counter[str] = Counter()
    for seen in evidence.facts(PaymentTransferConfirmed, PaymentTransferReorganised):
        key = seen.fact.transfer.key
        booked[key] += 1 if isinstance(seen.fact, PaymentTransferConfirmed) else -1
        if booked[key] not in (0, 1):
            raise Broken("a transfer is booked at most once", f"{key} at {seen.recorded}")
    ours = given_out(evidence)
    arrived = {it.transfer.key for it in evidence.on_chain if it.transfer.address in ours}
    on_the_books = {key for key, times in booked.items() if times}
    if arrived != on_the_books:
        raise Broken(
            "what is final on a chain is on the books, and nothing else",
            f"not booked: {sorted(arrived - on_the_books)}, "
            f"booked and gone: {sorted(on_the_books - arrived)}",
        )


def wallets_hold_what_arrived(evidence: Evidence) -> None:
    ours, arrived = given_out(evidence), Counter[tuple[str, str]]()
    for it in evidence.on_chain:
        if it.transfer.address in ours:
            amount = it.transfer.amount
            arrived[f"assets:wallet:{it.transfer.network}", amount.asset.code] += amount.units
    balances = {
        place: units
        for place, units in evidence.books.balances.items()
        if place[0].startswith("assets:wallet:") and units
    }
    if balances != dict(arrived):
        raise Broken("wallets hold what arrived", f"{balances} is not {dict(arrived)}")


def books_balance(evidence: Evidence) -> None:
    books = evidence.books
    if any(books.sums().values()):
        raise Broken("postings balance per asset", f"{books.sums()}")
    for account, code in list(books.balances):
        if account in _OWNED_UP_TO and books.credit(account, code) < 0:
            raise Broken(
                "nothing is given away that did not arrive",
                f"{account} has {books.credit(account, code)} of {code}",
            )


def payments_come_to_rest(evidence: Evidence) -> None:
    for payment_id, payment in evidence.payments.items():
        if payment.status not in _AT_REST:
            raise Broken(
                "when time is up and the chains have spoken, a payment is at rest",
                f"{payment_id} is {payment.status}",
            )
        if payment.held_amounts and payment.status not in ("succeeded", "requires_action"):
            raise Broken("what is held is shown to somebody", f"{payment_id} is {payment.status}")


def success_is_what_the_chains_say(evidence: Evidence) -> None:
    """For payments that no person decided on, and whose late money is not priced anew."""
    arrived: dict[str, list[OnChain]] = {}
    ours = given_out(evidence)
    for it in evidence.on_chain:
        if it.transfer.address in ours:
            arrived.setdefault(ours[it.transfer.address], []).append(it)
    decided = {seen.recorded.stream_id for seen in evidence.facts(PaymentResolved, PaymentCanceled)}
    for payment_id, payment in evidence.payments.items():
        if payment_id in decided or payment.requested.late_policy.action == "reprice":
            continue
        least, most = _worth_in_time(payment, arrived.get(payment_id, []))
        needed = Fraction(
            payment.requested.amount.units * (_MILLION - payment.requested.tolerance_ppm), _MILLION
        )
        if payment.is_settled != (payment.status == "succeeded"):
            raise Broken("status says what is so", f"{payment_id} is {payment.status}")
        if least >= needed and not payment.is_settled:
            raise Broken("who pays enough in time has paid", f"{payment_id} is {payment.status}")
        if most < needed and payment.is_settled:
            raise Broken("success takes enough money in time", f"{payment_id} has succeeded")


def _worth_in_time(payment: Payment, arrived: list[OnChain]) -> tuple[Fraction, Fraction]:
    """What surely came in time, and what may have: it was sent in time and mined too late."""
    policy = payment.requested.late_policy  # one that holds what is late honours it for no time
    latest = payment.requested.expires_at + timedelta(seconds=policy.within_seconds)
    least = most = Fraction(0)
    for it in arrived:
        option = payment.option_for(it.transfer)
        if option is None:
            continue
        worth = Fraction(
            payment.requested.amount.units * it.transfer.amount.units, option.due.units
        )
        if it.block.at <= latest:
            least += worth
        if min(it.paid_at, it.block.at) <= latest:
            most += worth
    return least, most


RULES: Final = (
    transfers_are_booked_once,
    wallets_hold_what_arrived,
    books_balance,
    payments_come_to_rest,
    success_is_what_the_chains_say,
)
