"""What customers call: the same calls for the same seed."""

from __future__ import annotations

import random
from typing import Any, Final

from upstream import HEAD

_OLD: Final = hex(HEAD - 1_000_000)
_WALLET: Final = "0x00000000219ab540356cbb839cbe05303d7705fa"
Call = tuple[str, str, list[Any]]  # chain, method, params

LIGHT: Final[tuple[Call, ...]] = (
    ("ethereum", "eth_call", [{"to": _WALLET}, "latest"]),
    ("ethereum", "eth_getBalance", [_WALLET, "latest"]),
    ("ethereum", "eth_getTransactionReceipt", ["0x" + "ab" * 32]),
    ("sui", "sui_getObject", ["0x6"]),
    ("bittensor", "chain_getHeader", []),
    ("bittensor", "state_call", ["NeuronInfoRuntimeApi_get_neurons", "0x"]),
)
HEAVY: Final[tuple[Call, ...]] = (
    ("ethereum", "eth_getLogs", [{"fromBlock": "latest", "address": _WALLET}]),
    ("sui", "suix_queryEvents", [{"All": []}]),
)
ARCHIVE: Final[tuple[Call, ...]] = (
    ("ethereum", "eth_call", [{"to": _WALLET}, _OLD]),
    ("ethereum", "eth_getBalance", [_WALLET, _OLD]),
    ("ethereum", "debug_traceTransaction", ["0x" + "cd" * 32]),
)


def calls(chance: random.Random, count: int, *, archive: bool) -> list[Call]:
    """So many calls: most are light, one in twelve is heavy, one in ten archive where allowed."""
    made: list[Call] = []
    for _ in range(count):
        dice = chance.random()
        if archive and dice < 0.1:
            made.append(chance.choice(ARCHIVE))
        elif dice > 1 - 1 / 12:
            made.append(chance.choice(HEAVY))
        else:
            made.append(chance.choice(LIGHT))
    return made


def requests(made: list[Call], chance: random.Random) -> list[tuple[str, Any, int]]:
    """The calls as (chain, JSON body, calls in it): half alone, half in JSON-RPC batches."""
    by_chain: dict[str, list[dict[str, Any]]] = {}
    for number, (chain, method, params) in enumerate(made):
        call = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        by_chain.setdefault(chain, []).append(call)
    sent: list[tuple[str, Any, int]] = []
    for chain, all_calls in by_chain.items():
        half = len(all_calls) // 2
        sent += [(chain, call, 1) for call in all_calls[:half]]
        rest = all_calls[half:]
        sent += [
            (chain, rest[at : at + 20], len(rest[at : at + 20])) for at in range(0, len(rest), 20)
        ]
    chance.shuffle(sent)
    return sent
