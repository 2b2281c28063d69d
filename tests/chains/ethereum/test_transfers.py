"""Blocks and receipts as nodes of other chains write them, decoded without a node."""

from __future__ import annotations

from typing import Any

from flamewire_ledger.chains.chain import Network, Token
from flamewire_ledger.chains.ethereum.transfers import COIN_LOGGER, TRANSFER_TOPIC, Decoder
from flamewire_ledger.domain.money import Asset

ALICE, BOB, WALLET = (f"0x{digit * 40}" for digit in "abc")
TOKEN = "0x" + "d" * 40
NOBODY = "0x" + "0" * 40
POL = Asset("polygon:POL", 18)
DECODER = Decoder(
    Network("polygon", "eip155:137", True, (Token(POL, "eip155:137/slip44:966"),), 2, 12)
)


def transaction(number: int, sender: str, to: str | None, value: int = 0) -> dict[str, Any]:
    return {"hash": hash_of(number), "from": sender, "to": to, "value": hex(value), "input": "0x"}


def hash_of(number: int) -> str:
    return f"0x{number:064x}"


def moved(sender: str, receiver: str, units: int, contract: str = COIN_LOGGER) -> dict[str, Any]:
    """A Transfer log; EIP-7708 has one for each move of the coin."""
    topics = [TRANSFER_TOPIC, *(f"0x{end[2:]:0>64}" for end in (sender, receiver))]
    return {"address": contract, "topics": topics, "data": f"0x{units:064x}"}


def seen(
    transactions: list[dict[str, Any]], logs: dict[int, list[dict[str, Any]]]
) -> list[tuple[int, int, str, str, int]] | None:
    """Transaction, index, asset, receiver's letter, units; receipts where there are logs given."""
    block = {
        "number": "0x10", "hash": "0xb10c", "parentHash": "0x00", "timestamp": "0x1",
        "transactions": transactions,
    }  # fmt: skip
    receipts = [
        {"transactionHash": hash_of(number), "blockHash": "0xb10c", "status": "0x1", "logs": those}
        for number, those in logs.items()
    ]
    found = DECODER.block_transfers(block, receipts)
    if found is None:
        return None
    return [
        (
            int(each.transaction_id, 16),
            each.index,
            each.amount.asset.symbol,
            each.address[-1].lower(),
            each.amount.units,
        )
        for each in found.transfers
    ]


def test_the_transactions_own_coin_is_not_counted_again_where_it_is_logged_too() -> None:
    own = [moved(ALICE, BOB, 5)]
    assert seen([transaction(1, ALICE, BOB, 5)], {1: own}) == [(1, 0, "POL", "b", 5)]


def test_coin_that_a_contract_passes_on_is_a_transfer_where_it_is_logged() -> None:
    """A wallet that is a contract pays with what it has; a splitter with what it was sent."""
    paid = [moved(WALLET, BOB, 7)]
    assert seen([transaction(1, ALICE, WALLET)], {1: paid}) == [(1, 1, "POL", "b", 7)]
    split = [moved(ALICE, WALLET, 9), moved(WALLET, BOB, 4), moved(WALLET, ALICE, 5)]
    assert seen([transaction(2, ALICE, WALLET, 9)], {2: split}) == [
        (2, 0, "POL", "c", 9), (2, 1, "POL", "b", 4), (2, 2, "POL", "a", 5),
    ]  # fmt: skip


def test_the_same_coin_paid_again_within_the_transaction_is_another_transfer() -> None:
    """Only the first log can be the transaction's own."""
    twice = [moved(ALICE, BOB, 5), moved(ALICE, BOB, 5)]
    assert seen([transaction(1, ALICE, BOB, 5)], {1: twice}) == [
        (1, 0, "POL", "b", 5), (1, 1, "POL", "b", 5),
    ]  # fmt: skip


def test_a_token_cannot_pass_for_the_transactions_own_coin() -> None:
    logs = [moved(ALICE, BOB, 5, TOKEN)]
    found = seen([transaction(1, ALICE, BOB, 5)], {1: logs})
    assert found is not None
    assert [(index, units) for _, index, _, _, units in found] == [(0, 5), (1, 5)]
    assert found[1][2] != "POL"


def test_a_transaction_of_nobodys_needs_no_receipt() -> None:
    """Bor's state sync: without this no block that has one would ever be read."""
    transactions = [transaction(1, ALICE, BOB, 5), transaction(2, NOBODY, NOBODY)]
    assert seen(transactions, {1: []}) == [(1, 0, "POL", "b", 5)]
    assert seen([transaction(2, NOBODY, NOBODY)], {}) == []


def test_without_any_other_receipt_the_block_is_not_believed() -> None:
    for odd in (
        transaction(2, ALICE, BOB),
        transaction(2, NOBODY, BOB),
        transaction(2, NOBODY, None),
        transaction(2, NOBODY, NOBODY, 5),
    ):
        assert seen([transaction(1, ALICE, BOB, 5), odd], {1: []}) is None
