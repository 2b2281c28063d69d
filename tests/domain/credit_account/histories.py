"""Two accounts and everything that became true of them, with what an oracle knows of it beside: what
random histories are made of.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from flamewire_ledger.domain.credit_account import (
    ConsumeCredits,
    Consumption,
    CreditsConsumed,
    CreditsGranted,
    GrantCredits,
    GrantRecurring,
    GrantReversed,
    HoldCaptured,
    OpenCreditAccount,
    PurchaseRefunded,
    RecurringGrantSkipped,
    SetOverage,
    SetRecurringGrant,
    TransferCredits,
    balance,
    balance_units,
    decide,
    decide_transfer,
    evolve,
    free_units,
)
from flamewire_ledger.domain.credit_account.explaining import (
    BALANCE,
    GIVEN,
    USED,
    Explanation,
)
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.posting import (
    DEFERRED_CREDITS,
)
from flamewire_ledger.domain.rejection import Rejection
from tests.domain.books import Books
from tests.domain.credit_account.samples import credit, minute

NAMES = ("ca_ada", "ca_bob")
TAO = Asset("bittensor:TAO", 9)
PAID = Amount(TAO, 1_000_000_007)


class TwoAccounts:
    def begin(self, overage_max) -> None:
        self.now = 0
        self.made = 0
        self.states: dict[str, Any] = dict.fromkeys(NAMES)
        self.events: dict[str, list[Any]] = {name: [] for name in NAMES}
        self.consumptions: dict[str, list[Consumption]] = {name: [] for name in NAMES}
        self.refunded: dict[int, int] = {}
        self.bought: dict[str, int] = {}  # grants that were paid for: their units
        self.came_of: dict[str, str] = {}  # a part that was transferred: the grant it came of
        self.costs: Counter[str] = Counter()  # of a grant's parts, together
        self.payable: Counter[str] = Counter()  # of a purchase, whoever has the rest of it
        self.promised: Counter[str] = Counter()  # the same of each grant
        self.periods: dict[str, int] = {}  # of recurring grants: what was told of last
        self.explained = {name: Explanation(lines_max=10_000) for name in NAMES}
        self.books = Books()
        for name in NAMES:
            self.do(OpenCreditAccount(name, None, None, minute(0), credit(overage_max)))

    def take(self, name, events):
        for event in events:
            self.states[name] = evolve(self.states[name], event)
            self.books.take(event)
            self.events[name].append(event)
            self.made += 1
            self.explained[name].take(self.made, event)
            match event:
                case CreditsConsumed(slices=slices, overage=overage, reference=reference):
                    made = Consumption(self.made, slices, overage.units, reference)
                    self.consumptions[name].append(made)
                case HoldCaptured(slices=slices, reference=reference):
                    made = Consumption(self.made, slices, 0, reference)
                    self.consumptions[name].append(made)
                case PurchaseRefunded(grant_id=grant_id, payable=payable):
                    units = sum(it.units for it in payable)
                    self.promised[grant_id] += units
                    self.payable[self.purchase(grant_id)] += units
                case GrantReversed(grant_id=grant_id):  # what never came is not to be returned
                    self.payable[self.purchase(grant_id)] -= self.promised.pop(grant_id, 0)
                case CreditsGranted(recurring=period, expires_at=ends, granted_at=at):
                    assert ends is None or ends > at  # what is over is not even given
                    if period is not None:
                        self.passed(period.rule_id, period.number, period.number)
                case RecurringGrantSkipped():
                    self.passed(event.rule_id, event.first_period, event.last_period)

    def purchase(self, grant_id):
        """The grant that was bought, of which this one is a part."""
        while grant_id in self.came_of:
            grant_id = self.came_of[grant_id]
        return grant_id

    def passed(self, rule_id, first, last):
        """Each period is granted or skipped, once and in its turn."""
        assert first == self.periods.get(rule_id, first - 1) + 1
        self.periods[rule_id] = last

    def do(self, command):
        """Whether it was not refused."""
        try:
            events = decide(self.states[command.account_id], command)
        except Rejection:
            return False
        self.take(command.account_id, events)
        return True

    def a_grant(self, data, name) -> str | None:
        state = self.states[name]
        known = [it.terms.grant_id for it in state.grants]
        known += [grant_id for shelf in state.used_up.values() for grant_id in shelf]
        return data.draw(st.sampled_from(sorted(known))) if known else None

    def available(self, name) -> int:
        return balance_units(self.states[name], minute(self.now)).available

    def covered(self, name, units) -> None:
        if self.available(name) < units:
            self.give(name, units + self.states[name].owed)

    def give(self, name, units, priority=50, lasts=None, *, is_bought=False) -> None:
        self.made += 1
        assert self.do(
            GrantCredits(
                name,
                f"gr_{self.made}",
                credit(units),
                "purchased" if is_bought else "granted",
                minute(self.now),
                priority,
                None if lasts is None else minute(self.now + lasts),
                f"pi_{self.made}" if is_bought else None,
                PAID if is_bought else None,
            )
        )
        if is_bought:
            self.bought[self.events[name][-1].grant_id] = units
            self.books.balances[DEFERRED_CREDITS, TAO.code] -= PAID.units
            self.books.balances["paid", TAO.code] += PAID.units

    def owe(self, name, units) -> None:
        """Burn all there is, and so much more."""
        owed = self.states[name].owed + units
        self.do(SetOverage(name, credit(owed), minute(self.now), "by hand"))
        amount = credit(self.available(name) + units)
        assert self.do(ConsumeCredits(name, amount, minute(self.now), "call"))
        assert self.states[name].owed == owed

    def send(self, name, units) -> None:
        other = NAMES[name == NAMES[0]]
        self.made += 1
        command = TransferCredits(name, other, f"tr_{self.made}", credit(units), minute(self.now))
        now = balance(self.states[name], minute(self.now))
        reachable = free_units(self.states[name], minute(self.now))
        assert reachable == max(0, now.available.units - now.owed.units)
        try:
            left, came = decide_transfer(self.states[name], self.states[other], command)
        except Rejection:
            assert units > reachable
            return
        assert units <= reachable
        self.take(name, left)
        self.take(other, came)
        sent = {part.grant_id: part.units for part in left[-1].slices}
        for part in came[-1].grants:
            old = self.states[name].grant(part.from_grant_id).terms
            new = self.states[other].grant(part.grant_id).terms
            assert sent.pop(part.from_grant_id) == part.units
            self.came_of[part.grant_id] = part.from_grant_id
            self.costs[part.from_grant_id] += 0 if part.cost is None else part.cost.units
            assert self.costs[part.from_grant_id] <= (0 if old.cost is None else old.cost.units)
            assert replace(new, grant_id=old.grant_id, units=old.units, cost=old.cost) == replace(
                old
            )
        assert not sent

    def arrange(self, name, every, units, lasts_days, ends=None) -> None:
        self.made += 1
        rule_id, at = f"rg_{self.made}", minute(self.now)
        is_made = self.do(
            SetRecurringGrant(
                name,
                rule_id,
                credit(units),
                every,
                at,
                "granted",
                at,
                expires_after_seconds=None if lasts_days is None else lasts_days * 86_400,
                until=None if ends is None else minute(self.now + ends),
            )
        )
        if is_made:  # its first period has begun
            assert self.do(GrantRecurring(name, rule_id, at))
            assert self.events[name][-1].granted_at == at

    def the_lines_of_an_explanation_add_up_to_the_balance(self, name, minutes):
        told = Explanation(lines_max=10_000, days=True)
        for position, event in enumerate(self.events[name], 1):
            told.take(position, event)
        at = minute(self.now + minutes)
        told.until(at)
        asked = balance_units(self.states[name], at)
        assert {part: told.totals.units[part] for part in BALANCE} == asked._asdict()
        total: Counter[str] = Counter()
        for line in told.lines:
            units = line.units()
            given = sum(units[part] for part in GIVEN)
            assert given == sum(units[part] for part in USED)
            total.update(units)
        assert {part: total[part] for part in BALANCE} == asked._asdict()
        periods: Counter[str] = Counter()
        for period in told.periods.values():
            periods.update(period.units)
        assert all(periods[part] == total[part] for part in BALANCE)
