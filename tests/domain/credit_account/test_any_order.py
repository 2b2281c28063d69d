"""Any order of commands against an oracle that keeps every single unit of credit as a thing of its own.

The oracle is slow and plain on purpose: a unit is available, held, burnt, settled, lapsed or taken back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from flamewire_ledger.domain.credit_account import (
    balance,
    decide,
    evolve,
    grants_in_burn_order,
)
from flamewire_ledger.domain.posting import (
    CREDITS_BREAKAGE,
    CREDITS_CONSUMED,
    CREDITS_ISSUED,
    CREDITS_OWED,
    credits_available,
    credits_held,
)
from flamewire_ledger.domain.rejection import InsufficientCredits, NotAllowed, NotFound
from tests.domain.books import Books
from tests.domain.credit_account.samples import (
    ACCOUNT,
    capture,
    consume,
    expire_grant,
    expire_hold,
    grant,
    hold,
    minute,
    opened,
    release,
    reverse,
)
from tests.domain.searching import STORIES
from tests.domain.snapshots import through_json


@dataclass
class Given:
    """A grant, as the oracle sees it."""

    name: str
    order: tuple
    expires: int | None
    is_reversed: bool = False

    def is_over(self, now: int) -> bool:
        return self.expires is not None and self.expires <= now


@dataclass
class Unit:
    """One unit of credit of one grant. `place` is where it is; a hold's name while it is held."""

    given: Given
    place: str


class AnyOrder(RuleBasedStateMachine):
    @initialize(overage_max=st.sampled_from([0, 0, 5]))
    def open(self, overage_max):
        self.now = 0
        self.made = 0
        self.overage_max = overage_max
        self.overage = 0
        self.owed = 0
        self.units: list[Unit] = []
        self.grants: dict[str, Given] = {}
        self.holds: dict[str, int] = {}
        self.state = None
        self.events = []
        self.books = Books()
        self.do(opened(overage_max))

    def do(self, command):
        for event in decide(self.state, command):
            self.state = evolve(self.state, event)
            self.books.take(event)
            self.events.append(event)

    def is_refused(self, command, *kinds):
        before = self.state
        try:
            self.do(command)
        except kinds:
            assert self.state is before
            return True
        return False

    # What the oracle does by itself.

    def in_burn_order(self, place: str) -> list[Unit]:
        return sorted(
            (unit for unit in self.units if unit.place == place), key=lambda unit: unit.given.order
        )

    def burnable(self) -> list[Unit]:
        return [u for u in self.in_burn_order("available") if not u.given.is_over(self.now)]

    def let_go(self, name: str) -> None:
        for unit in self.units:
            if unit.place == name:
                if unit.given.is_reversed:
                    unit.place = "taken_back"
                else:
                    unit.place = "lapsed" if unit.given.is_over(self.now) else "available"
        del self.holds[name]

    def let_lapsed_holds_go(self) -> None:
        for name in [name for name, expires in self.holds.items() if expires <= self.now]:
            self.let_go(name)

    def reachable(self) -> int:
        """What can be burnt now, counting holds past their time."""
        lapsed = {name for name, expires in self.holds.items() if expires <= self.now}
        return len(self.burnable()) + sum(
            unit.place in lapsed and not unit.given.is_reversed and not unit.given.is_over(self.now)
            for unit in self.units
        )

    # What happens.

    @rule(minutes=st.sampled_from([1, 3, 10]))
    def wait(self, minutes):
        self.now += minutes

    @rule(
        units=st.integers(1, 12),
        source=st.sampled_from(["purchased", "granted", "promotion", "refund"]),
        priority=st.sampled_from([10, 50, 50]),
        lasts=st.sampled_from([None, None, 2, 8]),
    )
    def grant(self, units, source, priority, lasts):
        self.made += 1
        name = f"gr_{self.made:03d}"
        expires = None if lasts is None else self.now + lasts
        command = grant(name, units, at=self.now, source=source, priority=priority, expires=expires)
        self.do(command)
        order = (
            priority,
            minute(expires) if expires is not None else datetime.max.replace(tzinfo=UTC),
            source == "purchased",
            self.now,
            name,
        )
        given = Given(name, order, expires)
        self.grants[name] = given
        settles = min(self.owed, units)
        self.owed -= settles
        for number in range(units):
            self.units.append(Unit(given, "settled" if number < settles else "available"))

    @rule(units=st.integers(1, 15))
    def consume(self, units):
        reachable = self.reachable()
        room = max(0, self.overage_max - self.owed)
        is_refused = self.is_refused(consume(units, at=self.now), InsufficientCredits)
        assert is_refused == (units > reachable + room)
        if is_refused:
            return
        self.let_lapsed_holds_go()
        burnt = self.burnable()[:units]
        for unit in burnt:
            unit.place = "consumed"
        self.overage += units - len(burnt)
        self.owed += units - len(burnt)

    @rule(units=st.integers(1, 10), lasts=st.sampled_from([1, 5, 50]))
    def hold(self, units, lasts):
        self.made += 1
        name = f"ho_{self.made:03d}"
        command = hold(name, units, at=self.now, expires=self.now + lasts)
        reachable = self.reachable()
        is_refused = self.is_refused(command, InsufficientCredits)
        assert is_refused == (units > reachable)
        if is_refused:
            return
        self.let_lapsed_holds_go()
        for unit in self.burnable()[:units]:
            unit.place = name
        self.holds[name] = self.now + lasts

    @rule(data=st.data(), part=st.sampled_from([None, 1, 3]))
    def capture(self, data, part):
        if not self.holds:
            return
        name = data.draw(st.sampled_from(sorted(self.holds)))
        held = self.in_burn_order(name)
        units = len(held) if part is None else part
        is_refused = self.is_refused(capture(name, part, at=self.now), NotAllowed)
        assert is_refused == (self.holds[name] <= self.now or units > len(held))
        if is_refused:
            return
        for unit in held[:units]:
            unit.place = "consumed"
            self.owed += unit.given.is_reversed
        self.let_go(name)

    @rule(data=st.data(), by_the_clock=st.booleans())
    def release(self, data, by_the_clock):
        if not self.holds:
            return
        name = data.draw(st.sampled_from(sorted(self.holds)))
        command = (expire_hold if by_the_clock else release)(name, at=self.now)
        is_refused = self.is_refused(command, NotAllowed)
        assert is_refused == (by_the_clock and self.holds[name] > self.now)
        if not is_refused:
            self.let_go(name)

    @rule(data=st.data())
    def expire(self, data):
        if not self.grants:
            assert self.is_refused(expire_grant("gr_none", at=self.now), NotFound)
            return
        given = self.grants[data.draw(st.sampled_from(sorted(self.grants)))]
        is_refused = self.is_refused(expire_grant(given.name, at=self.now), NotAllowed)
        assert is_refused == (not given.is_over(self.now))
        if not is_refused:
            for unit in self.units:
                if unit.given is given and unit.place == "available":
                    unit.place = "lapsed"

    @rule(data=st.data())
    def reverse(self, data):
        if not self.grants:
            return
        given = self.grants[data.draw(st.sampled_from(sorted(self.grants)))]
        self.do(reverse(given.name, at=self.now))
        if given.is_reversed:
            return
        given.is_reversed = True
        for unit in self.units:
            if unit.given is given:
                if unit.place == "available":
                    unit.place = "taken_back"
                self.owed += unit.place in ("consumed", "settled")

    # What must be so.

    @invariant()
    def the_balance_is_the_count_of_units(self):
        now = balance(self.state, minute(self.now))
        places = Counter(unit.place for unit in self.units)
        in_time = [name for name, expires in self.holds.items() if expires > self.now]
        assert now.available.units == self.reachable()
        assert now.held.units == sum(places[name] for name in in_time)
        assert now.granted.units == len(self.units)
        assert now.consumed.units == places["consumed"] + self.overage
        assert now.owed.units == self.owed

    @invariant()
    def a_balance_adds_up(self):
        now = balance(self.state, minute(self.now))
        assert now.granted + now.owed == (
            now.available + now.held + now.consumed + now.expired + now.taken_back
        )

    @invariant()
    def the_books_say_the_same(self):
        places = Counter(unit.place for unit in self.units)
        code = "CREDIT"
        held = sum(places[name] for name in self.holds)
        assert self.books.debit(credits_available(ACCOUNT), code) == places["available"]
        assert self.books.debit(credits_held(ACCOUNT), code) == held
        assert self.books.debit(CREDITS_CONSUMED, code) == self.state.consumed
        assert self.books.debit(CREDITS_BREAKAGE, code) == places["lapsed"]
        assert self.books.credit(CREDITS_OWED, code) == self.owed
        issued = self.state.granted - self.state.taken_back
        assert self.books.credit(CREDITS_ISSUED, code) == issued
        assert not any(self.books.sums().values())

    @invariant()
    def living_grants_are_in_burn_order_and_dead_ones_apart(self):
        orders = [each.terms.burn_order for each in self.state.grants]
        assert orders == sorted(orders)
        assert len(set(orders)) == len(orders)
        assert all(each.remaining or each.held for each in self.state.grants)
        shown = grants_in_burn_order(self.state, minute(self.now))
        assert [g for g in self.state.grants if g in shown] == list(shown)
        used_up = [name for shelf in self.state.used_up.values() for name in shelf]
        living = [each.terms.grant_id for each in self.state.grants]
        assert sorted(used_up + living) == sorted(self.grants)

    @invariant()
    def each_grant_has_what_its_units_say(self):
        for name, given in self.grants.items():
            places = Counter(unit.place for unit in self.units if unit.given is given)
            found = self.state.grant(name)
            assert found.remaining == places["available"]
            assert found.held == sum(places[hold_name] for hold_name in self.holds)
            assert found.spent == places["consumed"] + places["settled"]

    def teardown(self):
        if not hasattr(self, "state"):
            return
        folded = None
        for event in self.events:
            folded = evolve(folded, event)
        assert folded == self.state
        assert through_json(self.state) == self.state


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = STORIES
