"""Transfers: credits of one account go on in another, as the grants they are of.

One command, decided on both accounts at once and recorded whole. The parts keep what was promised of
their grants: source, priority, end, age, payment, and their share of the cost. What is held stays
where it is.
"""

from __future__ import annotations

from flamewire_ledger.domain.credit_account.burning import (
    Facts,
    check_amount,
    check_free,
    insufficient,
    known_grant,
    postings_of,
    take,
)
from flamewire_ledger.domain.credit_account.commands import TransferCredits
from flamewire_ledger.domain.credit_account.decisions import GRANTS_LIVE_MAX
from flamewire_ledger.domain.credit_account.earning import earned
from flamewire_ledger.domain.credit_account.facts import (
    CREDIT,
    CreditsTransferredIn,
    CreditsTransferredOut,
    Slice,
    TransferredGrant,
)
from flamewire_ledger.domain.credit_account.state import CreditAccount, GrantTerms
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
    check_free(sender, command.amount, command.at)
    if len(receiver.grants) + len(slices) > GRANTS_LIVE_MAX:
        raise LimitReached(
            f"an account has at most {GRANTS_LIVE_MAX} grants with something left; "
            "transfer to another, or less"
        )
    left = _out(command, slices)
    came = _in(sender, receiver, command, slices)
    return (
        (*earned(sender, command.at), *before, left),
        (*earned(receiver, command.at), came),
    )


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
        grants.append(_part(sender, part, settled, command))
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
    sender: CreditAccount, part: Slice, settles: int, command: TransferCredits
) -> TransferredGrant:
    terms = known_grant(sender, part.grant_id).terms
    return TransferredGrant(
        grant_id=derived_id("gr", command.at, command.transfer_id, terms.grant_id),
        from_grant_id=terms.grant_id,
        units=part.units,
        settles=settles,
        source=terms.source,
        priority=terms.priority,
        expires_at=terms.expires_at,
        payment_id=terms.payment_id,
        cost=_cost(terms, sender.seldom.moved.get(terms.grant_id, 0), part.units),
        granted_at=terms.granted_at,
        bought_grant_id=terms.bought_grant_id,
    )


def _cost(terms: GrantTerms, moved: int, units: int) -> Amount | None:
    """What the next units that leave a grant cost: all that ever left it cost no more than it did."""
    if terms.cost is None:
        return None
    return share(terms.cost, moved + units, terms.units) - share(terms.cost, moved, terms.units)
