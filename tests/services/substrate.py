"""A real Substrate node for tests: chopsticks, with the Rococo Asset Hub runtime and genesis.

Its chain properties (ss58 prefix 2, 12 decimals) differ from Bittensor's on purpose: what reads
them from the chain passes, what has them as constants does not. Blocks are made by new_block() and
are final at once; set_head() goes back to an earlier block, which is what a reorganisation looks
like. An extrinsic takes 0.2 s, so this is for function, not for load.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from tests.services.node import installed
from tests.services.place import PLACE, ServiceMissing, free_port, locked, wait_until

# The well-known development accounts, under prefix 42; the keys are //Alice, //Bob, //Charlie.
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
BOB = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"
CHARLIE = "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y"
ENDOWMENT_UNITS = 1_000_000 * 10**12

_START_SECONDS_MAX = 60


class Substrate:
    """A running node."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._ids = itertools.count(1)
        self._node: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._node is not None, "the node is not running"
        return self._node.pid

    def start(self) -> str:
        """Start it; after kill() it begins again at the genesis block, on the same port."""
        tools = installed("substrate")
        config = self._folder / "chopsticks.json"  # JSON is YAML
        config.write_text(json.dumps(_configuration(_genesis(tools), self._port)))
        program = tools / "node_modules/@acala-network/chopsticks/chopsticks.cjs"
        with (self._folder / "server.log").open("ab") as log:
            self._node = subprocess.Popen(
                ["node", str(program), "--config", str(config)],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self._answers, _START_SECONDS_MAX, "chopsticks", poll_seconds=0.2)
        except TimeoutError as error:
            self.kill()
            raise ServiceMissing(f"{error}: read {self._folder}/server.log") from error
        return self.url

    def kill(self) -> None:
        if self._node is not None:
            self._node.kill()
            self._node.wait(10)
            self._node = None

    stop = kill

    def rpc(self, method: str, *params: Any) -> Any:
        """One JSON-RPC call; an error of the node is raised as RuntimeError."""
        with connect(self.url, max_size=None, open_timeout=10) as socket:
            request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
            socket.send(json.dumps(request))
            answer = json.loads(socket.recv(timeout=60))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def new_block(self, count: int = 1) -> str:
        """Make blocks from the transactions that wait; the hash of the last one."""
        block_hash: str = self.rpc("dev_newBlock", {"count": count})
        return block_hash

    def set_head(self, number_or_hash: int | str) -> None:
        """Go back to that block: what came after it never was."""
        self.rpc("dev_setHead", number_or_hash)

    def _answers(self) -> bool:
        assert self._node is not None
        if self._node.poll() is not None:
            raise ServiceMissing(f"chopsticks ended: read {self._folder}/server.log")
        try:
            return bool(self.rpc("system_chain"))
        except (OSError, TimeoutError):
            return False


def _genesis(tools: Path) -> Path:
    """The raw genesis as a file, out of the package of known chains."""
    genesis = tools / "genesis.json"
    with locked(PLACE / "node" / "genesis.mutex"):
        if not genesis.exists():
            done = subprocess.run(
                ["node", "genesis.js"], cwd=tools, capture_output=True, text=True, timeout=60
            )
            if done.returncode != 0:
                raise ServiceMissing(f"no genesis: {done.stderr.strip()[-500:]}")
    return genesis


def _configuration(genesis: Path, port: int) -> dict[str, Any]:
    # As a string: JavaScript numbers end at 2^53.
    account = {"providers": 1, "data": {"free": str(ENDOWMENT_UNITS)}}
    return {
        "host": "127.0.0.1",
        "port": port,
        "genesis": str(genesis),
        "build-block-mode": "Manual",
        "allow-unresolved-imports": True,
        "import-storage": {
            "System": {"Account": [[[who], account] for who in (ALICE, BOB, CHARLIE)]}
        },
    }
