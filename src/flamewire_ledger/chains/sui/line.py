"""The line to a network's endpoints and to its archive: one checkpoint or many, believed or not.

Whoever contradicts what was believed is held against the others: most of them are right, and the
rest are set aside. Where no two agree, what was believed stands. A checkpoint that is to be judged
without anything known before, as when a follower looks where it left off, is asked of all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from flamewire_ledger.chains.chain import (
    BlockTransfers,
    ChainUnavailable,
    Network,
)
from flamewire_ledger.chains.endpoints import EndpointLimits, Endpoints
from flamewire_ledger.chains.networks.sui import SuiSettings
from flamewire_ledger.chains.quorum import Quorum, View
from flamewire_ledger.chains.sui.archive import Archive
from flamewire_ledger.chains.sui.known import KnownDigests
from flamewire_ledger.chains.sui.node import Node
from flamewire_ledger.chains.sui.tip import Tip
from flamewire_ledger.chains.sui.transfers import Checkpoint, TransferReader
from flamewire_ledger.domain.transfer import Block

_AT_ONCE: Final = 8  # questions under way


class Line:
    """Connections of one network. Use it from one event loop."""

    def __init__(self, network: Network, settings: SuiSettings) -> None:
        self._rules = settings.endpoint_rules
        self._reader = TransferReader(network, settings.payment_kit)
        with_events = self._reader.wants_events
        nodes = [
            Node(
                url,
                settings.genesis,
                settings.timeout_seconds,
                with_events=with_events,
                requests_per_second=self._rules.requests_per_second,
            )
            for url in settings.grpc_urls
        ]
        self.endpoints = Endpoints(
            nodes, EndpointLimits.for_blocks_of(network.block_seconds), network=network.name
        )
        self._archive = (
            Archive(
                settings.graphql_url,
                settings.genesis,
                settings.timeout_seconds,
                with_events=with_events,
            )
            if settings.graphql_url is not None
            else None
        )
        self.quorum = Quorum(self.endpoints, self._rules, look=_view, block=self._block_of)
        self._known = KnownDigests()
        self._tip = Tip(network.name, self.endpoints, self._believed)
        self._height = 0  # the highest that was ever told

    # Questions.

    async def check(self) -> None:
        """Whether there is an endpoint of the configured chain. Raises WrongChain."""
        await self.endpoints.ask(lambda node: node.check())

    async def latest(self) -> Checkpoint:
        """The newest checkpoint: as the subscription has told it just now, or else asked for."""
        self._tip.want()
        if self.endpoints.is_comparison_due:
            await self.quorum.compare()
        told = self._tip.newest() or await self._asked_latest()
        self._height = max(self._height, told.height)
        return told

    async def _asked_latest(self) -> Checkpoint:
        number, told = await self.endpoints.ask_whom(lambda node: node.latest())
        self.endpoints.spoke_of(number, told.height)
        await self._agree(number, told)
        return told

    @property
    def earliest_height(self) -> int:
        """Below it nothing can be had, as far as is known."""
        if self._archive is not None:
            return 0
        lowest = [node.lowest_height for node in self.endpoints.all if node.is_checked]
        return min(lowest, default=0)

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        """In order, without a hole; fewer where there are fewer."""
        last = min(last, await self._height_for(last))
        if self._rules.quorum > 1 and first >= self._kept_by_all:
            return await self._blocks_by_quorum(first, last)
        found: list[BlockTransfers] = []
        for start in range(first, last + 1, _AT_ONCE):
            heights = range(start, min(last, start + _AT_ONCE - 1) + 1)
            answers = await asyncio.gather(
                *(self._block(height) for height in heights), return_exceptions=True
            )
            for answer in answers:
                if isinstance(answer, BaseException):
                    if found and isinstance(answer, ChainUnavailable):
                        return found  # the next question begins with it
                    raise answer
                found.append(answer)
        return found

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        """What is at a height, and what before it: a block may be taken back by it, so all are asked."""
        if height < 0 or height > await self._height_for(height):
            return None
        found = await (self._by_votes(height) if len(self.endpoints) > 1 else self._alone(height))
        found = found or await self._elsewhere(
            height, lambda node: node.summary(height), lambda archive: archive.summary(height)
        )
        return found.block, found.previous_digest

    async def aclose(self) -> None:
        await self._tip.aclose()
        for node in self.endpoints.all:
            await node.aclose()
        if self._archive is not None:
            await self._archive.aclose()

    async def _blocks_by_quorum(self, first: int, last: int) -> Sequence[BlockTransfers]:
        """What a quorum of endpoints says alike; nothing where they differ, until that is settled."""
        last = min(last, first + _AT_ONCE - 1)

        async def some(node: Node) -> Sequence[BlockTransfers]:
            told = [self._block_of(node, height) for height in range(first, last + 1)]
            return _unbroken(await asyncio.gather(*told))

        found = await self.quorum.read(some)
        for each in found:
            height = each.block.height
            known = self._known.get(height)
            if known not in (None, each.block.hash):
                most = await self._vote(height)
                if most is not None and most.digest != known:
                    self._forget_from(height)  # one endpoint had told it, by its subscription say
                raise ChainUnavailable(f"checkpoint {height} is not what it was")
        return found

    async def _block_of(self, node: Node, height: int) -> BlockTransfers | None:
        told = await node.checkpoint(height)
        return None if told is None else self._reader.block_transfers(told)

    @property
    def _kept_by_all(self) -> int:
        return max(node.lowest_height for node in self.endpoints.all)

    # One checkpoint.

    async def _height_for(self, height: int) -> int:
        """The head's height; asked for again only where it has to be higher than it was."""
        return self._height if height <= self._height else (await self.latest()).height

    async def _block(self, height: int) -> BlockTransfers:
        told = self._tip.block(height)
        if told is not None:
            return told
        number, checkpoint = await self.endpoints.ask_whom(lambda node: node.checkpoint(height))
        if checkpoint is not None:
            return await self._believed(number, checkpoint)
        checkpoint = await self._elsewhere(
            height, lambda node: node.checkpoint(height), lambda archive: archive.checkpoint(height)
        )
        self._known.believe(checkpoint)
        return self._reader.block_transfers(checkpoint)

    async def _elsewhere(
        self,
        height: int,
        of_node: Callable[[Node], Awaitable[Checkpoint | None]],
        of_archive: Callable[[Archive], Awaitable[Checkpoint | None]],
    ) -> Checkpoint:
        """A checkpoint that an endpoint no longer has: another does, or the archive."""
        if len(self.endpoints) > 1:
            for number, answer in await self.endpoints.ask_all(of_node):
                if isinstance(answer, Checkpoint):
                    await self._agree(number, answer)
                    return answer
        if self._archive is None:
            raise ChainUnavailable(
                f"no endpoint has checkpoint {height} any more: name a graphql_url in the networks file"
            )
        found = await of_archive(self._archive)
        if found is None:
            raise ChainUnavailable(f"neither an endpoint nor the archive has checkpoint {height}")
        if self._known.contradiction(found) is not None:
            raise ChainUnavailable(f"the archive contradicts what is known of checkpoint {height}")
        return found

    # Belief.

    async def _believed(self, number: int, checkpoint: Checkpoint) -> BlockTransfers:
        await self._agree(number, checkpoint)
        self._height = max(self._height, checkpoint.height)
        return self._reader.block_transfers(checkpoint)

    async def _agree(self, number: int, checkpoint: Checkpoint) -> None:
        """Believe it, or raise ChainUnavailable once it is settled who contradicts whom."""
        at = self._known.contradiction(checkpoint)
        if at is None:
            self._known.believe(checkpoint)
            return
        known, most = self._known.get(at), await self._vote(at)
        if most is not None and most.digest != known:
            self._forget_from(at)
        elif not self.endpoints.is_set_aside(number):
            self.endpoints.set_aside(
                number, f"its checkpoint {at} is not what it was: Sui takes nothing back"
            )
        raise ChainUnavailable(f"endpoint {number} contradicts what is known of checkpoint {at}")

    def _forget_from(self, height: int) -> None:
        self._known.forget_from(height)
        self._tip.forget_from(height)

    async def _vote(self, height: int) -> Checkpoint | None:
        """What most endpoints say is there, two at least; those who say otherwise are set aside."""
        answers = await self.endpoints.ask_all(lambda node: node.summary(height))
        told = {number: each for number, each in answers if isinstance(each, Checkpoint)}
        said = {number: (each.digest, each.previous_digest) for number, each in told.items()}
        self.endpoints.outvote(said, f"its checkpoint {height}")
        for number, each in said.items():
            agreeing = sum(other == each for other in said.values())
            if agreeing > 1 and 2 * agreeing > len(said):
                return told[number]
        return None

    async def _alone(self, height: int) -> Checkpoint | None:
        number, found = await self.endpoints.ask_whom(lambda node: node.summary(height))
        if found is not None:
            await self._agree(number, found)
        return found

    async def _by_votes(self, height: int) -> Checkpoint | None:
        """What those say who are not outvoted. None: no endpoint that can be asked has it."""
        answers = await self.endpoints.ask_all(lambda node: node.summary(height))
        if all(isinstance(each, ChainUnavailable) for _, each in answers):
            return await self._alone(height)
        told = {number: each for number, each in answers if isinstance(each, Checkpoint)}
        self.endpoints.outvote(
            {number: each.digest for number, each in told.items()}, f"its checkpoint {height}"
        )
        standing = {
            each.digest: each
            for number, each in told.items()
            if not self.endpoints.is_set_aside(number)
        }
        if len(standing) > 1:
            raise ChainUnavailable(f"the endpoints contradict each other about checkpoint {height}")
        for found in standing.values():
            if self._known.contradiction(found) is not None:
                self._forget_from(height - 1)
            self._known.believe(found)
            return found
        return None


def _unbroken(told: Sequence[BlockTransfers | None]) -> list[BlockTransfers]:
    """Up to the first that is not there."""
    found: list[BlockTransfers] = []
    for each in told:
        if each is None:
            break
        found.append(each)
    return found


async def _view(node: Node, heights: Collection[int]) -> View:
    """What a node says of the chain: all that it has is final."""
    latest = await node.latest()
    told = [await node.summary(height) for height in heights]
    hashes = {each.height: each.digest for each in told if each is not None}
    return View(latest.height, latest.height, hashes)
