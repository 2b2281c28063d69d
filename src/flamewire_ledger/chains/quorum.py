"""Whether enough endpoints say the same: of the blocks that are read, and of those that are final.

With a quorum, blocks are read from so many endpoints at once and taken in where all of them tell
the same; where they differ all endpoints are asked, and who contradicts the majority is set aside.
While fewer answer, reading goes on with those that are left, so that a dead endpoint stops nothing;
but what is confirmed has been attested by the whole quorum, above the amounts it is asked for, and
nothing is said to be gone while fewer tell the head.
Without a majority nobody is set aside: nothing is taken in or attested, and the reports say so.

Endpoints agree about what is final, so that is compared every now and then, quorum or not. Near the
head honest endpoints may have rival blocks for a while.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from flamewire_ledger.chains.chain import BlockTransfers, ChainUnavailable, EndpointReport, Heads
from flamewire_ledger.chains.endpoints import Endpoints
from flamewire_ledger.chains.networks.endpoint_rules import EndpointRules
from flamewire_ledger.domain.transfer import Block, Transfer

E = TypeVar("E")
VOTES_KEPT_MAX: Final = 64  # blocks; a block of many transfers is asked for once


@dataclass(frozen=True, slots=True)
class View:
    """What one endpoint says of the chain: its head, what is final, and blocks by height."""

    height: int
    finalized_height: int
    hashes: Mapping[int, str]  # of the heights that were asked for, as far as it has them


@dataclass(frozen=True, slots=True)
class _Votes:
    """What endpoints said of one final block, each as comparable things."""

    at: float
    said: tuple[tuple[str, frozenset[Hashable]], ...]


class Quorum(Generic[E]):
    """The judgement over a pool's endpoints.

    `look` asks an endpoint for its view, with the hashes of its blocks at some heights; `block` for
    its block at a height with the transfers in it, None where it has none there.
    """

    def __init__(
        self,
        endpoints: Endpoints[E],
        rules: EndpointRules,
        *,
        look: Callable[[E, Collection[int]], Awaitable[View]],
        block: Callable[[E, int], Awaitable[BlockTransfers | None]],
        votes_seconds_max: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Votes against a transfer are asked for again after `votes_seconds_max`."""
        self._endpoints = endpoints
        self._rules = rules
        self._look = look
        self._block = block
        self._votes_seconds_max = votes_seconds_max
        self._clock = clock
        self._votes: OrderedDict[str, _Votes] = OrderedDict()  # by block hash
        self._agreed: tuple[int, str] | None = None  # the last final block all had
        self._fork_since: float | None = None
        self._withheld_since: dict[int, float] = {}  # by endpoint
        self._heads: Heads | None = None  # what was agreed last

    async def look(self) -> Sequence[EndpointReport]:
        """How each endpoint does, asked now."""
        await self.compare(even_set_aside=True)
        return self._endpoints.reports()

    # Reading.

    async def heads(self, question: Callable[[E], Awaitable[Heads]]) -> Heads:
        """The highest block that the endpoints of a quorum all have, and what all of them call final.

        While they have rival blocks there, what was agreed before.
        """
        several = await self._several_heads(question)
        lowest = min(several, key=lambda heads: heads.latest.height)
        height = lowest.latest.height
        digests = {heads.latest.hash for heads in several if heads.latest.height == height}
        if any(heads.latest.height > height for heads in several):
            views = await self._endpoints.ask_several(
                lambda endpoint: self._look(endpoint, (height,)), self._rules.quorum
            )
            digests |= {view.hashes.get(height, "") for _, view in views}
        if len(digests) == 1:
            self._fork_since = None
            final = min(heads.finalized_height for heads in several)
            is_agreed = len(several) >= self._rules.quorum
            self._heads = replace(lowest, finalized_height=final, is_agreed=is_agreed)
        else:
            await self._settle_fork(height)
        if self._heads is None:
            raise ChainUnavailable(f"the endpoints do not agree about block {height}")
        return self._heads

    async def block_at(
        self, question: Callable[[E], Awaitable[tuple[Block, str] | None]], height: int
    ) -> tuple[Block, str] | None:
        """The block at a height, and its parent's hash, as the endpoints of a quorum all have it."""
        answers = await self._endpoints.ask_several(question, self._rules.quorum)
        if any(answer != answers[0][1] for _, answer in answers):
            await self._settle_fork(height)
            raise ChainUnavailable(f"the endpoints do not agree about block {height}")
        return answers[0][1]

    async def read(
        self, question: Callable[[E], Awaitable[Sequence[BlockTransfers]]]
    ) -> Sequence[BlockTransfers]:
        """The blocks as far as the endpoints of a quorum have and tell the same."""
        answers = await self._endpoints.ask_several(question, self._rules.quorum)
        agreed: list[BlockTransfers] = []
        for rivals in zip(*(blocks for _, blocks in answers), strict=False):
            if any(rival != rivals[0] for rival in rivals):
                height = rivals[0].block.height
                if len({rival.block.hash for rival in rivals}) > 1:
                    await self._settle_fork(height)
                else:
                    await self._settle(height)
                break
            agreed.append(rivals[0])
        self._note_withheld(answers, is_stuck=not agreed)
        return agreed

    def _note_withheld(
        self, answers: Sequence[tuple[int, Sequence[BlockTransfers]]], *, is_stuck: bool
    ) -> None:
        """Who tells of a head and for long does not give out the blocks below it holds up all others."""
        most, now = max(len(blocks) for _, blocks in answers), self._clock()
        for number, blocks in answers:
            if not is_stuck or len(blocks) == most:
                self._withheld_since.pop(number, None)
                continue
            since = self._withheld_since.setdefault(number, now)
            if now - since >= self._endpoints.limits.fork_seconds_max:
                del self._withheld_since[number]
                self._endpoints.set_aside(number, "it does not give out blocks that others have")

    async def _settle_fork(self, height: int) -> None:
        """Rival blocks near the head may all be right for a while; then the majority is."""
        now = self._clock()
        if self._fork_since is None:
            self._fork_since = now
        if now - self._fork_since >= self._endpoints.limits.fork_seconds_max:
            self._fork_since = now
            await self._settle(height)

    async def _settle(self, height: int) -> None:
        """Find out who is wrong of a block."""
        answers = await self._endpoints.ask_all(lambda endpoint: self._block(endpoint, height))
        said = {n: answer for n, answer in answers if isinstance(answer, BlockTransfers)}
        self._endpoints.outvote(said, f"its block {height}")

    async def _several_heads(self, question: Callable[[E], Awaitable[Heads]]) -> Sequence[Heads]:
        """Of those that are not found to lag, unless all do."""
        several = await self._endpoints.ask_several(question, self._rules.quorum)
        self._endpoints.spoke_together({n: heads.latest.height for n, heads in several})
        ready = [heads for number, heads in several if not self._endpoints.is_set_aside(number)]
        return ready or [heads for _, heads in several]

    # Attesting.

    async def attested(self, transfer: Transfer, block: Block) -> bool:
        """Whether a quorum of endpoints has this block, calls it final, and has the transfer in it."""
        if not self._rules.needs_quorum(transfer.amount):
            return True
        votes = self._votes.get(block.hash)
        if votes is None or not self._attest(votes, transfer, block):
            if votes is not None and self._clock() - votes.at < self._votes_seconds_max:
                return False
            votes = await self._vote(block)
        return self._attest(votes, transfer, block)

    def _attest(self, votes: _Votes, transfer: Transfer, block: Block) -> bool:
        named = _name(transfer)
        agreeing = [1 for digest, names in votes.said if digest == block.hash and named in names]
        return len(agreeing) >= self._rules.quorum

    def denied(self, transfer: Transfer, block: Block) -> bool:
        """Whether most of all endpoints, and a quorum of them, said last time that they have this
        final block without the transfer in it.
        """
        votes = self._votes.get(block.hash)
        if votes is None or not self._rules.needs_quorum(transfer.amount):
            return False
        named = _name(transfer)
        denying = sum(digest == block.hash and named not in names for digest, names in votes.said)
        is_majority = 2 * denying > len(self._endpoints)
        return (
            is_majority
            and denying >= self._rules.quorum
            and not self._attest(votes, transfer, block)
        )

    async def _vote(self, block: Block) -> _Votes:
        answers = await self._endpoints.ask_all(
            lambda endpoint: self._final_block(endpoint, block.height)
        )
        said = {
            number: (answer.block.hash, frozenset(_name(each) for each in answer.transfers))
            for number, answer in answers
            if isinstance(answer, BlockTransfers)
        }
        self._endpoints.outvote(said, f"its block {block.height}")
        votes = _Votes(self._clock(), tuple(said.values()))
        self._votes[block.hash] = votes
        self._votes.move_to_end(block.hash)
        while len(self._votes) > VOTES_KEPT_MAX:
            self._votes.popitem(last=False)
        return votes

    async def _final_block(self, endpoint: E, height: int) -> BlockTransfers | None:
        view = await self._look(endpoint, ())
        if view.finalized_height < height:
            return None
        return await self._block(endpoint, height)

    # Comparing.

    async def compare(self, *, even_set_aside: bool = False) -> None:
        """Ask each endpoint for its head, and for the blocks that any of them calls final.

        Who lags is set aside, and who has another final block than the majority, or than the one
        all had before: unless nobody has that one any more.
        """
        self._endpoints.compared()
        views = await self._views((), even_set_aside=even_set_aside)
        self._endpoints.spoke_together({number: view.height for number, view in views.items()})
        heights = {min(view.finalized_height, view.height) for view in views.values()}
        if self._agreed is not None:
            heights.add(self._agreed[0])
        if len(views) < 2:
            return
        views = await self._views(sorted(heights), even_set_aside=even_set_aside)
        self._compare_with_agreed(views)
        for height in sorted(heights):
            said = {n: view.hashes[height] for n, view in views.items() if height in view.hashes}
            self._endpoints.outvote(said, f"its final block {height}")
            if len(said) == len(views) > 1 and len(set(said.values())) == 1:
                self._agreed = (height, next(iter(said.values())))

    async def _views(self, heights: Collection[int], *, even_set_aside: bool) -> Mapping[int, View]:
        answers = await self._endpoints.ask_all(
            lambda endpoint: self._look(endpoint, heights), even_set_aside=even_set_aside
        )
        return {number: view for number, view in answers if isinstance(view, View)}

    def _compare_with_agreed(self, views: Mapping[int, View]) -> None:
        if self._agreed is None:
            return
        height, digest = self._agreed
        said = {n: view.hashes[height] for n, view in views.items() if height in view.hashes}
        if digest not in said.values():
            self._agreed = None  # the chain broke its own promise, or it is a new one
            return
        for number, other in said.items():
            if other != digest:
                self._endpoints.set_aside(number, f"its final block {height} is not what it was")


def _name(transfer: Transfer) -> Hashable:
    """What endpoints have to agree in. An asset's decimals are of our configuration, not of theirs."""
    return (
        transfer.transaction_id,
        transfer.index,
        transfer.address,
        transfer.amount.asset.code,
        transfer.amount.units,
    )
