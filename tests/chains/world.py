"""A chain that a test can move: the same words for a sandbox chain and for a real node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.domain.transfer import Transfer


class World(Protocol):
    """Nothing moves by itself: blocks come when a test says so.

    The suite sends sums from 5 to 10 000 units to the deposit addresses 1 and 2: where a chain asks
    for a least balance, a world has put it there before.
    """

    @property
    def chain(self) -> Chain:
        """A connection to the chain, as it is now."""

    @property
    def coin(self) -> str:
        """The symbol of the chain's own coin."""

    @property
    def coin_of_another_contract(self) -> str | None:
        """The symbol of a token, where the chain has one."""

    @property
    def can_reorganise(self) -> bool:
        """Whether blocks can be replaced, and become final later than they are made. Cases of that
        are skipped, with the reason, where every block is final at once.
        """

    async def pay(self, address: str, units: int, symbol: str | None = None) -> Transfer:
        """Send; the next block holds it."""

    async def pay_in_vain(self, address: str, units: int) -> Transfer:
        """Send so that the next block holds a failed transaction."""

    async def pay_for_now(self, address: str, units: int) -> Transfer:
        """Send; the next block holds it, and `reorganise` takes it out for good. Only where a chain
        can be reorganised.
        """

    async def pay_unlisted(self, address: str, units: int) -> Transfer:
        """Send something that is no configured token."""

    async def mine(self, blocks: int = 1) -> None: ...

    async def make_final(self) -> None:
        """Mine until the block that is now the newest is final."""

    async def reorganise(self) -> None:
        """Replace the newest blocks, two at least, by others, at the same height or above.

        Only where a chain can be reorganised.
        """

    async def go_back(self) -> None:
        """Let the chain's head be lower than it was, with the same blocks below."""

    async def pay_many(self, payments: Sequence[tuple[str, int]]) -> Sequence[Transfer]:
        """Send one transaction that makes several transfers, given as (address, units), in this
        order; the next block holds it.

        Of the chain's coin, or of a token where only tokens can be sent so that others see it.
        """

    async def hold_finality(self, *, is_held: bool) -> None:
        """While held, blocks come and none of them becomes final. Only where a chain can be
        reorganised. `chain` is another connection afterwards: ask for it anew.
        """

    def of_another_network(self) -> Chain | None:
        """A connection to the same endpoint that is configured for another network; None where a
        chain has no endpoint that could be another's.
        """
