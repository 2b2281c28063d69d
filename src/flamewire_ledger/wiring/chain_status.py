"""How every chain does, for `flamewire chains status`: what the database knows of its follower, and what
its endpoints say now.

The follower is another process most of the time: the endpoints are asked from here. A chain that
does not answer is told of like the others, with the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flamewire_ledger.chains.chain import (
    Chain,
    ChainUnavailable,
    EndpointReport,
    Heads,
    WrongChain,
)
from flamewire_ledger.store.chain_standing import Standing, chain_standings, held_up
from flamewire_ledger.wiring.chain_reports import why_unseen
from flamewire_ledger.wiring.ledger import Ledger

_ANSWER_SECONDS_MAX: Final = 20.0


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """One chain. Heights and times are None where nobody knows them."""

    name: str
    chain_id: str
    livemode: bool
    followed_height: int | None
    head_height: int | None
    head_at: datetime | None
    finalized_height: int | None
    held_up: int | None  # transfers that are final and not confirmed
    lag_seconds: int | None  # from the block that was followed to the head, by the blocks' times
    followed_by: str | None
    standing_by: tuple[str, ...]
    endpoints: Sequence[EndpointReport]
    reason: str | None  # why the chain does not answer, or is waited for

    @property
    def lag_blocks(self) -> int | None:
        if self.head_height is None or self.followed_height is None:
            return None
        return max(0, self.head_height - self.followed_height)

    @property
    def is_well(self) -> bool:
        """Whether it answers, and somebody follows it."""
        return self.reason is None and self.followed_by is not None


async def chain_statuses(ledger: Ledger) -> Sequence[ChainStatus]:
    """Of all chains, in the order of the networks file, the sandbox first. Raises StoreUnavailable."""
    standings = await chain_standings(
        ledger.connections, [chain.network.chain_id for chain in ledger.chains]
    )
    return await asyncio.gather(
        *(_status(ledger, chain, standings[chain.network.chain_id]) for chain in ledger.chains)
    )


async def _status(ledger: Ledger, chain: Chain, standing: Standing) -> ChainStatus:
    heads, lag_seconds, reason = await _progress(chain, standing.height)
    network = chain.network
    waiting = None
    if heads is not None:
        waiting = await held_up(ledger.connections, network.chain_id, heads.finalized_height)
    return ChainStatus(
        name=network.name,
        chain_id=network.chain_id,
        livemode=network.livemode,
        followed_height=standing.height,
        head_height=heads.latest.height if heads else None,
        head_at=heads.latest.at if heads else None,
        finalized_height=heads.finalized_height if heads else None,
        held_up=waiting,
        lag_seconds=lag_seconds,
        followed_by=standing.followed_by,
        standing_by=standing.standing_by,
        endpoints=await _endpoints(chain),
        reason=reason,
    )


async def _progress(
    chain: Chain, followed: int | None
) -> tuple[Heads | None, int | None, str | None]:
    """The heads, the lag in seconds, and why there are none or they are of no use."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS_MAX):
            heads = await chain.heads()
            reason = None if followed is None else why_unseen(followed, heads.latest.height)
            return heads, await _lag_seconds(chain, heads, followed), reason
    except (ChainUnavailable, WrongChain) as error:
        return None, None, str(error)
    except TimeoutError:
        return None, None, f"it did not answer within {_ANSWER_SECONDS_MAX:.0f} s"


async def _lag_seconds(chain: Chain, heads: Heads, followed: int | None) -> int | None:
    if followed is None:
        return None
    if followed >= heads.latest.height:
        return 0
    found = await chain.block_at(followed)
    return None if found is None else max(0, int((heads.latest.at - found[0].at).total_seconds()))


async def _endpoints(chain: Chain) -> Sequence[EndpointReport]:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS_MAX):
            return await chain.look_at_endpoints()
    except TimeoutError:
        return chain.endpoints()
