"""Any order of events: money in is money on the books, once, and none of it is ever forgotten.

The oracle knows what the chain has confirmed and when each transfer came, and nothing of how a payment decides.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flamewire_ledger.domain.payment import (
    LatePolicy,
    PaymentSucceeded,
    PaymentTransferReorganised,
    decide,
    evolve,
)
from flamewire_ledger.domain.posting import (
    DEFERRED_CREDITS,
    REFUNDS_PAYABLE,
    SALES,
    SUSPENSE,
    UNAPPLIED,
    WRITE_OFFS,
    wallet,
)
from flamewire_ledger.domain.rejection import NotAllowed
from tests.domain.books import Books
from tests.domain.payment.samples import (
    ALPHA,
    ETH,
    EXPIRES,
    SUI,
    TAO,
    block,
    cancel,
    expire,
    final,
    gone,
    request,
    require,
    resolve,
    seen,
)
from tests.domain.searching import STORIES
from tests.domain.snapshots import through_json

TRANSFERS = [f"0x{number}" for number in range(5)]
DUE = {TAO: 100, ETH: 1_000}
ACCOUNTS = (UNAPPLIED, SUSPENSE, SALES, DEFERRED_CREDITS, REFUNDS_PAYABLE, WRITE_OFFS)
POLICIES = st.sampled_from(
    [
        LatePolicy(),
        LatePolicy("honour", within_seconds=600),
        LatePolicy("honour", within_seconds=600, drift_ppm_max=100_000),
        LatePolicy("reprice"),
    ]
)
names = st.sampled_from(TRANSFERS)


class AnyOrder(RuleBasedStateMachine):
    @initialize(
        late=POLICIES,
        tolerance_ppm=st.sampled_from([0, 0, 20_000]),
        for_credits=st.booleans(),
        amounts=st.lists(
            st.tuples(
                st.sampled_from([TAO, TAO, TAO, ETH, ALPHA, SUI]),
                st.sampled_from([1, 33, 49, 50, 60, 98, 99, 100, 101, 150]),
            ),
            min_size=5,
            max_size=5,
        ),
    )
    def ask(self, late, tolerance_ppm, for_credits, amounts):
        self.now = 0
        self.height = 1
        self.state = None
        self.events = []
        self.books = Books()
        self.on_chain: set[str] = set()
        self.came: dict[str, int] = {}
        self.was_in_block: set[str] = set()
        self.is_decided_by_hand = False
        self.policy = late
        self.tolerance_ppm = tolerance_ppm
        self.amounts = {
            name: (asset, units * 10 if asset is ETH else units)
            for name, (asset, units) in zip(TRANSFERS, amounts, strict=True)
        }
        self.do(request(late=late, tolerance_ppm=tolerance_ppm, for_credits=for_credits))

    def do(self, command):
        """Decide, record and check each fact; a refusal changes nothing."""
        events = decide(self.state, command)
        for event in events:
            labels = frozenset() if self.state is None else self.state.labels
            self.state = evolve(self.state, event)
            assert labels <= self.state.labels
            totals = getattr(event, "totals", None)
            assert totals is None or totals == self.state.totals
            status = getattr(event, "status_after", None)
            assert status is None or status == self.state.status
            self.books.take(event)
            self.events.append(event)
        return events

    def do_on_chain(self, command):
        """What a chain says is never refused, and saying it again says nothing new."""
        self.do(command)
        assert self.do(command) == ()

    @rule(minutes=st.sampled_from([1, 4, 14, 61]))
    def wait(self, minutes):
        self.now += minutes

    @rule(name=names, is_in_block=st.booleans(), worth=st.sampled_from([None, 100, 2500, 3000]))
    def see(self, name, is_in_block, worth):
        asset, units = self.amounts[name]
        if name not in self.on_chain:
            self.came.setdefault(name, self.now)
        self.height += is_in_block
        place = block(self.now, self.height) if is_in_block else None
        self.do_on_chain(seen(units, name, at=self.now, asset=asset, block=place, worth_now=worth))
        if is_in_block:
            self.was_in_block.add(name)

    @rule(
        name=names,
        ago=st.sampled_from([0, 0, 5]),
        worth=st.sampled_from([None, 100, 2500, 3000]),
    )
    def confirm(self, name, ago, worth):
        asset, units = self.amounts[name]
        block_at = max(0, self.now - ago)
        if name not in self.on_chain:
            self.came[name] = min(self.came.get(name, self.now), block_at)
        self.height += 1
        self.do_on_chain(
            final(
                units,
                name,
                at=self.now,
                block_at=block_at,
                height=self.height,
                asset=asset,
                worth_now=worth,
            )
        )
        self.on_chain.add(name)
        self.was_in_block.add(name)

    @rule(name=names)
    def drop(self, name):
        asset, units = self.amounts[name]
        self.do_on_chain(gone(name, at=self.now, units=units, asset=asset))
        self.on_chain.discard(name)
        if name not in self.was_in_block:
            self.came.pop(name, None)

    @rule()
    def expire(self):
        self.do_if_allowed(expire(at=self.now))

    @rule(choice=st.sampled_from(["accept", "credit", "refund", "write_off"]))
    def resolve(self, choice):
        if self.do_if_allowed(resolve(choice, at=self.now)):
            self.is_decided_by_hand = True

    @rule()
    @precondition(lambda self: self.now < EXPIRES)
    def cancel(self):
        if self.do_if_allowed(cancel(at=self.now)):
            self.is_decided_by_hand = True

    @rule()
    @precondition(lambda self: "reorged" in self.state.labels)
    def require(self):
        self.do_if_allowed(require(at=self.now))

    def do_if_allowed(self, command):
        before = self.state
        try:
            return self.do(command)
        except NotAllowed:
            assert self.state is before
            return ()

    @invariant()
    def money_in_is_money_on_the_books_once(self):
        held: Counter[tuple[str, str]] = Counter()
        for name in self.on_chain:
            asset, units = self.amounts[name]
            held[wallet(asset.network), asset.code] += units
        for asset in (TAO, ETH, ALPHA, SUI):
            account = wallet(asset.network)
            assert self.books.debit(account, asset.code) == held[account, asset.code]
            owned_up_to = [self.books.credit(each, asset.code) for each in ACCOUNTS]
            assert min(owned_up_to) >= 0
            assert sum(owned_up_to) == held[account, asset.code]
        assert not any(self.books.sums().values())

    @invariant()
    def the_state_says_what_the_books_say(self):
        held: Counter[tuple[str, str]] = Counter()
        used: Counter[str] = Counter()
        for arrival in self.state.arrivals.values():
            account = SUSPENSE if arrival.is_in_suspense else UNAPPLIED
            held[account, arrival.transfer.amount.asset.code] += arrival.open_units
            assert arrival.open_units >= 0
            assert arrival.status == "confirmed" or not arrival.open_units
        for settling in self.state.settlings:
            for use in settling.uses:
                used[self.state.arrivals[use.transfer].transfer.amount.asset.code] += use.units
        for asset in (TAO, ETH, ALPHA, SUI):
            for account in (UNAPPLIED, SUSPENSE):
                assert self.books.credit(account, asset.code) == held[account, asset.code]
            gone_on = [self.books.credit(each, asset.code) for each in ACCOUNTS[2:]]
            assert sum(gone_on) == used[asset.code]

    @invariant()
    def success_is_what_the_chain_has_confirmed_in_time(self):
        if self.is_decided_by_hand or self.policy != LatePolicy():
            return
        paid = sum(
            (
                Fraction(units, DUE[asset])
                for name, (asset, units) in self.amounts.items()
                if name in self.on_chain and asset in DUE and self.came[name] <= EXPIRES
            ),
            Fraction(0),
        )
        is_paid = paid * 1_000_000 >= 1_000_000 - self.tolerance_ppm
        assert self.state.is_settled == is_paid

    @invariant()
    def status_says_what_is_so(self):
        state = self.state
        assert (state.status == "succeeded") == state.is_settled
        assert (state.why is not None) == (state.status == "requires_action")
        totals = state.totals
        assert totals.confirmed <= totals.detected
        assert totals.due.is_zero or not state.is_settled
        if state.status in ("expired", "canceled", "failed"):
            assert not state.held_amounts
        if state.is_enough(state.counted(confirmed=False)):
            assert state.status in ("processing", "succeeded")

    @invariant()
    def every_grant_is_named_once_and_undone_with_what_it_came_from(self):
        announced = [
            event.grant_id for event in self.events if getattr(event, "grant_id", None) is not None
        ]
        undone = [
            grant
            for event in self.events
            if isinstance(event, PaymentTransferReorganised)
            for grant in event.grants_undone
        ]
        in_force = {s.grant_id for s in self.state.settlings if s.grant_id is not None}
        assert len(set(announced)) == len(announced)
        assert set(announced) - set(undone) == in_force
        assert len(undone) == len(set(undone))

    @invariant()
    def success_is_undone_before_it_is_said_again(self):
        successes = sum(isinstance(event, PaymentSucceeded) for event in self.events)
        undoings = sum(
            isinstance(event, PaymentTransferReorganised) and event.undoes_success
            for event in self.events
        )
        assert successes <= undoings + 1

    def teardown(self):
        if not hasattr(self, "state"):
            return
        folded = None
        for event in self.events:
            folded = evolve(folded, event)
        assert folded == self.state
        assert through_json(self.state) == self.state
        self.come_to_an_end()

    def come_to_an_end(self):
        """When the chain has said its last word and time is up, what is held is shown to somebody."""
        self.now += 10_000
        for arrival in tuple(self.state.arrivals.values()):
            if arrival.is_in_flight:
                name = arrival.transfer.transaction_id
                asset, units = self.amounts[name]
                self.do(gone(name, at=self.now, units=units, asset=asset))
        self.do_if_allowed(expire(at=self.now))
        ends = {"succeeded", "requires_action", "expired", "canceled", "failed"}
        assert self.state.status in ends
        if self.state.held_amounts:
            assert self.state.status in ("succeeded", "requires_action")
            self.do(resolve("refund", at=self.now))
            assert not self.state.held_amounts


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = STORIES
