"""A node on loopback that says what a test wrote: blocks, runtimes, and all that can go wrong.

It knows the few methods the ledger asks, and none of a runtime's rules: for those there is a real
node.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from flamewire_ledger.chains.chain import Network, Token
from flamewire_ledger.chains.networks.substrate import SubstrateSettings
from flamewire_ledger.chains.substrate.chain import SubstrateChain
from flamewire_ledger.chains.substrate.deposits import soft_child
from flamewire_ledger.chains.substrate.runtime import EVENTS, NOW
from flamewire_ledger.domain.money import Asset
from tests.chains.substrate import runtimes
from tests.chains.substrate.runtimes import Writer, extrinsic

GENESIS_AT = 1_790_000_000_000  # milliseconds
BLOCK_MILLISECONDS = 12_000
ACCOUNT = bytes.fromhex("189dac29296d31814dc8c56cf3d36a0543372bba7538fa322a4aebfebc39e056")


class Refusal(Exception):
    """An error of JSON-RPC."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class ScriptedBlock:
    events: bytes = b"\x00"
    extrinsics: list[bytes] = field(default_factory=list)
    upgrades_to: int | None = None  # the spec version in force behind it


class ScriptedChain:
    """What nodes of one chain say. Blocks are added at the top; a fork replaces those above a height."""

    def __init__(self, name: str = "bittensor") -> None:
        self.name = name
        self.blocks: list[tuple[str, ScriptedBlock]] = []
        self.metadata = {1: runtimes.metadata(balance="u64")}
        self.final_height: int | None = None
        self.properties: Any = {"ss58Format": 42, "tokenSymbol": "TAO", "tokenDecimals": 9}
        self.add(ScriptedBlock(upgrades_to=1))

    @property
    def chain_id(self) -> str:
        return f"polkadot:{self.blocks[0][0][2:34]}"

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    def add(self, block: ScriptedBlock | None = None, salt: str = "") -> int:
        name = f"{self.name}/{len(self.blocks)}/{self.blocks[-1][0] if self.blocks else ''}/{salt}"
        block_hash = "0x" + hashlib.blake2b(name.encode(), digest_size=32).hexdigest()
        self.blocks.append((block_hash, block or ScriptedBlock()))
        return self.height

    def fork(self, height: int, salt: str) -> None:
        """Others in the place of all above this height, without anything in them."""
        count = self.height - height
        del self.blocks[height + 1 :]
        for _ in range(count):
            self.add(salt=salt)

    def number(self, block_hash: str) -> int | None:
        found = (n for n, (its_hash, _) in enumerate(self.blocks) if its_hash == block_hash)
        return next(found, None)

    def spec_version(self, number: int) -> int:
        upgrades = (block.upgrades_to for _, block in reversed(self.blocks[: number + 1]))
        return next(version for version in upgrades if version is not None)

    def header(self, number: int) -> dict[str, Any]:
        parent = self.blocks[number - 1][0] if number else "0x" + "00" * 32
        return {"number": hex(number), "parentHash": parent}


class ScriptedNode:
    """One endpoint."""

    def __init__(self, chain: ScriptedChain) -> None:
        self.chain = chain
        self.asked: list[str] = []
        self.connections = 0
        self.spoils: Callable[[str, list[Any], Any], Any] | None = None
        self.silent_on: str | None = None
        self.chatters = False  # says things all the time that nobody asked
        self.status: int | None = None
        self.states_from = 1  # below it states are forgotten, but for the genesis block's
        self._server = serve(
            self._serve, "127.0.0.1", 0, process_request=self._greet, max_size=None
        )
        port = self._server.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/secret-key"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)

    def count(self, method: str) -> int:
        return self.asked.count(method)

    def _greet(self, _: ServerConnection, __: Request) -> Response | None:
        if self.status is None:
            return None
        return Response(
            self.status, "no", Headers({"Retry-After": "7", "Content-Length": "0"}), b""
        )

    def _serve(self, client: ServerConnection) -> None:
        self.connections += 1
        with suppress(ConnectionClosed):
            self._serve_until_closed(client)

    def _serve_until_closed(self, client: ServerConnection) -> None:
        for message in client:
            asked = json.loads(message)
            method, params = asked["method"], asked["params"]
            self.asked.append(method)
            answer: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
            if method == self.silent_on:
                while self.chatters:
                    client.send(json.dumps({"jsonrpc": "2.0", "method": "noise", "params": {}}))
                    time.sleep(0.01)
                continue
            try:
                result = self._answer(method, params)
                answer["result"] = self.spoils(method, params, result) if self.spoils else result
            except Refusal as refusal:
                answer["error"] = {"code": refusal.code, "message": str(refusal)}
            client.send(json.dumps(answer))

    def _answer(self, method: str, params: list[Any]) -> Any:
        chain = self.chain
        match method, params:
            case "chain_getBlockHash", []:
                return chain.blocks[-1][0]
            case "chain_getBlockHash", [int(height)]:
                return chain.blocks[height][0] if height <= chain.height else None
            case "chain_getFinalizedHead", []:
                final = chain.height if chain.final_height is None else chain.final_height
                return chain.blocks[final][0]
            case "chain_getHeader", [block_hash]:
                number = chain.number(block_hash)
                return None if number is None else chain.header(number)
            case "chain_getBlock", [block_hash]:
                number = chain.number(block_hash)
                if number is None:
                    return None
                encoded = ["0x" + each.hex() for each in chain.blocks[number][1].extrinsics]
                return {"block": {"header": chain.header(number), "extrinsics": encoded}}
            case "system_properties", []:
                return chain.properties
            case "state_getRuntimeVersion", [block_hash]:
                return {"specVersion": chain.spec_version(self._with_state(block_hash))}
            case "state_getMetadata", [block_hash]:
                version = chain.spec_version(self._with_state(block_hash))
                return "0x" + chain.metadata[version].hex()
            case "state_getStorage", [key, block_hash]:
                return self._storage(key, self._with_state(block_hash))
            case _:
                raise Refusal(-32601, "Method not found")

    def _with_state(self, block_hash: str) -> int:
        number = self.chain.number(block_hash)
        if number is None or 0 < number < self.states_from:
            raise Refusal(4003, "Client error: UnknownBlock: State already discarded")
        return number

    def _storage(self, key: str, number: int) -> str | None:
        if number == 0:
            return None
        if key == EVENTS:
            return "0x" + self.chain.blocks[number][1].events.hex()
        if key == NOW:
            now = GENESIS_AT + number * BLOCK_MILLISECONDS
            return "0x" + now.to_bytes(8, "little").hex()
        return None


def connect(script: ScriptedChain, *nodes: ScriptedNode, **changes: Any) -> SubstrateChain:
    """A connection as Bittensor's is, with other settings where given."""
    coin = Token(changes.pop("coin", Asset("bittensor:TAO", 9)), "…")
    tokens = (coin, *changes.pop("tokens", ()))
    chain_id = changes.pop("chain_id", script.chain_id)
    network = Network("bittensor", chain_id, False, tokens, 12, 1)
    limits = changes.pop("limits", None)
    urls = tuple(node.url for node in nodes)
    settings = SubstrateSettings(rpc_urls=urls, account=ACCOUNT, **changes)
    return SubstrateChain(network, settings, limits)


def paying(writer: Writer, *units: int) -> ScriptedBlock:
    """A block with a payment to the first deposit address by each of its extrinsics."""
    shop = soft_child(ACCOUNT, 1)
    for number, each in enumerate(units):
        writer.transfer(extrinsic(number), b"\x01" * 32, shop, each)
    bodies = [b"\x08\x04" + bytes([number]) for number in range(len(units))]
    return ScriptedBlock(writer.written(), bodies)
