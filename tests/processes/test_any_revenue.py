"""Any history of two accounts, with the payments behind what was bought: when all days are told, what was
paid is earned, to be returned, or still owed, to the last unit; and nothing is owed for what is gone.

The oracle counts what became of each grant by the explanations of balances, and knows no recognition.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from flamewire_ledger.domain.credit_account import (
    CloseDay,
    ConsumeCredits,
    CreditsEarned,
    CreditsGranted,
    GrantReversed,
    HoldCredits,
)
from flamewire_ledger.domain.payment import (
    DropTransfer,
    PaymentRevenueRecognised,
    PaymentSucceeded,
    decide,
    evolve,
)
from flamewire_ledger.domain.posting import BREAKAGE, DEFERRED_CREDITS, SALES
from flamewire_ledger.processes.process import Fact
from flamewire_ledger.processes.recognition import Recognition
from tests.domain.books import Books
from tests.domain.credit_account.histories import NAMES, PAID, TAO
from tests.domain.credit_account.samples import credit, minute
from tests.domain.credit_account.test_any_history import AnyHistory
from tests.domain.payment.samples import TAO_OPTION, final, gone, request
from tests.domain.searching import STORIES
from tests.domain.snapshots import through_json

DAY = 24 * 60


class AnyRevenue(AnyHistory):
    def begin(self, overage_max) -> None:
        self.payments: dict[str, Any] = {}
        self.paid_books: dict[str, Books] = {}
        self.undone: set[str] = set()  # grants that were reversed
        self.waiting: dict[str, list[CreditsEarned]] = {name: [] for name in NAMES}
        super().begin(overage_max)

    def take(self, name, events):
        super().take(name, events)
        for event in events:
            match event:
                case CreditsGranted(payment_id=str() as payment_id):
                    self.pay(payment_id, event)
                case CreditsEarned():
                    self.waiting[name].append(event)
                case GrantReversed(grant_id=grant_id):
                    self.undone.add(grant_id)
                    self.take_back(grant_id)

    def pay(self, payment_id, granted):
        """The payment that made this grant, with the grant's own name."""
        self.payments[payment_id], self.paid_books[payment_id] = None, Books()
        option = replace(TAO_OPTION, due=PAID)
        asked = request(
            for_credits=True,
            payment_id=payment_id,
            options=(option,),
            credits=granted.amount,
            requested_at=granted.granted_at,
            expires_at=minute(self.now + 15),
        )
        came = replace(final(PAID.units, at=self.now + 1), payment_id=payment_id)
        for command in (asked, came):
            self.decided(
                payment_id,
                [
                    replace(event, grant_id=granted.grant_id)
                    if isinstance(event, PaymentSucceeded)
                    else event
                    for event in decide(self.payments[payment_id], command)
                ],
            )

    def decided(self, payment_id, events):
        for event in events:
            self.payments[payment_id] = evolve(self.payments[payment_id], event)
            self.paid_books[payment_id].take(event)
        deferred = self.paid_books[payment_id].credit(DEFERRED_CREDITS, TAO.code)
        assert 0 <= deferred <= PAID.units

    def take_back(self, grant_id):
        """The chain does, of a grant that was bought; of a part of one it cannot."""
        for payment_id, payment in self.payments.items():
            if [it.grant_id for it in payment.settlings] == [grant_id]:
                drop: DropTransfer = gone(at=self.now, units=PAID.units)
                command = replace(drop, payment_id=payment_id)
                self.decided(payment_id, decide(payment, command))
                assert not any(self.paid_books[payment_id].balances.values())

    @rule(
        name=st.sampled_from(NAMES),
        burnt=st.integers(1, 4),
        sent=st.integers(1, 4),
        lasts=st.sampled_from([None, 2]),
    )
    def a_purchase_is_shared(self, name, burnt, sent, lasts):
        """It burns before the others. What is left of both parts is held, and may lapse there."""
        self.give(name, self.states[name].owed + 12, priority=1, lasts=lasts, is_bought=True)
        assert self.do(ConsumeCredits(name, credit(burnt), minute(self.now), "call"))
        self.send(name, sent)
        for number in (1, 2):
            ends = minute(self.now + 50)
            self.made += 1
            held = HoldCredits(name, f"ho_{self.made}", credit(number), ends, minute(self.now))
            assert self.do(held)

    @rule(name=st.sampled_from(NAMES), days=st.sampled_from([0, 1, 1, 5]))
    def a_day_ends(self, name, days):
        self.now += days * DAY
        assert self.do(CloseDay(name, minute(self.now)))

    @rule(name=st.sampled_from(NAMES), is_told_twice=st.booleans())
    def payments_hear_of_it(self, name, is_told_twice):
        """The days of one account in their order, those of two in any."""
        for event in self.waiting[name]:
            for follow_up in Recognition().react(Fact(event, None), {}):
                payment_id = follow_up.command.payment_id
                for _ in range(1 + is_told_twice):
                    facts = decide(self.payments[payment_id], follow_up.command)
                    assert all(isinstance(it, PaymentRevenueRecognised) for it in facts)
                    self.decided(payment_id, facts)
                assert not (is_told_twice and facts)
        self.waiting[name] = []

    @invariant()
    def nothing_is_earned_twice(self):
        for books in self.paid_books.values():
            parts = [books.credit(it, TAO.code) for it in (DEFERRED_CREDITS, SALES, BREAKAGE)]
            assert all(part >= 0 for part in parts)
            assert sum(parts) in (0, PAID.units)

    def teardown(self):
        if not hasattr(self, "states"):
            return
        self.now += 2 * DAY
        for name in NAMES:
            self.a_day_ends(name, 0)
            self.a_day_ends(name, 0)
            assert not any(self.told_again(name))
        for name in NAMES:
            self.payments_hear_of_it(name, is_told_twice=False)
        became = self.became()
        for payment_id, payment in self.payments.items():
            assert through_json(payment) == payment
            if payment.settlings:
                self.is_earned(payment_id, became)

    def told_again(self, name):
        """A day that is told is told."""
        before = len(self.waiting[name])
        self.do(CloseDay(name, minute(self.now)))
        return self.waiting[name][before:]

    def became(self) -> dict[str, Counter[str]]:
        """Of each grant that was bought, with all its parts: what became of it."""
        sums: dict[str, Counter[str]] = {}
        for name in NAMES:
            for grant_id, told in self.explained[name].grants.items():
                if grant_id not in self.undone:
                    sums.setdefault(self.purchase(grant_id), Counter()).update(told.units)
        return sums

    def is_earned(self, payment_id, became):
        books = self.paid_books[payment_id]
        settling = self.payments[payment_id].settlings[0]
        units, parts = settling.bought, became[settling.grant_id]
        if any(
            part in self.undone for part in self.came_of if self.purchase(part) == settling.grant_id
        ):
            return  # by hand: no chain takes back a part
        spent = parts["consumed"] + parts["settled"]
        gone_ = spent + parts["expired"]
        is_over = gone_ + parts["taken_back"] == units
        payable = self.payable[settling.grant_id]
        earned = PAID.units - payable if is_over else PAID.units * gone_ // units
        only_spent = spent and not parts["expired"]
        sales = earned if only_spent else PAID.units * spent // units
        assert books.credit(SALES, TAO.code) == sales
        assert books.credit(BREAKAGE, TAO.code) == earned - sales
        owed = books.credit(DEFERRED_CREDITS, TAO.code) - payable
        assert owed == PAID.units - payable - earned
        assert owed == 0 if is_over else owed >= 0


TestAnyRevenue = AnyRevenue.TestCase
TestAnyRevenue.settings = settings(STORIES, max_examples=40)
