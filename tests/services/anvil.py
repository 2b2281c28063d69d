"""A real Ethereum node for tests: anvil, one process a test, on a free port, up in 0.2 s.

Epochs have four slots, so that `safe` and `finalized` move after a few blocks. Blocks are made by
transactions, or by mine().
"""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx

from tests.services.node import installed
from tests.services.place import PLACE, ServiceMissing, free_port, listens, locked, wait_until

CHAIN_ID = 31337
# The accounts of the mnemonic "test test … junk", which anvil endows with 10 000 ETH each.
ACCOUNTS = (
    (
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    ),
    (
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    ),
    (
        "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    ),
)


class Anvil:
    """A running node."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._log = folder / "anvil.log"
        self._options = options
        self._port = free_port()
        self._ids = itertools.count(1)
        self._client = httpx.Client(timeout=30)
        self._node: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._node is not None, "the node is not running"
        return self._node.pid

    def start(self) -> str:
        """Start it; after kill() it begins again at an empty chain, on the same port."""
        with self._log.open("ab") as log:
            self._node = subprocess.Popen(
                [
                    str(_program()),
                    "--host",
                    "127.0.0.1",
                    "--port",
                    str(self._port),
                    "--slots-in-an-epoch",
                    "4",
                    "--silent",
                    *self._options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(lambda: listens(self._port), 20, "anvil")
        except TimeoutError as error:
            self.kill()
            raise ServiceMissing(f"{error}: read {self._log}") from error
        return self.url

    def kill(self) -> None:
        if self._node is not None:
            self._node.kill()
            self._node.wait(10)
            self._node = None

    def stop(self) -> None:
        self.kill()
        self._client.close()

    def rpc(self, method: str, *params: Any) -> Any:
        """One JSON-RPC call; an error of the node is raised as RuntimeError."""
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        answer = self._client.post(self.url, json=request).json()
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def mine(self, blocks: int = 1) -> None:
        """Make empty blocks."""
        self.rpc("anvil_mine", hex(blocks))

    def reorganise(self, depth: int) -> None:
        """Replace the last `depth` blocks by others with other hashes and no transactions."""
        self.rpc("anvil_reorg", depth, [])


def erc20_artifact() -> dict[str, Any]:
    """`{"abi", "bytecode"}` of an ERC-20 with six decimals."""
    return contract_artifact("TestToken")


def contract_artifact(name: str) -> dict[str, Any]:
    """`{"abi", "bytecode"}` of a contract of tests/services/node/ethereum, compiled once."""
    folder = installed("ethereum")
    compiled = folder / f"{name}.json"
    with locked(PLACE / "node" / "compile.mutex"):
        if not compiled.exists():
            done = subprocess.run(
                ["node", "compile.js"], cwd=folder, capture_output=True, text=True, timeout=120
            )
            if done.returncode != 0:
                raise ServiceMissing(f"solc could not compile the contracts: {done.stderr}")
    artifact: dict[str, Any] = json.loads(compiled.read_text())
    return artifact


def _program() -> Path:
    found = sorted(installed("ethereum").glob("node_modules/@foundry-rs/anvil-*/bin/anvil"))
    if not found:
        raise ServiceMissing("npm has no anvil for this platform")
    return found[0]
