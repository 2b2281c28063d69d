"""Transfers: credits of one account go on in another, as the grants they are of.

One command, decided on both accounts at once and recorded whole. The parts keep what was promised of
their grants: source, priority, end, age, payment, and their share of the cost. What is held stays
where it is.
"""

from __future__ import annotations

from datetime import datetime

from flamewire_ledger.domain.credit_account.burning import (
    Facts,
    check_amount,
    insufficient,
    known_grant,
    postings_of,
    take,
)
from flamewire_ledger.domain.credit_account.commands import TransferCredits
from flamewire_ledger.domain.credit_account.decisions import GRANTS_LIVE_MAX
from flamewire_ledger.domain.credit_account.facts import (
    CREDIT,
    CreditsTransferredIn,
    CreditsTransferredOut,
    Slice,
    TransferredGrant,
)
from flamewire_ledger.domain.credit_account.state import CreditAccount, Grant
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount, share
from flamewire_ledger.domain.posting import CREDITS_OWED, credits_available
from flamewire_ledger.domain.rejection import LimitReached, Malformed, NotFound


def decide_transfer(
    sender: CreditAccount | None, receiver: CreditAccount | None, command: TransferCredits
) -> tuple[Facts, Facts]:
    """Facts of the account it leaves and of the one it comes to, or a Rejection.

    What the receiver owes is settled first, as by any grant.
    """
    if command.account_id == command.to_account_id:
        raise Malformed("a transfer is between two accounts", pointer="/to")
    if sender is None:
        raise NotFound(f"there is no credit account {command.account_id}")
    if receiver is None:
        raise NotFound(f"there is no credit account {command.to_account_id}", pointer="/to")
    check_amount(command.amount)
    before, slices, missing = take(sender, command.amount.units, command.at)
    if missing:
        raise insufficient(sender, command.amount, command.at)
    if len(receiver.grants) + len(slices) > GRANTS_LIVE_MAX:
        raise LimitReached(
            f"an account has at most {GRANTS_LIVE_MAX} grants with something left; "
            "transfer to another, or less"
        )
    left = _out(command, slices)
    return (*before, left), (_in(sender, receiver, command, slices),)


def _out(command: TransferCredits, slices: tuple[Slice, ...]) -> CreditsTransferredOut:
    return CreditsTransferredOut(
        account_id=command.account_id,
        transfer_id=command.transfer_id,
        to_account_id=command.to_account_id,
        amount=command.amount,
        slices=slices,
        reference=command.reference,
        postings=postings_of(
            (
                credits_available(command.to_account_id),
                credits_available(command.account_id),
                command.amount.units,
            )
        ),
        transferred_at=command.at,
    )


def _in(
    sender: CreditAccount,
    receiver: CreditAccount,
    command: TransferCredits,
    slices: tuple[Slice, ...],
) -> CreditsTransferredIn:
    settles = min(receiver.owed, command.amount.units)
    to_settle = settles
    grants = []
    for part in slices:
        settled = min(part.units, to_settle)
        to_settle -= settled
        grant = known_grant(sender, part.grant_id)
        grants.append(_part(grant, part.units, settled, command.transfer_id, command.at))
    return CreditsTransferredIn(
        account_id=command.to_account_id,
        transfer_id=command.transfer_id,
        from_account_id=command.account_id,
        amount=command.amount,
        grants=tuple(grants),
        settles=Amount(CREDIT, settles),
        reference=command.reference,
        postings=postings_of((CREDITS_OWED, credits_available(command.to_account_id), settles)),
        transferred_at=command.at,
    )


def _part(
    grant: Grant, units: int, settles: int, transfer_id: str, at: datetime
) -> TransferredGrant:
    terms = grant.terms
    return TransferredGrant(
        grant_id=derived_id("gr", at, transfer_id, terms.grant_id),
        from_grant_id=terms.grant_id,
        units=units,
        settles=settles,
        source=terms.source,
        priority=terms.priority,
        expires_at=terms.expires_at,
        payment_id=terms.payment_id,
        cost=_cost(grant, units),
        granted_at=terms.granted_at,
    )


def _cost(grant: Grant, units: int) -> Amount | None:
    """What the next units of a grant cost, so that the costs of all its parts add up to its own."""
    terms = grant.terms
    if terms.cost is None:
        return None
    gone = terms.units - grant.remaining - grant.held
    return share(terms.cost, gone + units, terms.units) - share(terms.cost, gone, terms.units)
