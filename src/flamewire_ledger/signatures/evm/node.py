"""A node by JSON-RPC over HTTP, asked to call contracts: the one thing signatures need of a chain.

Endpoints often carry a key in their URL, so no message repeats it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import httpx

from flamewire_ledger.signatures.evm.contract import Reverted
from flamewire_ledger.signatures.scheme import Unverifiable
from flamewire_ledger.signatures.text import read_hex

ANSWER_BYTES_MAX: Final = 64 * 1024
_REVERTED: Final = 3  # the code that geth and those after it give a revert


class HttpNode:
    """The endpoints of one chain, asked in their order until one answers."""

    def __init__(
        self, urls: Sequence[str], evm_chain_id: int, *, timeout_seconds: float = 5.0
    ) -> None:
        self._urls = urls
        self._evm_chain_id = evm_chain_id
        self._client = httpx.AsyncClient(timeout=timeout_seconds)
        self._checked: set[str] = set()  # endpoints that said which chain they are of

    async def call(self, contract: bytes, data: bytes) -> bytes:
        question = {"to": "0x" + contract.hex(), "data": "0x" + data.hex()}
        for url in self._urls:
            try:
                if url not in self._checked:
                    chain_id = await self._ask(url, "eth_chainId", [])
                    if not isinstance(chain_id, str) or int(chain_id, 16) != self._evm_chain_id:
                        continue
                    self._checked.add(url)
                return read_hex(await self._ask(url, "eth_call", [question, "latest"]))
            except (httpx.HTTPError, ValueError, TypeError, KeyError):
                continue  # the next may answer
        raise Unverifiable("no node of this chain answers: ask again", is_passing=True)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _ask(self, url: str, method: str, parameters: list[Any]) -> Any:
        sent = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        async with self._client.stream("POST", url, json=sent) as response:
            body = b""
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > ANSWER_BYTES_MAX:
                    raise ValueError("the answer is too long")
        answer = httpx.Response(response.status_code, content=body).json()
        error = answer.get("error")
        if isinstance(error, dict) and _is_revert(error):
            raise Reverted
        return answer["result"]


def _is_revert(error: dict[str, Any]) -> bool:
    return error.get("code") == _REVERTED or "revert" in str(error.get("message", "")).lower()
