"""Rules about money: what the chains say is what is on the books, once, and payments follow."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from fractions import Fraction
from typing import Final

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import (
    Payment,
    PaymentCanceled,
    PaymentRequested,
    PaymentResolved,
    PaymentTransferConfirmed,
    PaymentTransferReorganised,
)
from flamewire_ledger.domain.posting import (
    BREAKAGE,
    DEFERRED_CREDITS,
    REFUNDS_PAYABLE,
    SALES,
    SUSPENSE,
    UNAPPLIED,
    WRITE_OFFS,
)
from flamewire_ledger.domain.transfer import Transfer
from flamewire_ledger.domain.unclaimed_transfer import (
    UnclaimedTransferAssigned,
    UnclaimedTransferConfirmed,
    UnclaimedTransferReorganised,
)
from tests.simulation.broken import Broken
from tests.simulation.evidence import Evidence, OnChain

_MILLION = 1_000_000
_OWNED_UP_TO = (
    UNAPPLIED, SUSPENSE, SALES, BREAKAGE, DEFERRED_CREDITS, REFUNDS_PAYABLE, WRITE_OFFS,
)  # fmt: skip
_AT_REST = {"succeeded", "requires_action", "expired", "canceled", "failed"}


class Owners:
    """Whose a transfer is, by what payments asked for and by what the operator decided."""

    def __init__(self, evidence: Evidence) -> None:
        self._by_address: dict[str, str] = {}
        self._by_mark: dict[tuple[str, str | None], str] = {}
        self._by_amount: dict[tuple[str, Amount], str] = {}
        for seen in evidence.facts(PaymentRequested):
            for option in seen.fact.options:
                match option.identified_by:
                    case "address":
                        self._by_address[option.address] = seen.fact.payment_id
                    case "mark":
                        self._by_mark[option.address, option.mark] = seen.fact.payment_id
                    case "amount":
                        self._by_amount[option.address, option.due] = seen.fact.payment_id
        self._shared = evidence.shared_addresses
        self._assigned: dict[str, str] = {
            seen.fact.transfer.key: seen.fact.payment_id
            for seen in evidence.facts(UnclaimedTransferAssigned)
        }

    def is_ours(self, transfer: Transfer) -> bool:
        return transfer.address in self._by_address or self.is_shared(transfer)

    def is_shared(self, transfer: Transfer) -> bool:
        return (transfer.network, transfer.address) in self._shared

    def of(self, transfer: Transfer) -> str | None:
        """The payment it is for; None when it is nobody's."""
        if not self.is_shared(transfer):
            return self._by_address.get(transfer.address)
        return (
            self._by_mark.get((transfer.address, transfer.mark))
            or self._by_amount.get((transfer.address, transfer.amount))
            or self._assigned.get(transfer.key)
        )


def transfers_are_booked_once(evidence: Evidence) -> None:
    """By a payment, or as unclaimed: what is assigned leaves the one when it comes to the other."""
    booked: Counter[tuple[str, str]] = Counter()
    for seen in evidence.facts(
        PaymentTransferConfirmed, PaymentTransferReorganised, UnclaimedTransferConfirmed,
        UnclaimedTransferAssigned, UnclaimedTransferReorganised,
    ):  # fmt: skip
        place = (seen.recorded.stream_id, seen.fact.transfer.key)
        match seen.fact:
            case PaymentTransferConfirmed() | UnclaimedTransferConfirmed():
                booked[place] += 1
            case UnclaimedTransferReorganised(payment_id=str()):
                pass  # it had left these books
            case _:
                booked[place] -= 1
        if booked[place] not in (0, 1):
            raise Broken("a transfer is booked at most once", f"{place} at {seen.recorded}")
    owners = Owners(evidence)
    arrived = sorted(it.transfer.key for it in evidence.on_chain if owners.is_ours(it.transfer))
    on_the_books = sorted(key for (_, key), times in booked.items() if times)
    if arrived != on_the_books:
        raise Broken(
            "what is final on a chain is on the books once, and nothing else",
            f"not booked: {sorted(set(arrived) - set(on_the_books))}, "
            f"booked and gone: {sorted(set(on_the_books) - set(arrived))}",
        )


def everything_is_its_owners(evidence: Evidence) -> None:
    """What is nobody's is unclaimed, and what is a payment's is on its books and on no other's."""
    owners = Owners(evidence)
    for it in evidence.on_chain:
        if not owners.is_ours(it.transfer):
            continue
        key, owner = it.transfer.key, owners.of(it.transfer)
        holders = [id_ for id_, payment in evidence.payments.items() if _has(payment, key)]
        if holders != ([] if owner is None else [owner]):
            raise Broken("each payment has its own", f"{key} is {owner}'s, and {holders} have it")


def _has(payment: Payment, key: str) -> bool:
    arrival = payment.arrivals.get(key)
    return arrival is not None and arrival.status == "confirmed"


def wallets_hold_what_arrived(evidence: Evidence) -> None:
    owners, arrived = Owners(evidence), Counter[tuple[str, str]]()
    for it in evidence.on_chain:
        if owners.is_ours(it.transfer):
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
    owners = Owners(evidence)
    for it in evidence.on_chain:
        owner = owners.of(it.transfer)
        if owner is not None:
            arrived.setdefault(owner, []).append(it)
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
    everything_is_its_owners,
    wallets_hold_what_arrived,
    books_balance,
    payments_come_to_rest,
    success_is_what_the_chains_say,
)
