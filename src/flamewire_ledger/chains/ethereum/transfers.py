"""Transfers in the JSON of Ethereum blocks and receipts: ETH by transaction, tokens by ERC-20 Transfer logs.

Only what succeeded counts: a transaction's receipt says so, and a failed one has no logs. ETH
that a contract passes on within a transaction (from a multisig wallet or an exchange's sweeper,
say) has a log on chains with EIP-7708, Ethereum's since the Amsterdam fork. On others it is in no
list a plain node gives out; it is seen where the block's traces are given too (internal.py).

Index 0 is the transaction's own ETH, n its nth Transfer log; what a trace tells of comes far
behind. A log's number within the block would change when the transaction comes back in another
block; its place among its own transaction's logs does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from flamewire_ledger.chains.addresses import evm_address
from flamewire_ledger.chains.chain import BlockTransfers, ChainUnavailable, Network, Token
from flamewire_ledger.chains.ethereum import internal
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer

# keccak256("Transfer(address,address,uint256)"), ERC-20.
TRANSFER_TOPIC: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
# The first four bytes of keccak256("transfer(address,uint256)").
TRANSFER_CALL: Final = "0xa9059cbb"
# EIP-7708: who is named as the contract in the log of every move of ETH. Nobody has a key for it.
COIN_LOGGER: Final = "0xfffffffffffffffffffffffffffffffffffffffe"
_WORD: Final = 64  # hexadecimal digits
_ADDRESS_BYTES: Final = 20
# What answers raise that have other things in their places than a block has.
_NONSENSE: Final = (KeyError, TypeError, ValueError, AttributeError)

Json = Mapping[str, Any]


class Decoder:
    """Reads the answers of a node of one network."""

    def __init__(self, network: Network) -> None:
        self._name = network.name
        self._coin = next(token.asset for token in network.tokens if token.contract is None)
        self._tokens: dict[str, Token] = {
            token.contract.lower(): token for token in network.tokens if token.contract
        }

    def block_transfers(
        self, answer: Json, receipts: Sequence[Json], traces: Sequence[Json] | None = None
    ) -> BlockTransfers | None:
        """A block with what succeeded in it; None when receipts or traces are of another block.

        They were asked for by height, and the chain may have been reorganised in between. Without
        traces, ETH that contracts pass on is seen only where it is logged.
        """
        try:
            block = block_of(answer)
            traced = None if traces is None else internal.by_transaction(traces, block.hash)
            by_transaction = {receipt["transactionHash"]: receipt for receipt in receipts}
            found: list[Transfer] = []
            for transaction in answer["transactions"]:
                receipt = by_transaction.get(transaction["hash"])
                if receipt is None and _is_nobodys(transaction):
                    continue
                if receipt is None or receipt["blockHash"] != block.hash:
                    return None
                found += self._of_transaction(transaction, receipt)
                if traced is not None:
                    found += self._passed_on(transaction, receipt, traced)
            return BlockTransfers(block, parent_of(answer), tuple(found))
        except internal.TracesMissing:
            return None
        except _NONSENSE as error:
            raise ChainUnavailable(f"the node's block makes no sense: {error!r}") from None

    def pending(self, answer: Json) -> Iterator[Transfer]:
        """What the transactions of a pending block would move: ETH, and plain calls of our tokens."""
        try:
            for transaction in answer["transactions"]:
                if (native := self._native(transaction)) is not None:
                    yield native
                if (called := self._called(transaction)) is not None:
                    yield called
        except _NONSENSE as error:
            raise ChainUnavailable(f"the node's pending block makes no sense: {error!r}") from None

    def _of_transaction(self, transaction: Json, receipt: Json) -> Iterator[Transfer]:
        if int(receipt["status"], 16) != 1:
            return
        native = self._native(transaction)
        if native is not None:
            yield native
        place = 0
        for number, log in enumerate(receipt["logs"]):
            if not _is_transfer(log) or (number == 0 and _is_own(transaction, log)):
                continue
            place += 1
            transfer = self._logged(_hash_of(transaction), place, log)
            if transfer is not None:
                yield transfer

    def _passed_on(
        self, transaction: Json, receipt: Json, traced: Mapping[str, Sequence[Json]]
    ) -> Iterator[Transfer]:
        """What its calls moved; nothing where the chain logs that (EIP-7708), and it is seen already."""
        if int(receipt["status"], 16) != 1:
            return
        traces = traced.get(transaction["hash"])
        if not traces:
            raise ValueError("a transaction has no trace")
        if any(log["address"].lower() == COIN_LOGGER for log in receipt["logs"]):
            return
        for place, (receiver, units) in enumerate(internal.moves(traces)):
            yield Transfer(
                self._name,
                _hash_of(transaction),
                internal.FIRST_INDEX + place,
                _spelled(receiver.lower()),
                Amount(self._coin, units),
            )

    def _native(self, transaction: Json) -> Transfer | None:
        units = int(transaction["value"], 16)
        receiver = transaction["to"]  # null: it makes a contract
        if units == 0 or receiver is None:
            return None
        address = _spelled(receiver.lower())
        return Transfer(self._name, _hash_of(transaction), 0, address, Amount(self._coin, units))

    def _logged(self, transaction_id: str, place: int, log: Json) -> Transfer | None:
        units = int(log["data"], 16)
        if units == 0:
            return None
        receiver = _spelled("0x" + log["topics"][2][-40:].lower())
        return Transfer(
            self._name, transaction_id, place, receiver, Amount(self._asset(log["address"]), units)
        )

    def _called(self, transaction: Json) -> Transfer | None:
        """A plain `transfer` of a token of ours makes one log: it will be the transaction's first."""
        token = self._tokens.get((transaction["to"] or "").lower())
        data = transaction["input"]
        if token is None or len(data) != len(TRANSFER_CALL) + 2 * _WORD:
            return None
        if not data.startswith(TRANSFER_CALL):
            return None
        words = data[len(TRANSFER_CALL) :]
        units = int(words[_WORD:], 16)
        if units == 0:
            return None
        receiver = _spelled("0x" + words[_WORD - 40 : _WORD].lower())
        return Transfer(self._name, _hash_of(transaction), 1, receiver, Amount(token.asset, units))

    def _asset(self, contract: str) -> Asset:
        """A token that is not configured is named by its contract; its decimals are not known."""
        if contract.lower() == COIN_LOGGER:
            return self._coin
        token = self._tokens.get(contract.lower())
        if token is not None:
            return token.asset
        return Asset(f"{self._name}:{_spelled(contract.lower())}", 0)


def block_of(answer: Json) -> Block:
    """Height, hash and time of a block's JSON. Raises ChainUnavailable when it makes no sense."""
    try:
        at = datetime.fromtimestamp(int(answer["timestamp"], 16), UTC)
        return Block(int(answer["number"], 16), str(answer["hash"]), at)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ChainUnavailable(f"the node's block makes no sense: {error!r}") from None


def parent_of(answer: Json) -> str:
    """The hash of the block before it. Raises ChainUnavailable when there is none."""
    parent = answer.get("parentHash")
    if not isinstance(parent, str):
        raise ChainUnavailable("the node's block makes no sense: it names no parent")
    return parent


def _hash_of(transaction: Json) -> str:
    if not isinstance(transaction["hash"], str):
        raise TypeError("a transaction's hash is a text")
    return transaction["hash"]


def _is_transfer(log: Json) -> bool:
    """ERC-20's: sender and receiver are topics, the units are all the data. ERC-721 has a topic more."""
    topics = log["topics"]
    return (
        len(topics) == 3
        and topics[0] == TRANSFER_TOPIC
        and len(log["data"]) == 2 + _WORD
        and not log.get("removed", False)
    )


def _is_nobodys(transaction: Json) -> bool:
    """Polygon puts such a transaction into a block when it takes over what happened on Ethereum, and
    not every node has a receipt of it. It moves no coin: nobody has the key of the zero address.
    """
    ends = (transaction["from"], transaction["to"] or "0x1")
    return not any(int(end, 16) for end in ends) and int(transaction["value"], 16) == 0


def _is_own(transaction: Json, log: Json) -> bool:
    """Whether this first log is the transaction's own ETH over again (EIP-7708): that is index 0."""
    _, sender, receiver = log["topics"]
    return (
        log["address"].lower() == COIN_LOGGER
        and sender[-40:].lower() == transaction["from"][-40:].lower()
        and receiver[-40:].lower() == (transaction["to"] or "")[-40:].lower()
        and int(log["data"], 16) == int(transaction["value"], 16)
    )


@lru_cache(maxsize=100_000)
def _spelled(address: str) -> str:
    raw = bytes.fromhex(address[2:])
    if len(raw) != _ADDRESS_BYTES:
        raise ValueError("an address has 20 bytes")
    return evm_address(raw)
