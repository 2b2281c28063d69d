"""Another program agrees: rp2 (https://github.com/eprbell/rp2) takes the same lots and finds the same gains.

Prices are whole numbers a unit, so that both are exact and have to agree to the last one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir
from datetime import UTC, datetime, timedelta

import pytest

from flamewire_ledger.billing.lots import Disposal, Lot, LotBook, Method

BEGIN = datetime(2021, 1, 1, tzinfo=UTC)
Step = tuple[str, int, int, datetime]  # in or out, units, price of a unit, when
Taken = tuple[str, str, int, int, bool]  # disposal, lot, units, gain, whether it is long
Theirs = Callable[[Sequence[Step], Method], list[Taken]]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theirs]:
    folder = tmp_path_factory.mktemp("rp2")
    with chdir(folder):
        from tests.billing import rp2_engine

        configuration = rp2_engine.configured(folder)
        yield lambda steps, method: rp2_engine.theirs(steps, method, configuration)


def history(seed: int) -> Sequence[Step]:
    """Never more out than in; no two lots of one price, as programs may differ about equals."""
    made, held, at = random.Random(seed), 0, BEGIN
    prices = made.sample(range(1, 10_000), 60)
    steps: list[Step] = []
    for price in prices:
        at += timedelta(days=made.randrange(1, 60), seconds=made.randrange(1, 80_000))
        if held and made.random() < 0.45:
            units = made.randrange(1, held + 1)
            held -= units
            steps.append(("out", units, price, at))
        else:
            units = made.randrange(1, 1000)
            held += units
            steps.append(("in", units, price, at))
    return steps


def ours(steps: Sequence[Step], method: Method) -> list[Taken]:
    book, taken = LotBook(method, "wallet"), []
    for number, (kind, units, price, at) in enumerate(steps):
        if kind == "in":
            book.acquire(Lot(str(number), "TAO", "hot", units, units * price, at))
            continue
        out = Disposal(str(number), "TAO", "hot", units, units * price, at, "payout")
        for it in book.dispose(out):
            assert it.lot is not None
            assert it.gain is not None
            taken.append((str(number), it.lot.id, it.units, it.gain, it.term == "long"))
    return taken


def joined(taken: Sequence[Taken]) -> dict[tuple[str, str], tuple[int, int, bool]]:
    """By disposal and lot: the order within a disposal is nobody's business."""
    sums: dict[tuple[str, str], tuple[int, int, bool]] = {}
    for disposal, lot, units, gain, is_long in taken:
        before = sums.get((disposal, lot), (0, 0, is_long))
        sums[disposal, lot] = before[0] + units, before[1] + gain, is_long
    return sums


@pytest.mark.parametrize("method", ["fifo", "lifo", "hifo"])
@pytest.mark.parametrize("seed", range(8))
def test_rp2_takes_the_same_lots_and_finds_the_same_gains(
    seed: int, method: Method, theirs: Theirs
):
    steps = history(seed)
    assert any(kind == "out" for kind, *_ in steps)
    assert joined(ours(steps, method)) == joined(theirs(steps, method))
