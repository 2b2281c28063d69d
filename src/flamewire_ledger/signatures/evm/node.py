"""A node by JSON-RPC over HTTP, asked to call contracts: the one thing signatures need of a chain.

Endpoints often carry a key in their URL, so no message repeats it.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from flamewire_ledger.signatures.evm.contract import Reverted
from flamewire_ledger.signatures.scheme import Unverifiable
from flamewire_ledger.signatures.text import read_hex

if TYPE_CHECKING:
    import httpx

ANSWER_BYTES_MAX: Final = 64 * 1024
_RESULT: Final = b'"result"'
_RESULT_WITHIN_BYTES: Final = 256
# How nodes say that a contract came to no answer: the codes of a revert (geth) and of a fault
# (Nethermind), and the words of the others. All of it is the contract's doing, on whichever node.
_FAILED_CODES: Final = (3, -32015)
_FAILED_WORDS: Final = (
    "revert",
    "out of gas",
    "outofgas",
    "opcode",
    "invalid jump",
    "invalidjump",
    "stack underflow",
    "stackunderflow",
    "stack overflow",
    "stackoverflow",
    "stack limit",
    "evm error",
    "vm execution error",
    "write protection",
    "return data out of bounds",
    "gas uint64 overflow",
)


class HttpNode:
    """The endpoints of one chain, asked in their order until one answers. Nothing stays open."""

    def __init__(
        self, urls: Sequence[str], evm_chain_id: int, *, timeout_seconds: float = 5.0
    ) -> None:
        self._urls = urls
        self._evm_chain_id = evm_chain_id
        self._timeout_seconds = timeout_seconds
        self._checked: set[str] = set()  # endpoints that said that they are of this chain

    async def call(self, contract: bytes, data: bytes) -> bytes:
        import httpx  # late: most signatures ask nobody, and the first of them should not wait for it

        question = {"to": "0x" + contract.hex(), "data": "0x" + data.hex()}
        async with httpx.AsyncClient(
            timeout=self._timeout_seconds, verify=_certificates()
        ) as client:
            for url in self._urls:
                try:
                    if await self._is_of_this_chain(client, url):
                        return read_hex(await _ask(client, url, "eth_call", [question, "latest"]))
                except (httpx.HTTPError, ValueError, TypeError, KeyError, AttributeError):
                    continue  # no answer, or nonsense: the next may do better
        raise Unverifiable("no node of this chain answers: ask again", is_passing=True)

    async def _is_of_this_chain(self, client: httpx.AsyncClient, url: str) -> bool:
        if url not in self._checked:
            said = await _ask(client, url, "eth_chainId", [])
            if int(said, 16) != self._evm_chain_id:
                return False
            self._checked.add(url)
        return True


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: it takes longer than the question."""
    import httpx

    return httpx.create_ssl_context()


async def _ask(client: httpx.AsyncClient, url: str, method: str, parameters: list[Any]) -> Any:
    sent = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    body = bytearray()
    async with client.stream("POST", url, json=sent) as response:
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > ANSWER_BYTES_MAX:
                if _RESULT in body[:_RESULT_WITHIN_BYTES]:
                    raise Reverted  # a contract that says more than any that knows EIP-1271
                raise ValueError("the answer is too long")
    answer = json.loads(body)
    error = answer.get("error")
    if isinstance(error, dict) and _is_of_the_contract(error):
        raise Reverted
    return answer["result"]


def _is_of_the_contract(error: dict[str, Any]) -> bool:
    message = str(error.get("message", "")).lower()
    return error.get("code") in _FAILED_CODES or any(words in message for words in _FAILED_WORDS)
