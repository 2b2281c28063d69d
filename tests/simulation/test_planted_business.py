"""The simulator catches mistakes of those who bill: each of these sells something twice, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from flamewire_ledger.billing import arrears
from flamewire_ledger.domain.credit_account import earning, refunding, transferring
from flamewire_ledger.domain.invoice import crediting
from flamewire_ledger.processes import entitling, subscribing, topping_up
from flamewire_ledger.store import usage_items
from tests.simulation.broken import Broken
from tests.simulation.world import simulate

# Some mistakes need what seldom happens: whichever seeds it happens in, and these first.
_SEEDS = tuple(dict.fromkeys((20, 3, 4, 2, 32, *range(1, 41))))
_ACTIONS = 300
Plant = Callable[[pytest.MonkeyPatch], None]


def a_transfer_that_arrives_twice_over(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive = transferring._in

    def generous(*given: Any) -> Any:
        came = arrive(*given)
        parts = tuple(replace(it, units=2 * it.units) for it in came.grants)
        return replace(came, grants=parts)

    monkeypatch.setattr(transferring, "_in", generous)


def a_refund_that_forgets_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    last = refunding._last
    monkeypatch.setattr(refunding, "_last", lambda recorded, _, units: last(recorded, 0, units + 1))


def items_that_anybody_may_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    async def claim(
        self: Any, merchant_id: str, at: Any, meter_ids: Sequence[str], batches: Sequence[Any]
    ) -> Mapping[UUID, Sequence[int]]:
        for batch in batches:
            self._keys.update({key: (batch.batch_id, n) for n, key in enumerate(batch.keys)})
            places = list(range(len(batch.keys)))
            self._batches[batch.batch_id] = usage_items.ClaimedBatch(
                batch.batch_id, merchant_id, batch.account_id, at, meter_ids, batch.items, places
            )
        return {batch.batch_id: list(range(len(batch.keys))) for batch in batches}

    monkeypatch.setattr(usage_items.MemoryUsageItems, "claim", claim)


def usage_that_comes_late_and_is_billed_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrears, "_late", lambda *_: [])


def an_invoice_without_the_last_line_of_its_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    draft = subscribing._draft

    def forgetful(*given: Any) -> Any:
        made = draft(*given)
        return replace(made, lines=made.lines[:-1] or made.lines)

    monkeypatch.setattr(subscribing, "_draft", forgetful)


def a_credit_note_that_leaves_the_tax(monkeypatch: pytest.MonkeyPatch) -> None:
    made = crediting._sums

    def without(*given: Any) -> Any:
        sums = made(*given)
        return replace(sums, tax=sums.tax - sums.tax, total=sums.net)

    monkeypatch.setattr(crediting, "_sums", without)


def features_that_outlive_their_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entitling, "_revoked", lambda *_: [])


def a_top_up_that_nobody_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def close(*_: Any) -> bool:
        return False

    monkeypatch.setattr(topping_up.ToppingUp, "_close", close)


def revenue_of_what_was_lent_to_another_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is transferred is counted as burnt, by whom it leaves and by whom it comes to."""
    monkeypatch.setattr(earning, "_spent", lambda _, grant: grant.spent)


PLANTS: list[Plant] = [
    revenue_of_what_was_lent_to_another_account,
    a_transfer_that_arrives_twice_over,
    a_refund_that_forgets_the_one_before,
    items_that_anybody_may_claim,
    usage_that_comes_late_and_is_billed_to_nobody,
    an_invoice_without_the_last_line_of_its_bill,
    a_credit_note_that_leaves_the_tax,
    features_that_outlive_their_plan,
    a_top_up_that_nobody_closes,
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_it_catches(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for seed in _SEEDS:
        try:
            simulate(seed, _ACTIONS)
        except Broken as broken:
            print(f"{plant.__name__}: seed {seed}: {broken.rule}")
            return
    pytest.fail(f"{len(_SEEDS)} runs and nobody noticed")
