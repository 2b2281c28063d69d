"""Commands on the usage of an account, as envelopes: a batch of usage and the credits it burns are
recorded together or not at all.

A batch is never refused as a whole: what is over a hard limit or costs more credits than there are
is left out, and the stored answer says what, so that whoever asks again is told the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from flamewire_ledger.commands.credit_account import CREDIT_ACCOUNT
from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.metering import Bundle, InMonth, exact_sum
from flamewire_ledger.commands.origin import Answer, Decision, Origin
from flamewire_ledger.domain import credit_account, usage
from flamewire_ledger.domain.credit_account import (
    CREDIT,
    ConsumeCredits,
    CreditAccount,
    CreditsConsumed,
    balance_units,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import InsufficientCredits, NotFound
from flamewire_ledger.domain.usage import RecordUsage, UsageCommand, stream_of

USAGE: Final = Decider("usage", usage.evolve, usage.Usage, "usage.1")
OVER_LIMIT: Final = "limit_reached"
NO_CREDITS: Final = InsufficientCredits.code
GIVEN_UP: Final = "given_up"


class Verdict(msgspec.Struct, frozen=True):
    """What became of a batch: bundles left out with the reason, and how many events came behind
    that of the batch. The stored answer of its command.
    """

    refused: dict[int, str]
    behind: int
    is_empty: bool


# What nobody else's verdict is: a batch that is recorded as nothing names the bundles it refused.
_NEVER: Final = Verdict({}, 0, is_empty=True)
read_verdict: Final = msgspec.json.Decoder(Verdict).decode


def envelope(origin: Origin, command: UsageCommand, answer: Answer | None = None) -> Envelope:
    """One command on the usage of one account."""
    stream_id = stream_of(command.account_id)

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: usage.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, USAGE),), decide, answer)


@dataclass(slots=True)
class _Burn:
    """What bundles cost, and who pays: credits that are burnt, or nobody."""

    taken: list[Bundle] = field(default_factory=list)
    burnt: int = 0
    unpaid: int = 0
    used: dict[tuple[str, datetime], Decimal] = field(default_factory=dict)  # by meter and month

    def cost(self, bundle: Bundle, state: usage.Usage) -> int:
        """In units of credits, behind all that was recorded and is taken so far."""
        units = bundle.cost_units
        for it in bundle.in_months:
            recorded = state.used(it.meter_id, "month", it.month)
            units += it.cost_units(exact_sum((recorded, self._taken(it))))
        return units

    def take(self, bundle: Bundle) -> None:
        self.taken.append(bundle)
        for it in bundle.in_months:
            self.used[it.meter_id, it.month] = exact_sum((self._taken(it), it.quantity))

    def _taken(self, it: InMonth) -> Decimal:
        return self.used.get((it.meter_id, it.month), Decimal(0))


def record(
    origin: Origin, account_id: str, batch_id: str, bundles: Sequence[Bundle], at: datetime
) -> Envelope:
    """A batch of usage of one account. Its stored answer is a Verdict."""
    stream_id = stream_of(account_id)
    refused: dict[int, str] = {}

    def decide(states: Mapping[str, Any]) -> Facts:
        refused.clear()
        state, account = states[stream_id], states[account_id]
        if account is None:
            raise NotFound(f"there is no credit account {account_id}")
        kept = usage.within_hard_limits(state, [bundle.fact for bundle in bundles])
        numbers = {fact.number for fact in kept}
        within = [bundle for bundle in bundles if bundle.fact.number in numbers]
        burn = _burn(account, state or usage.Usage(), within, at)
        taken = {bundle.fact.number for bundle in burn.taken}
        for bundle in bundles:
            number = bundle.fact.number
            if number not in taken:
                refused[number] = NO_CREDITS if number in numbers else OVER_LIMIT
        facts: dict[str, Sequence[Any]] = {}
        used_up: tuple[str, ...] = ()
        if burn.burnt:
            reference = f"usage:{batch_id}"
            consume = ConsumeCredits(account_id, Amount(CREDIT, burn.burnt), at, reference)
            facts[account_id] = credit_account.decide(account, consume)
            used_up = _used_up(account, facts[account_id])
        command = RecordUsage(
            account_id=account_id,
            batch_id=batch_id,
            bundles=tuple(bundle.fact for bundle in burn.taken),
            burnt=Amount(CREDIT, burn.burnt),
            unpaid=Amount(CREDIT, burn.unpaid),
            at=at,
            grants_used_up=used_up,
        )
        # The usage comes last: its position is the command's.
        facts[stream_id] = usage.decide(state, command)
        return facts

    def answer(decision: Decision) -> bytes:
        recorded = len(decision.facts[stream_id])
        verdict = Verdict(dict(refused), max(0, recorded - 1), is_empty=not recorded)
        return msgspec.json.encode(verdict)

    subjects = (Subject(stream_id, USAGE), Subject(account_id, CREDIT_ACCOUNT))
    return origin.envelope(subjects, decide, answer)


def give_up(origin: Origin, batch_id: str) -> Envelope:
    """That a batch is never recorded, under the same command id that it would be recorded under: so
    the log takes the one or the other. It looks at no stream that there is: one that does not fold
    may be what was wrong.
    """
    return origin.envelope(
        (Subject(f"usage:{batch_id}", USAGE),),
        lambda _: {},
        lambda _: msgspec.json.encode(_NEVER),
    )


def is_given_up(verdict: Verdict) -> bool:
    """Whether a batch is never recorded because a person decided so."""
    return verdict == _NEVER


def _burn(
    account: CreditAccount, state: usage.Usage, bundles: Sequence[Bundle], at: datetime
) -> _Burn:
    """Which bundles are taken, each judged behind those in front of it that are."""
    burn = _Burn()
    available = balance_units(account, at).available if any(b.is_priced for b in bundles) else 0
    for bundle in bundles:
        cost, left = burn.cost(bundle, state), max(0, available - burn.burnt)
        if cost > left:
            match bundle.on_insufficient:
                case "reject":
                    continue
                case "overage" if not _allows(account, burn.burnt + cost, at):
                    continue
                case "overage":
                    pass
                case "record_unpaid":
                    burn.unpaid += cost - left
                    cost = left
        burn.burnt += cost
        burn.take(bundle)
    return burn


def _allows(account: CreditAccount, units: int, at: datetime) -> bool:
    """Whether the account may go so far, below zero if it has to."""
    try:
        command = ConsumeCredits(account.opened.account_id, Amount(CREDIT, units), at)
        credit_account.decide(account, command)
    except InsufficientCredits:
        return False
    return True


def _used_up(account: CreditAccount, facts: Sequence[Any]) -> tuple[str, ...]:
    """Grants of which these facts burn the last."""
    after = account
    touched: list[str] = []
    for fact in facts:
        after = credit_account.evolve(after, fact)
        if isinstance(fact, CreditsConsumed):
            touched += [part.grant_id for part in fact.slices]
    grants = [after.grant(grant_id) for grant_id in touched]
    return tuple(
        grant.terms.grant_id
        for grant in grants
        if grant is not None and not grant.remaining and not grant.held
    )
