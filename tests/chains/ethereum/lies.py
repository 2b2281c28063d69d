"""What an endpoint can say that is not so: blocks of its own, and transfers hidden, made up, or changed."""

from __future__ import annotations

import copy
from typing import Any

from tests.chains.ethereum.endpoint import Lie


def digest(height: int) -> str:
    """The hash of a block that nobody else has."""
    return f"0xbad{height:061x}"


def forked_from(height: int) -> Lie:
    """Blocks from this height on have other hashes, each the parent of the next, and no transactions."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getBlockReceipts" and int(params[0], 16) >= height:
            return []
        if method != "eth_getBlockByNumber" or result is None:
            return result
        number = int(result["number"], 16)
        if number < height or result["hash"] is None:  # or it is the pending block
            return result
        parent = digest(number - 1) if number > height else result["parentHash"]
        return {**result, "hash": digest(number), "parentHash": parent, "transactions": []}

    return lie


def finality_stuck_at(height: int) -> Lie:
    """Nothing above this height is final, as on a branch that most of the chain has left."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[0] == "finalized":
            return {**result, "number": hex(min(height, int(result["number"], 16)))}
        return result

    return lie


def all_of(*several: Lie) -> Lie:
    """One after the other."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        for each in several:
            result = each(method, params, result)
        return result

    return lie


def hiding_everything(method: str, params: list[Any], result: Any) -> Any:
    """Every block is there, with its true hash and nothing in it."""
    if method == "eth_getBlockReceipts":
        return []
    if method == "eth_getBlockByNumber" and result is not None:
        return {**result, "transactions": []}
    return result


def inventing(height: int, address: str, units: int) -> Lie:
    """The block at this height holds, besides what it does, a transfer of ETH that never was."""
    made_up = made_up_at(height)
    hashes: dict[int, str] = {}

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getBlockReceipts" and int(params[0], 16) == height:
            digest = hashes.get(height)  # the block was asked for before, or in the same batch
            receipt: dict[str, Any] = {
                "transactionHash": made_up, "blockHash": digest, "status": "0x1", "logs": [],
            }  # fmt: skip
            return [*result, receipt]
        if method != "eth_getBlockByNumber" or result is None:
            return result
        if int(result["number"], 16) != height or result["hash"] is None:
            return result
        hashes[height] = result["hash"]
        transaction = {
            "hash": made_up, "to": address, "from": address, "value": hex(units), "input": "0x",
        }  # fmt: skip
        return {**result, "transactions": [*result["transactions"], transaction]}

    return lie


def made_up_at(height: int) -> str:
    """The hash of the transaction that `inventing` makes up."""
    return f"0xfeed{height:060x}"


def raising_amounts(method: str, params: list[Any], result: Any) -> Any:
    """Ten times as much was sent, of ETH as of tokens."""
    if method == "eth_getBlockByNumber" and result is not None:
        transactions = [
            {**each, "value": hex(10 * int(each["value"], 16))} if isinstance(each, dict) else each
            for each in result["transactions"]
        ]
        return {**result, "transactions": transactions}
    if method == "eth_getBlockReceipts" and result is not None:
        receipts = copy.deepcopy(result)
        for log in (log for receipt in receipts for log in receipt["logs"]):
            if len(log["data"]) == 66:
                log["data"] = f"0x{10 * int(log['data'], 16):064x}"
        return receipts
    return result


def of_another_chain(method: str, params: list[Any], result: Any) -> Any:
    return "0x1" if method == "eth_chainId" else result
