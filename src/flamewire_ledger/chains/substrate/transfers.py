"""Transfers out of the events of a block: what has moved, never what was asked for.

Every way to move the coin ends in `Balances.Transfer`: a call, a batch of which the half fails, a
multisig account, a proxy. Assets end in `Transferred`. What failed has left no such event.

A transfer is named by its extrinsic's hash and its place among the transfers of that extrinsic:
both stay when a reorganisation puts it into another block. But hashes are not unique for ever. An
extrinsic without an end to its validity can be sent again by anybody, once its account was emptied,
forgotten by the chain, and used anew; then it moves money again. So the index of such a transfer
also says in which stretch of the chain it is. What happens outside extrinsics is named by its block.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flamewire_ledger.chains.addresses import ss58_address
from flamewire_ledger.chains.chain import Network, Token
from flamewire_ledger.chains.substrate.runtime import (
    AssetMoved,
    CoinMoved,
    Event,
    Phase,
    Remarked,
)
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Transfer

PLACES: Final = 2**16  # transfers of one extrinsic: more than fit into a block
STRETCH_BLOCKS: Final = 1024  # longer than any reorganisation; some hours
STRETCHES: Final = 2**15  # then they begin again, years later
assert PLACES * STRETCHES == 2**31, "an index is kept in 31 bits"
_ACCOUNT_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Extrinsic:
    """What a transfer's name is made of."""

    hash: str  # blake2b-256 of its bytes
    is_mortal: bool  # whether it says until when it is valid


class Decoder:
    """Reads the events of one network's blocks."""

    def __init__(self, network: Network, ss58_prefix: int) -> None:
        self._name = network.name
        self._prefix = ss58_prefix
        self._coin = next(token.asset for token in network.tokens if token.contract is None)
        self._tokens: dict[str, Token] = {
            token.contract: token for token in network.tokens if token.contract is not None
        }

    def transfers(
        self, events: Sequence[Event], extrinsics: Sequence[Extrinsic], height: int
    ) -> Iterator[Transfer]:
        """Those that moved something to another account, in the order of the events."""
        by_phase: defaultdict[Phase, list[Event]] = defaultdict(list)
        for event in events:
            by_phase[event.phase].append(event)
        for phase, those in by_phase.items():
            marks = _marks(those)
            moves = [event for event in those if not isinstance(event, Remarked)]
            for place, (moved, mark) in enumerate(zip(moves, marks, strict=True)):
                if moved.units == 0 or moved.sender == moved.receiver:
                    continue  # nothing has arrived
                if len(moved.receiver) != _ACCOUNT_BYTES:
                    continue  # no account of a kind that has an SS58 address
                transaction_id, index = _name(phase, extrinsics, height, place)
                yield Transfer(
                    network=self._name,
                    transaction_id=transaction_id,
                    index=index,
                    address=ss58_address(moved.receiver, self._prefix),
                    amount=Amount(self._asset(moved), moved.units),
                    mark=mark,
                )

    def _asset(self, moved: CoinMoved | AssetMoved) -> Asset:
        """An asset that is not configured is named by its pallet and number; its decimals are unknown."""
        if isinstance(moved, CoinMoved):
            return self._coin
        number = str(moved.asset_id)
        if isinstance(moved.asset_id, bytes):  # a place in a universe of chains, of any length
            number = hashlib.blake2b(moved.asset_id, digest_size=16).hexdigest()
        token = self._tokens.get(number) if moved.pallet == "Assets" else None
        return token.asset if token else Asset(f"{self._name}:{moved.pallet}/{number}", 0)


def _name(
    phase: Phase, extrinsics: Sequence[Extrinsic], height: int, place: int
) -> tuple[str, int]:
    if isinstance(phase, str):
        return f"{height}-{phase}", place
    extrinsic = extrinsics[phase]
    if extrinsic.is_mortal:
        return extrinsic.hash, place
    return extrinsic.hash, height // STRETCH_BLOCKS % STRETCHES * PLACES + place


def _marks(events: Sequence[Event]) -> list[str | None]:
    """The mark of each transfer of one extrinsic, in their order.

    One remark is of all transfers beside it. Several have to take turns with the transfers, each
    behind its own or each before it: anything else is nobody's to guess, and has no mark.
    """
    kinds = "".join("r" if isinstance(event, Remarked) else "t" for event in events)
    said = ["0x" + event.remark_hash.hex() for event in events if isinstance(event, Remarked)]
    count = kinds.count("t")
    if len(set(said)) == 1:
        return [said[0]] * count
    if kinds in ("tr" * count, "rt" * count):
        return list(said)
    return [None] * count
