"""Wallets that were emptied: reconciled where it was told, and a drift with what to do where it was not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flamewire_ledger.api.reconciliation_report import report_of
from flamewire_ledger.domain.reconciliation import AssetPosition
from flamewire_ledger.processes.reconciliation.run import Derived
from tests.api.bookkeeping import TAO
from tests.api.reconciling import Auditor, kinds
from tests.api.test_disposals import dispose
from tests.api.world import World


async def paid(ledger: World) -> tuple[Auditor, int]:
    """Somebody who reconciles, and what a payment brought."""
    auditor = Auditor(ledger)
    sent = await auditor.pay(await auditor.ask())
    await auditor.settle()
    return auditor, sent.amount.units


async def told(ledger: World, units: int, kind: str = "withdrawal") -> None:
    amount = f"{units // 10**9}.{units % 10**9:09d}"
    answer = await dispose(ledger, amount, kind)
    assert answer.status_code == 201, answer.text
    ledger.clock.turn(minutes=20)


def tao(derived: Derived) -> AssetPosition:
    (it,) = (it for it in derived.command.completed.positions if it.asset == TAO.code)
    return it


def sums(it: AssetPosition, side: str) -> list[int]:
    """Opening, in, out, fees, closing."""
    each = [int(getattr(it, f"{side}_{name}_units")) for name in ("opening", "in", "out", "fee")]
    return [*each, getattr(it, f"{side}_closing")]


async def test_a_wallet_emptied_by_what_was_told_is_empty_on_both_sides(ledger: World):
    auditor, units = await paid(ledger)
    await told(ledger, units - 7)
    await told(ledger, 7, "fee")
    for owner in (None, ledger.merchant_id):
        derived = await auditor.reconcile(owner)
        it = tao(derived)
        assert sums(it, "chain") == sums(it, "ledger") == [0, units, units - 7, 7, 0]
        assert (it.drift, kinds(derived)) == (0, [])


async def test_the_next_run_opens_with_what_the_last_one_closed_with(ledger: World):
    auditor, units = await paid(ledger)
    await told(ledger, 10)
    first = tao(await auditor.reconcile())
    await told(ledger, 20)
    await told(ledger, 1, "fee")
    second = tao(await auditor.reconcile())
    assert sums(first, "chain") == sums(first, "ledger") == [0, units, 10, 0, units - 10]
    assert sums(second, "chain") == sums(second, "ledger")
    assert sums(second, "chain") == [units - 10, 0, 20, 1, units - 31]


async def test_what_was_told_of_late_belongs_to_the_run_that_hears_of_it(ledger: World):
    auditor, units = await paid(ledger)
    then = ledger.clock.now().isoformat()
    ledger.clock.turn(minutes=20)
    await auditor.reconcile()
    answer = await dispose(ledger, "0.000000010", "withdrawal", made_at=then)
    assert answer.status_code == 201, answer.text
    ledger.clock.turn(minutes=20)
    it = tao(await auditor.reconcile())
    assert sums(it, "chain") == sums(it, "ledger") == [units, 0, 10, 0, units - 10]


async def test_what_left_and_nobody_told_of_is_a_drift_until_it_is_told(ledger: World):
    auditor, units = await paid(ledger)
    auditor.holds = {TAO.code: 0}
    found = await auditor.reconcile()
    assert (tao(found).drift, kinds(found)) == (units, [("left_untold", TAO.code)])
    await told(ledger, units)
    settled = await auditor.reconcile()
    assert (tao(settled).drift, kinds(settled)) == (0, [])
    assert [it.settled for it in settled.settles] == ["posted_automatically"]


async def test_it_is_opened_once_and_stays_where_nobody_can_say(ledger: World):
    auditor, units = await paid(ledger)
    auditor.holds = {TAO.code: units - 5}
    assert len(kinds(await auditor.reconcile())) == 1
    ledger.clock.turn(minutes=20)
    auditor.holds = None
    again = await auditor.reconcile()
    assert (tao(again).drift, kinds(again), again.settles, len(again.kept)) == (5, [], [], 1)
    apart = await auditor.reconcile(first=auditor.began or 0)
    assert (apart.settles, len(apart.kept)) == ([], 1)


async def test_the_report_says_what_to_do_about_it(ledger: World):
    auditor, units = await paid(ledger)
    auditor.holds = {TAO.code: units - 5}
    completed = (derived := await auditor.reconcile()).command.completed
    row: dict[str, Any] = {
        **asdict(completed), "height": completed.pin.height, "drift": True, "position": 1,
        "completed": {**asdict(completed)},
    }  # fmt: skip
    (asset,) = report_of(row, (), livemode=False)["assets"]
    assert (asset["drift_minor"], asset["left_untold_minor"]) == ("5", "5")
    assert (asset["chain"]["out_minor"], asset["chain"]["held_minor"]) == ("5", str(units - 5))
    (exception,) = derived.command.exceptions
    assert (exception.expected_units, exception.found_units) == (str(units - 5), str(units))
