"""A loopback stand-in before a node on which nothing becomes final any more: the beacon chain has
stopped finalising, and blocks come all the same.
"""

from __future__ import annotations

import httpx

from tests.chains.ethereum.endpoint import Endpoint


class HeldFinality(Endpoint):
    """Whoever asks it for the finalized block gets the one that was final when it was made."""

    def __init__(self, node_url: str) -> None:
        request = {
            "jsonrpc": "2.0", "id": 1,
            "method": "eth_getBlockByNumber", "params": ["finalized", False],
        }  # fmt: skip
        answer = httpx.post(node_url, json=request, timeout=30).json()
        self._height: str = answer["result"]["number"]
        super().__init__(node_url)

    def answer(self, body: bytes) -> bytes:
        return super().answer(body.replace(b'"finalized"', f'"{self._height}"'.encode()))
