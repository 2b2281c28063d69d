"""What accounts may use, at memory speed: a table in each process, as true as the log.

An account is asked for once, and what was told stays good for as long as the log has no event of its
streams behind it: the log is looked at every few milliseconds, once for all accounts, whether one is
checked or two thousand (`changes.py` says how that is known). So a check on an account that is known
is no round trip, and its answer is older than a look only by what was recorded since that look.

What a newcomer would get wrong: nothing is invalidated here. A failover, a restore or a rebuild is
another epoch, and what was told in another epoch is not looked at.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import msgspec

from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.entitlement import stream_of as grants_stream
from flamewire_ledger.domain.usage import Period, period_end, period_start
from flamewire_ledger.domain.usage import stream_of as usage_stream
from flamewire_ledger.queries.changes import Changes
from flamewire_ledger.queries.credit_account import Available, ask_facts, available
from flamewire_ledger.queries.database import ReadPool, ask
from flamewire_ledger.queries.gather import Gather

ACCOUNTS_MAX: Final = 50_000  # some 100 MB
READ_MODEL: Final = "entitlements"
CREDITS: Final = "credit_balance"
Subject: TypeAlias = tuple[str, str]  # merchant, account
Reason: TypeAlias = Literal["granted", "not_granted", "limit_reached", "no_credits"]


class Grant(msgspec.Struct, frozen=True):
    feature: str
    kind: Literal["flag", "quantity", "credits"]
    meter_id: str | None
    limit: Decimal | None
    period: Period | None


class Day(msgspec.Struct, frozen=True):
    meter_id: str
    day: date
    used: Decimal


@dataclass(frozen=True, slots=True)
class Known:
    """What was told of an account: with every event of its streams up to the two positions."""

    grants: Mapping[str, Sequence[Grant]]  # by feature
    used: Mapping[str, Sequence[tuple[date, Decimal]]]  # by meter
    credits: Available | None  # None when it has no balance yet
    epochs: tuple[str, str]
    reached: tuple[int, int]  # by the read model of entitlements, and by that of balances


@dataclass(frozen=True, slots=True)
class Entitlement:
    """May it, and why; of a quantity, how much of it is left until when."""

    entitled: bool
    reason: Reason
    limit: Decimal | None = None
    used: Decimal | None = None
    remaining: Decimal | None = None
    resets_at: datetime | None = None


_grants: Final = msgspec.json.Decoder(list[Grant])
_days: Final = msgspec.json.Decoder(list[Day])


class Entitlements:
    """Of one process. Without `changes` everybody is asked for each time."""

    def __init__(self, pool: ReadPool, changes: tuple[Changes, Changes] | None = None) -> None:
        """`changes`: of all streams for the read model of entitlements, and of accounts for that
        of balances.
        """
        self._pool = pool
        self._changes = changes
        self._known: OrderedDict[Subject, Known] = OrderedDict()
        self._asking: Gather[Subject, Known] = Gather(self._ask, keys_max=50, questions_max=3)
        self._epochs, self._reached = ("", ""), (0, 0)
        self.asked = 0  # questions put to Postgres

    async def known(
        self, partition: int, merchant_id: str, account_id: str, position: int = 0
    ) -> Known | None:
        """What is known of an account, with every event up to a position and to the log's head as
        looked at last; None when it has to be told.
        """
        if self._changes is None:
            return None
        subject = (merchant_id, account_id)
        known = self._known.get(subject)
        ours = await self._changes[0].recent(partition, position)
        theirs = await self._changes[1].recent(partition, position)
        if known is None or not ours.epoch or known.epochs != (ours.epoch, theirs.epoch):
            return None
        since, since_credits = known.reached
        is_good = (
            ours.is_unchanged(grants_stream(account_id), since, position)
            and ours.is_unchanged(usage_stream(account_id), since, position)
            and theirs.is_unchanged(account_id, since_credits, position)
        )
        if is_good:
            self._known.move_to_end(subject)
        return known if is_good else None

    async def tell(self, partition: int, merchant_id: str, account_id: str) -> Known:
        """What the read models have now."""
        subject = (merchant_id, account_id)
        if self._changes is None:
            told = await self._asking.get(subject)
            assert told is not None, "everybody who is asked for is answered"
            return told
        ours = await self._changes[0].recent(partition)
        theirs = await self._changes[1].recent(partition)
        # Said before the rows are read: they can only be later.
        epochs = (ours.epoch, theirs.epoch)
        reached = (ours.reached, theirs.reached)
        is_parked = ours.is_parked or theirs.is_parked
        told = await self._asking.get(subject)
        assert told is not None, "everybody who is asked for is answered"
        known = Known(told.grants, told.used, told.credits, epochs, reached)
        if all(epochs) and not is_parked:
            self._known[subject] = known
            if len(self._known) > ACCOUNTS_MAX:
                self._known.popitem(last=False)
        return known

    async def _ask(self, subjects: Sequence[Subject]) -> Mapping[Subject, Known]:
        self.asked += 1
        merchant_ids = [merchant_id for merchant_id, _ in subjects]
        account_ids = [account_id for _, account_id in subjects]
        rows = await ask(
            self._pool, "entitlements_of", account_ids=account_ids, merchant_ids=merchant_ids
        )
        balances = await ask_facts(self._pool, subjects)
        found = {}
        for row in rows:
            subject = (row["merchant_id"], row["account_id"])
            told = balances.get(subject)
            grants: dict[str, list[Grant]] = {}
            for grant in _grants.decode(row["grants"]):
                grants.setdefault(grant.feature, []).append(grant)
            used: dict[str, list[tuple[date, Decimal]]] = {}
            for each in _days.decode(row["days"]):
                used.setdefault(each.meter_id, []).append((each.day, each.used))
            credits_ = None if told is None else available(told.facts)
            found[subject] = Known(grants, used, credits_, ("", ""), (0, 0))
        return found


def check(known: Known, feature: str, now: datetime) -> Entitlement:
    """What is granted at that time. Of several grants of a feature the best counts."""
    found = [_check(known, grant, now) for grant in known.grants.get(feature, ())]
    if not found:
        return Entitlement(False, "not_granted")
    return max(found, key=lambda it: (it.entitled, it.limit is None, it.remaining or 0))


def _check(known: Known, grant: Grant, now: datetime) -> Entitlement:
    match grant.kind:
        case "flag":
            return Entitlement(True, "granted")
        case "credits":
            units = 0 if known.credits is None else known.credits.units(now)
            left = Decimal(f"{units}E-{CREDIT.decimals}")  # exact, which a shift is not
            return Entitlement(units > 0, "granted" if units > 0 else "no_credits", remaining=left)
        case "quantity":
            return _quantity(known, grant, now)


def _quantity(known: Known, grant: Grant, now: datetime) -> Entitlement:
    assert grant.meter_id is not None, "a quantity is of a meter"
    assert grant.limit is not None, "a quantity has a limit"
    assert grant.period is not None, "a quantity has a period"
    start = period_start(grant.period, now)
    end = period_end(grant.period, start)
    first, last = start.date(), (end - timedelta(days=1)).date()
    days = known.used.get(grant.meter_id, ())
    used = sum((units for day, units in days if first <= day <= last), Decimal(0))
    remaining = max(Decimal(0), grant.limit - used)
    is_left = used < grant.limit
    reason: Reason = "granted" if is_left else "limit_reached"
    return Entitlement(is_left, reason, grant.limit, used, remaining, end)
