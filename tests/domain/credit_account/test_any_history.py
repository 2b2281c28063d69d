"""Any history of two accounts with everything that can be asked of them: nothing comes from nowhere,
nothing is lost, and a refund puts back what its consumption took.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from flamewire_ledger.domain.credit_account import (
    CancelRecurringGrant,
    CaptureHold,
    ConsumeCredits,
    ExpireGrant,
    ExpireHold,
    GrantRecurring,
    HoldCredits,
    RefundCredits,
    RefundPurchase,
    ReleaseHold,
    ReverseGrant,
    SetOverage,
    WarnOfExpiry,
    balance_units,
    evolve,
    free_units,
)
from flamewire_ledger.domain.credit_account.explaining import (
    USED,
)
from flamewire_ledger.domain.money import share
from flamewire_ledger.domain.posting import (
    CREDITS_BREAKAGE,
    CREDITS_CONSUMED,
    CREDITS_ISSUED,
    CREDITS_OWED,
    REFUNDS_PAYABLE,
    credits_available,
    credits_held,
)
from tests.domain.credit_account.histories import NAMES, PAID, TAO, TwoAccounts
from tests.domain.credit_account.samples import credit, minute
from tests.domain.searching import STORIES
from tests.domain.snapshots import through_json

ACCOUNTS = st.sampled_from(NAMES)
UNITS = st.integers(1, 12)


class AnyHistory(TwoAccounts, RuleBasedStateMachine):
    @initialize(overage_max=st.sampled_from([0, 6]))
    def open(self, overage_max):
        self.begin(overage_max)

    # Most of these need something to begin with, and make it where there is none: or the histories
    # would be of refusals.

    @rule(minutes=st.sampled_from([1, 3, 700, 1440, 9000]))
    def wait(self, minutes):
        self.now += minutes

    @rule(
        name=ACCOUNTS,
        units=UNITS,
        priority=st.sampled_from([10, 50, 50]),
        lasts=st.sampled_from([None, None, 2, 8, 20_000]),
        is_bought=st.booleans(),
    )
    def grant(self, name, units, priority, lasts, is_bought):
        self.give(name, units, priority, lasts, is_bought=is_bought)

    @rule(name=ACCOUNTS, units=UNITS, is_covered=st.booleans())
    def consume(self, name, units, is_covered):
        if is_covered:
            self.covered(name, units)
        is_done = self.do(ConsumeCredits(name, credit(units), minute(self.now), "call"))
        assert is_done or not is_covered

    @rule(name=ACCOUNTS, units=UNITS)
    def go_below_zero(self, name, units):
        self.owe(name, units)

    @rule(name=ACCOUNTS, has=UNITS, owes=UNITS, wanted=UNITS, is_sent=st.booleans())
    def what_would_pay_a_debt_does_not_leave(self, name, has, owes, wanted, is_sent):
        """Something was given back to an account that owes something else."""
        self.covered(name, has)
        self.do(ConsumeCredits(name, credit(has), minute(self.now), "call"))
        consumption = self.consumptions[name].pop()
        self.owe(name, owes)
        assert self.do(RefundCredits(name, "re_1", consumption, minute(self.now)))
        if is_sent:
            self.send(name, wanted)

    @rule(name=ACCOUNTS, units=UNITS, lasts=st.sampled_from([1, 50]), is_covered=st.booleans())
    def hold(self, name, units, lasts, is_covered):
        if is_covered:
            self.covered(name, units)
        self.made += 1
        ends = minute(self.now + lasts)
        held = HoldCredits(name, f"ho_{self.made}", credit(units), ends, minute(self.now))
        assert self.do(held) or not is_covered

    @rule(data=st.data(), part=st.sampled_from([None, None, 2]), is_captured=st.booleans())
    def end_a_hold(self, data, part, is_captured):
        holds = [(name, it) for name in NAMES for it in sorted(self.states[name].holds)]
        if not holds:
            return
        name, hold_id = data.draw(st.sampled_from(holds))
        at = minute(self.now)
        amount = None if part is None else credit(part)
        captured = CaptureHold(name, hold_id, at, amount, "call")
        self.do(captured if is_captured else ReleaseHold(name, hold_id, at))

    @rule(name=ACCOUNTS)
    def let_holds_go_by_time(self, name):
        for hold_id, hold in self.states[name].holds.items():
            is_done = self.do(ExpireHold(name, hold_id, minute(self.now)))
            assert is_done == (hold.expires_at <= minute(self.now))

    @rule(name=ACCOUNTS, data=st.data(), is_reversed=st.booleans())
    def end_a_grant(self, name, data, is_reversed):
        grant_id = self.a_grant(data, name)
        if grant_id is None:
            return
        at = minute(self.now)
        undone = ReverseGrant(name, grant_id, "pi_1", at)
        self.do(undone if is_reversed else ExpireGrant(name, grant_id, at))

    @rule(
        data=st.data(),
        minutes=st.sampled_from([0, 0, 10, 30_000]),
        parts=st.lists(st.sampled_from([None, 1, 3, 20]), min_size=1, max_size=3),
    )
    def refund(self, data, minutes, parts):
        """Some of a consumption, and again, at once or when grants are over."""
        known = [(name, it) for name in NAMES for it in self.consumptions[name]]
        if not known:
            return
        name, consumption = data.draw(st.sampled_from(known))
        self.now += minutes
        for units in parts:
            left = consumption.units - self.refunded.get(consumption.position, 0)
            amount = None if units is None else credit(units)
            wanted = left if units is None else units
            at = minute(self.now)
            is_done = self.do(RefundCredits(name, "re_1", consumption, at, amount))
            assert is_done == (0 < wanted <= left)
            if is_done:
                self.refunded[consumption.position] = consumption.units - left + wanted

    @rule(name=ACCOUNTS, units=UNITS)
    def a_refund_at_once_leaves_no_trace(self, name, units):
        """Of the grants and of what is owed: whatever the consumption took is where it was."""
        self.covered(name, units)
        assert self.do(ConsumeCredits(name, credit(units), minute(self.now)))
        after = self.states[name]
        consumption = self.consumptions[name].pop()
        slices = {part.grant_id: part.units for part in consumption.slices}
        assert self.do(RefundCredits(name, "re_1", consumption, minute(self.now)))
        before = self.states[name]
        for grant_id, burnt in slices.items():
            found, was = before.grant(grant_id), after.grant(grant_id)
            assert (found.remaining, found.spent) == (was.remaining + burnt, was.spent - burnt)
        assert before.owed == after.owed - consumption.overage_units
        assert before.consumed == after.consumed - units

    @rule(
        name=ACCOUNTS,
        data=st.data(),
        units=st.sampled_from([None, 2]),
        fresh=st.sampled_from([0, 0, 5]),
    )
    def refund_a_purchase(self, name, data, units, fresh):
        if fresh:
            self.give(name, fresh, is_bought=True)
        grant_id = self.events[name][-1].grant_id if fresh else self.a_grant(data, name)
        if grant_id is None:
            return
        amount = None if units is None else credit(units)
        has = self.states[name].grant(grant_id).terms.units
        paid = share(PAID, has, self.bought.get(self.purchase(grant_id), has))
        free = free_units(self.states[name], minute(self.now))
        if self.do(RefundPurchase(name, grant_id, (paid,), minute(self.now), amount)):
            assert self.events[name][-1].amount.units <= free

    @rule(name=ACCOUNTS, units=UNITS, is_covered=st.booleans())
    def transfer(self, name, units, is_covered):
        if is_covered:
            self.covered(name, units)
        self.send(name, units)

    @rule(name=ACCOUNTS, units=st.integers(0, 9))
    def set_overage(self, name, units):
        assert self.do(SetOverage(name, credit(units), minute(self.now), "by hand"))

    @rule(
        name=ACCOUNTS,
        every=st.sampled_from(["day", "day", "week", "month"]),
        units=UNITS,
        lasts_days=st.sampled_from([None, 1, 8]),
        ends=st.sampled_from([None, None, 20_000]),
    )
    def set_recurring(self, name, every, units, lasts_days, ends):
        self.arrange(name, every, units, lasts_days, ends)

    @rule(
        data=st.data(),
        days=st.sampled_from([0, 1, 3, 40]),
        is_over=st.sampled_from([False, False, False, True]),
    )
    def recur(self, data, days, is_over):
        if not any(self.states[name].seldom.recurring for name in NAMES):
            self.arrange(data.draw(ACCOUNTS), "day", 5, 1)
        rules = [(name, it) for name in NAMES for it in sorted(self.states[name].seldom.recurring)]
        self.now += days * 1440
        (name, rule_id), at = data.draw(st.sampled_from(rules)), minute(self.now)
        ended = CancelRecurringGrant(name, rule_id, at)
        for _ in range(2):  # each period is granted once: see `passed`
            assert self.do(ended if is_over else GrantRecurring(name, rule_id, at)) or is_over
        left = self.states[name].seldom.recurring.get(rule_id)
        assert is_over == (left is None)
        if left is not None:  # what is due is done, but for the rest of a long outage
            assert left.next_at is None or left.next_at > at or days == 40

    @rule(name=ACCOUNTS, data=st.data())
    def warn(self, name, data):
        grant_id = self.a_grant(data, name)
        if grant_id is not None:
            assert self.do(WarnOfExpiry(name, grant_id, minute(self.now)))

    @rule(minutes=st.sampled_from([0, 5, 50_000]))
    def explain(self, minutes):
        """No invariant: told anew from the first event, it is what takes the time."""
        for name in NAMES:
            self.the_lines_of_an_explanation_add_up_to_the_balance(name, minutes)

    # What must be so.

    @invariant()
    def a_balance_adds_up(self):
        for state in self.states.values():
            now = balance_units(state, minute(self.now))
            assert now.granted + now.owed + now.transferred_in == (
                now.available + now.held + now.consumed + now.expired + now.taken_back
                + now.transferred_out
            )  # fmt: skip
            assert all(units >= 0 for units in now)

    @invariant()
    def what_left_one_account_is_in_the_other(self):
        ada, bob = (self.states[name].seldom for name in NAMES)
        assert (ada.transferred_out, bob.transferred_out) == (
            bob.transferred_in,
            ada.transferred_in,
        )

    @invariant()
    def the_books_say_the_same(self):
        code, states = "CREDIT", self.states.values()
        for name, state in self.states.items():
            remaining = sum(grant.remaining for grant in state.grants)
            assert self.books.debit(credits_available(name), code) == remaining
            held = sum(hold.units for hold in state.holds.values())
            assert self.books.debit(credits_held(name), code) == held
        assert self.books.debit(CREDITS_CONSUMED, code) == sum(it.consumed for it in states)
        assert self.books.debit(CREDITS_BREAKAGE, code) == sum(it.expired for it in states)
        assert self.books.credit(CREDITS_OWED, code) == sum(it.owed for it in states)
        issued = sum(it.granted - it.taken_back for it in states)
        assert self.books.credit(CREDITS_ISSUED, code) == issued
        assert self.books.credit(REFUNDS_PAYABLE, TAO.code) == self.payable.total()
        assert all(units <= PAID.units for units in self.payable.values())
        assert not any(self.books.sums().values())

    @invariant()
    def grants_are_in_a_total_burn_order_and_none_has_more_than_it_was_given(self):
        for state in self.states.values():
            orders = [each.terms.burn_order for each in state.grants]
            assert orders == sorted(orders)
            assert len(set(orders)) == len(orders)
            dead = [each for shelf in state.used_up.values() for each in shelf.values()]
            assert all(each.remaining or each.held for each in state.grants)
            assert not any(each.remaining or each.held for each in dead)
            for grant in (*state.grants, *dead):
                parts = (grant.remaining, grant.held, grant.spent)
                assert all(part >= 0 for part in parts)
                assert sum(parts) <= grant.terms.units
            for grant_id, units in state.seldom.settled.items():
                assert 0 < units <= state.grant(grant_id).spent

    @invariant()
    def the_explanation_of_each_grant_is_what_became_of_it(self):
        for name, state in self.states.items():
            for grant_id, told in self.explained[name].grants.items():
                parts, grant = told.units, state.grant(grant_id)
                assert parts["available"] == grant.remaining
                assert parts["held"] == grant.held
                assert parts["granted"] + parts["transferred_in"] == grant.terms.units
                assert grant.terms.units == parts["settled"] + sum(parts[it] for it in USED)
                spent = parts["consumed"] + parts["settled"] + parts["transferred_out"]
                assert grant.spent == spent

    def teardown(self):
        if not hasattr(self, "states"):
            return
        for name, state in self.states.items():
            for minutes in (0, 50_000):
                self.the_lines_of_an_explanation_add_up_to_the_balance(name, minutes)
            folded = None
            for event in self.events[name]:
                folded = evolve(folded, event)
            assert folded == state
            assert through_json(state) == state


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = STORIES
