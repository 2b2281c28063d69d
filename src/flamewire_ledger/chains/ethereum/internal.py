"""ETH that contracts pass on, read from the traces of a block (`trace_block`): what a multisig wallet or an
exchange's sweeper sends has no log, and is in no list of transactions.

`trace_block` is flat. A tracer that nests calls in calls can be made, by whoever pays for the gas,
to answer deeper than JSON can be read, and the block would never be got past.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Json = Mapping[str, Any]
# Behind all logs that fit into a block: index 0 is the transaction's own ETH, n its nth Transfer log.
FIRST_INDEX: Final = 1_000_000


class TracesMissing(Exception):
    """The traces are not those of this block, or not all of them."""


def by_transaction(traces: Sequence[Json], block_hash: str) -> Mapping[str, list[Json]]:
    """Each transaction's, in their order. Raises TracesMissing when they are of another block."""
    found: dict[str, list[Json]] = {}
    for trace in traces:
        if trace["blockHash"] != block_hash:
            raise TracesMissing
        if trace.get("transactionHash") is not None:  # else it is the reward of a miner
            found.setdefault(trace["transactionHash"], []).append(trace)
    return found


def moves(traces: Sequence[Json]) -> Iterator[tuple[str, int]]:
    """Who got how much within a transaction that succeeded, in order; not its own ETH.

    What a call did that failed was undone, and all that it had called with it.
    """
    failed: list[int] | None = None  # the last that did; what it had called comes right behind it
    for trace in traces:
        place = list(trace["traceAddress"])
        if failed is not None and place[: len(failed)] == failed:
            continue
        if trace.get("error") is not None:
            failed = place
            continue
        receiver, units = _moved(trace, is_first=not place)
        if receiver is not None and units:
            yield receiver, units


def _moved(trace: Json, *, is_first: bool) -> tuple[str | None, int]:
    action = trace["action"]
    match trace["type"]:
        # The others run another's code on their own account: `delegatecall`, `callcode`, `staticcall`.
        case "call" if action["callType"] == "call" and not is_first:
            return action["to"], int(action["value"], 16)
        case "create":
            return (trace.get("result") or {}).get("address"), int(action["value"], 16)
        case "suicide" | "selfdestruct":
            return action["refundAddress"], int(action["balance"], 16)
        case _:
            return None, 0
