"""Blocks read again: what our addresses received in them goes on the books, where it is not yet.

For what the follower never saw: blocks before its start, an address that was added to the ledger
afterwards, an endpoint that left something out. It works beside a running follower and shares
nothing with it but the books, so these have to see to it that nothing counts twice: a payment
takes in each transfer once, by its name, however it is told. Commands of a rescan have names of
their own (an epoch below zero, another one each time): named as the follower's, they would be
taken for repetitions of what it said before the chain took something back.

Only what is final is read. Nobody watches these blocks for being abandoned later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, assert_never
from uuid import UUID

import structlog

from flamewire_ledger.chains.chain import BlockTransfers, Chain, Heads
from flamewire_ledger.chains.observation import (
    Confirmed,
    Included,
    Listener,
    Observation,
)
from flamewire_ledger.commands.decider import Done, Envelope, Facts, Failed, Outcome
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.processes.blocks_again import children, patiently
from flamewire_ledger.processes.books import Books

_log = structlog.get_logger(__name__)

T = TypeVar("T")
Progress = Callable[[int, int], None]  # blocks done, blocks in all


class RescanRefused(Exception):
    """These blocks cannot be read again; the message says which can."""


@dataclass(frozen=True, slots=True)
class RescanLimits:
    """How much at once, and how patiently."""

    blocks_max: int = 1_000_000  # in one run
    batch_blocks_max: int = 100
    tries_max: int = 6  # of each batch
    wait_seconds: float = 0.5  # the first time; each further time twice as long


@dataclass(slots=True)
class Rescanned:
    """What came of it. Every transfer that was found is in one of the counts behind `found`."""

    blocks: int = 0
    found: int = 0  # transfers to addresses of ours
    new: int = 0  # something was recorded of them now
    known: int = 0  # there was nothing new to say
    earlier: int = 0  # at an address of a merchant's own, before a payment was asked for there
    refused: int = 0  # the ledger did not take them in: the log says why
    doubted: int = 0  # too few endpoints say that they are there


class Writer(Protocol):
    """Where commands go."""

    async def submit_many(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome | Failed]: ...


class NotingWriter:
    """Passes commands on, and notes of which transfers something was recorded."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._decided: dict[UUID, set[str]] = {}
        self.recorded: set[str] = set()  # the keys of transfers

    async def submit_many(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome | Failed]:
        for envelope in envelopes:
            envelope.decide = partial(self._decide, envelope.command_id, envelope.decide)
        outcomes = await self._writer.submit_many(envelopes)
        for envelope, outcome in zip(envelopes, outcomes, strict=True):
            if isinstance(outcome, Done):
                self.recorded |= self._decided.pop(envelope.command_id, set())
        return outcomes

    def _decide(
        self,
        command_id: UUID,
        decide: Callable[[Mapping[str, Any]], Facts],
        states: Mapping[str, Any],
    ) -> Facts:
        """The last decision that says anything is the recorded one: after a lost connection, the
        next finds its own facts there and says nothing.
        """
        facts = decide(states)
        if keys := set(_transfers_of(facts)):
            self._decided[command_id] = keys
        return facts


def _transfers_of(facts: Facts) -> Iterable[str]:
    for events in facts.values():
        for event in events:
            transfer = getattr(event, "transfer", None)
            if isinstance(transfer, Transfer):
                yield transfer.key


class Rescan:
    """Reads blocks of one chain again. `run` may be called once: its epoch is its name.

    `listener` reports through `news`. `epoch` is below zero, and another for each rescan.
    """

    def __init__(
        self,
        chain: Chain,
        listener: Listener,
        news: NotingWriter,
        books: Books,
        epoch: int,
        limits: RescanLimits | None = None,
    ) -> None:
        assert epoch < 0, "epochs from zero on are the follower's"
        self._chain = chain
        self._listener = listener
        self._news = news
        self._books = books
        self._epoch = epoch
        self._limits = limits or RescanLimits()
        self._parent: str | None = None  # the hash of the last block read

    async def run(
        self, first: int, last: int, progress: Progress = lambda done, total: None
    ) -> Rescanned:
        """Read the blocks first…last. Raises RescanRefused, ChainUnavailable, ListenerBusy."""
        heads = await self._patiently(self._chain.heads)
        self._check(first, last, heads)
        told = Rescanned()
        while first + told.blocks <= last:
            height = first + told.blocks
            upto = min(last, height + self._limits.batch_blocks_max - 1)
            found = await self._patiently(
                partial(children, self._chain, height, upto, self._parent)
            )
            await self._patiently(partial(self._report, found, heads, told))
            self._parent = found[-1].block.hash
            told.blocks += len(found)
            progress(told.blocks, last - first + 1)
        return told

    def _check(self, first: int, last: int, heads: Heads) -> None:
        name = self._chain.network.name
        if not 0 <= first <= last:
            raise RescanRefused(f"there are no blocks from {first} to {last}: give the lower first")
        if last - first >= self._limits.blocks_max:
            raise RescanRefused(
                f"{last - first + 1} blocks are too many at once: read"
                f" {self._limits.blocks_max} at most, and the others after them"
            )
        if first < heads.earliest_height:
            raise RescanRefused(
                f"the endpoints of {name} know nothing below block {heads.earliest_height}: read from"
                " there on, or add an endpoint that keeps more"
            )
        if last > heads.finalized_height:
            raise RescanRefused(
                f"{name} is final up to {heads.finalized_height} now, and the follower looks after"
                " what is newer: read up to there"
            )

    async def _report(self, found: Sequence[BlockTransfers], heads: Heads, told: Rescanned) -> None:
        """Counted only when all of it went well: a batch that is told again counts once."""
        placed = {t.key: (t, each.block) for each in found for t in each.transfers}
        transfers = [transfer for transfer, _ in placed.values()]
        known = await self._listener.known(transfers) if transfers else ()
        ours = {key: place for key, place in placed.items() if key in known}
        verdicts = await self._books.verdicts(list(ours.values()))
        fresh = {key: place for key, place in ours.items() if key not in verdicts}
        attested = {key: place for key, place in fresh.items() if await self._is_attested(*place)}
        observations = [
            said for place in attested.values() for said in self._observations(*place, heads)
        ]
        refused = await self._listener.observed(observations) if observations else ()
        taken_in = attested.keys() - refused
        new = taken_in & self._news.recorded
        told.found += len(ours)
        told.new += len(new)
        told.known += len(taken_in) - len(new)
        told.refused += len(attested) - len(taken_in)
        told.doubted += len(fresh) - len(attested)
        for verdict in verdicts.values():
            match verdict:
                case "booked":
                    told.known += 1
                case "earlier":
                    told.earlier += 1
                case _:
                    assert_never(verdict)

    def _observations(self, transfer: Transfer, block: Block, heads: Heads) -> list[Observation]:
        """As the follower says it of a final block: when it came is the chain's word."""
        confirmations = heads.latest.height - block.height + 1
        return [
            Included(transfer, block, block.at, self._epoch),
            Confirmed(transfer, block, confirmations, block.at, self._epoch),
        ]

    async def _is_attested(self, transfer: Transfer, block: Block) -> bool:
        if await self._chain.attested(transfer, block):
            return True
        _log.error("transfer_not_attested", transfer=transfer.key, height=block.height)
        return False

    async def _patiently(self, question: Callable[[], Awaitable[T]]) -> T:
        return await patiently(self._limits, question)
