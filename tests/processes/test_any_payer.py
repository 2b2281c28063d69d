"""Random payers at a shared address: right, wrong and missing marks and amounts, transfers that the
chain takes back, and a person who says whose some of them are.

The oracle knows the chain as it is in the end and what each payer did: every unit that is final is on
the books once, and each payment has exactly its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flamewire_ledger.chains.chain import IdentifiesBy
from flamewire_ledger.chains.sandbox.chain import Behaviour
from flamewire_ledger.commands.unclaimed_transfer import unclaimed_id
from flamewire_ledger.domain.posting import SUSPENSE, wallet
from flamewire_ledger.domain.transfer import Transfer
from tests.domain.searching import STORIES
from tests.processes.office import DUE, TAO
from tests.processes.shared_office import OWNER, SharedOffice

PAYMENTS = 3
Marked: TypeAlias = Literal["right", "wrong", "missing"]


@dataclass(frozen=True)
class Payer:
    """What one payer does, meaning to pay payment `number`."""

    number: int
    marked: Marked
    off_by: int  # units more than is due
    behaviour: Behaviour
    blocks: int  # until the next one comes
    given_to: int | None  # the payment a person gives it to, if it is nobody's then

    def owner(self, identifies_by: IdentifiesBy) -> int | None:
        """Whose it is by what it says."""
        says_so = self.marked == "right" if identifies_by == "mark" else self.off_by == 0
        return self.number if says_so else None


numbers = st.integers(0, PAYMENTS - 1)
payers = st.builds(
    Payer,
    number=numbers,
    marked=st.sampled_from(["right", "wrong", "missing"]),
    # More than one payment's amount away from the others': those are a few units apart.
    off_by=st.sampled_from([0, 0, 100, -100, DUE]),
    behaviour=st.sampled_from(
        ["normal", "normal", "reorg", "reorg_before_final", "reorg_and_back", "drop"]
    ),
    blocks=st.integers(0, 6),
    given_to=st.none() | numbers,
)


@pytest.mark.parametrize("identifies_by", ["mark", "amount"])
@given(story=st.lists(payers, min_size=1, max_size=6))
@settings(STORIES)
def test_every_final_unit_is_on_the_books_once_and_each_payment_has_its_own(
    identifies_by: IdentifiesBy, story: list[Payer]
) -> None:
    asyncio.run(_play(identifies_by, story))


async def _play(identifies_by: IdentifiesBy, story: list[Payer]) -> None:
    office = SharedOffice(identifies_by, partitions=2)
    running = asyncio.create_task(office.writer.run())
    try:
        await office.catch_up()
        first = (await office.world.chain.heads()).latest.height
        shops = [await office.register(f"shop {number}") for number in range(PAYMENTS)]
        payments = [await office.ask(number, shop) for number, shop in enumerate(shops)]
        owners: dict[str, int | None] = {}
        sent: list[tuple[Payer, Transfer]] = []
        for payer in story:
            transfer = await _pay(office, payer)
            owners[transfer.key] = payer.owner(identifies_by)
            sent.append((payer, transfer))
            for _ in range(payer.blocks):
                await office.world.mine()
                await office.catch_up()
            await _decide(office, sent, owners, payments, shops)
        for _ in range(30):  # more than any script takes
            await office.world.mine()
            await office.catch_up()
            await office.react()
        await _decide(office, sent, owners, payments, shops)
        await _check(office, first, owners, payments, shops)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _pay(office: SharedOffice, payer: Payer) -> Transfer:
    deposit = office.world.chain.deposit(payer.number)
    marks = {"right": deposit.mark, "wrong": "0xfeed", "missing": None}
    return await office.pay(
        payer.number,
        DUE + deposit.adds_units + payer.off_by,
        mark=marks[payer.marked],
        behaviour=payer.behaviour,
    )


async def _decide(
    office: SharedOffice,
    sent: list[tuple[Payer, Transfer]],
    owners: dict[str, int | None],
    payments: list[str],
    shops: list[str],
) -> None:
    """A person gives away what is held and can be given."""
    for payer, transfer in sent:
        held = await office.held(transfer)
        if payer.given_to is not None and held and held[-1] == "confirmed":
            await office.assign(transfer, payments[payer.given_to], shops[payer.given_to])
            owners[transfer.key] = payer.given_to


async def _check(
    office: SharedOffice,
    first: int,
    owners: dict[str, int | None],
    payments: list[str],
    shops: list[str],
) -> None:
    chain = office.world.chain
    heads = await chain.heads()
    final = [
        transfer
        for block in await chain.blocks(first, heads.finalized_height)
        for transfer in block.transfers
    ]
    due: Counter[int | None] = Counter()
    for transfer in final:
        due[owners[transfer.key]] += transfer.amount.units
    in_wallet = wallet("bittensor")
    for number, shop in enumerate(shops):
        books = await office.books(shop)
        assert books.debit(in_wallet, TAO.code) == due[number]
        assert set(books.sums().values()) <= {0}
        wrong = [fact for fact in await office.facts(payments[number]) if _is_of_another(fact)]
        assert not wrong
    operator = await office.books(OWNER)
    assert operator.debit(in_wallet, TAO.code) == due[None]
    assert operator.credit(SUSPENSE, TAO.code) == due[None]
    for transfer in final:
        is_held = (await office.held(transfer))[-1:] == ["confirmed"]
        assert is_held == (owners[transfer.key] is None), unclaimed_id("", transfer)


def _is_of_another(fact: object) -> bool:
    """All were asked in one asset on one network: none of it can be wrong."""
    return "wrong_asset" in getattr(fact, "labels", ())
