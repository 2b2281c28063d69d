"""Checkpoints that nodes no longer have, from a GraphQL service, which keeps them for longer.

A checkpoint's transactions come in pages. What a page leaves open is asked for; a service that
never comes to an end is unavailable. Errors never hold the URL.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import base58
import httpx

from flamewire_ledger.chains.chain import ChainUnavailable, Throttled, WrongChain
from flamewire_ledger.chains.sui.messages import (
    Nonsense,
    address_of,
    change,
    checkpoint,
    digest_of,
    gas,
)
from flamewire_ledger.chains.sui.transfers import Checkpoint, Executed

PAGES_MAX: Final = 2_000  # of one checkpoint: it has 10 000 transactions at most
ANSWER_BYTES_MAX: Final = 32 * 2**20
_PAGE: Final = 20
_EVENTS_PAGE: Final = 50
_EVENTS: Final = (
    f"events(first: {_EVENTS_PAGE}, after: $eventsAfter) "
    "{ pageInfo { hasNextPage endCursor } nodes { contents { bcs type { repr } } } }"
)
_CHECKPOINT: Final = """
query ($height: UInt53!, $after: String, $eventsAfter: String) {
  chainIdentifier
  checkpoint(sequenceNumber: $height) {
    sequenceNumber digest previousCheckpointDigest timestamp
    transactions(first: %d, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes {
        digest
        gasInput { gasSponsor { address } }
        effects {
          status balanceChangesJson
          gasEffects { gasSummary { computationCost storageCost storageRebate } }
          %s
        }
      }
    }
  }
}"""
_SUMMARY: Final = """
query ($height: UInt53!) {
  chainIdentifier
  checkpoint(sequenceNumber: $height) {
    sequenceNumber digest previousCheckpointDigest timestamp
  }
}"""
_MORE_EVENTS: Final = f"""
query ($digest: String!, $eventsAfter: String) {{
  chainIdentifier
  transactionEffects(digest: $digest) {{ {_EVENTS} }}
}}"""
Json = Mapping[str, Any]


class Archive:
    """One GraphQL service. Use it from one event loop."""

    def __init__(
        self, url: str, genesis: str, timeout_seconds: float, *, with_events: bool
    ) -> None:
        """`genesis`: the first four bytes of the genesis checkpoint's digest, in hexadecimal."""
        self._url = url
        self._genesis = genesis
        self._with_events = with_events
        self._query = _CHECKPOINT % (_PAGE, _EVENTS if with_events else "")
        if not with_events:
            self._query = self._query.replace(", $eventsAfter: String", "")
        self._client = httpx.AsyncClient(timeout=timeout_seconds, follow_redirects=False)

    async def summary(self, height: int) -> Checkpoint | None:
        """One checkpoint without its transactions; None if there is none (any more)."""
        found = (await self._ask(_SUMMARY, {"height": height})).get("checkpoint")
        return None if found is None else _sensible(_head, height, found)

    async def checkpoint(self, height: int) -> Checkpoint | None:
        """One checkpoint with what its transactions did; None if there is none (any more)."""
        executed: list[Executed] = []
        after: str | None = None
        for _ in range(PAGES_MAX):
            answer = await self._ask(self._query, {"height": height, "after": after})
            found = answer.get("checkpoint")
            if found is None:
                return None
            head, nodes, after = _sensible(_page, height, found)
            executed += [await self._executed(node) for node in nodes]
            if after is None:
                return Checkpoint(head.height, head.digest, head.previous_digest, head.at, executed)
        raise ChainUnavailable("the archive's checkpoint never ends")

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _executed(self, node: Json) -> Executed:
        events = await self._events(node) if self._with_events else []
        executed: Executed = _sensible(_transaction, node, events)
        return executed

    async def _events(self, node: Json) -> list[tuple[str, bytes]]:
        """All events of a transaction: its receipts may be among the last."""
        found: list[tuple[str, bytes]] = []
        events, after = (
            _sensible(_events_page, node["effects"]) if node.get("effects") else ([], None)
        )
        for _ in range(PAGES_MAX):
            found += events
            if after is None:
                return found
            asked = {"digest": node.get("digest"), "eventsAfter": after}
            answer = await self._ask(_MORE_EVENTS, asked)
            events, after = _sensible(_events_page, answer.get("transactionEffects"))
        raise ChainUnavailable("the archive's events never end")

    async def _ask(self, query: str, variables: Json) -> Json:
        try:
            content = await self._post({"query": query, "variables": variables})
            answer = json.loads(content)
            data = answer["data"]
            identifier = data["chainIdentifier"]
        except (httpx.HTTPError, OSError) as error:
            raise ChainUnavailable(f"the archive did not answer: {type(error).__name__}") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ChainUnavailable("the archive answers with an error, or with nonsense") from None
        if not self._is_ours(identifier):
            raise WrongChain(
                "graphql_url is of another chain: correct it in the networks file, or chain_id"
            )
        if answer.get("errors"):
            raise ChainUnavailable("the archive could answer a part only")
        return data  # type: ignore[no-any-return]

    async def _post(self, question: Json) -> bytes:
        async with self._client.stream("POST", self._url, json=question) as response:
            if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
                raise Throttled("the archive wants to be asked less")
            if response.status_code != httpx.codes.OK:
                raise ChainUnavailable(f"the archive answers with status {response.status_code}")
            content = b""
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > ANSWER_BYTES_MAX:
                    raise ChainUnavailable("the archive's answer is too large")
            return content

    def _is_ours(self, identifier: Any) -> bool:
        """Eight digits, or the whole digest, as later versions of the service have it."""
        if identifier == self._genesis:
            return True
        try:
            return base58.b58decode(str(identifier))[:4].hex() == self._genesis
        except ValueError:
            return False


def _sensible(read: Any, *given: Any) -> Any:
    try:
        return read(*given)
    except (Nonsense, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ChainUnavailable(
            f"the archive's checkpoint makes no sense: {type(error).__name__}"
        ) from None


def _head(height: int, found: Json) -> Checkpoint:
    at = datetime.fromisoformat(found["timestamp"])
    read = checkpoint(
        found["sequenceNumber"], found["digest"], found["previousCheckpointDigest"], at
    )
    if read.height != height:
        raise Nonsense("it is another checkpoint than was asked for")
    return read


def _page(height: int, found: Json) -> tuple[Checkpoint, list[Json], str | None]:
    transactions = found["transactions"]
    return _head(height, found), list(transactions["nodes"]), _next_page(transactions["pageInfo"])


def _next_page(info: Json) -> str | None:
    if not info["hasNextPage"]:
        return None
    if not isinstance(info["endCursor"], str):
        raise Nonsense("there are more, and no cursor to them")
    return info["endCursor"]


def _events_page(effects: Json) -> tuple[list[tuple[str, bytes]], str | None]:
    found: list[tuple[str, bytes]] = []
    for node in effects["events"]["nodes"]:
        contents = node["contents"]
        if contents is not None and contents["bcs"] is not None:
            try:
                found.append((contents["type"]["repr"], b64decode(contents["bcs"], validate=True)))
            except binascii.Error:
                raise Nonsense("the contents of an event are no Base64") from None
    return found, _next_page(effects["events"]["pageInfo"])


def _transaction(node: Json, events: list[tuple[str, bytes]]) -> Executed:
    effects = node["effects"]
    status = effects["status"]
    if status not in ("SUCCESS", "FAILURE"):
        raise Nonsense("whether a transaction succeeded is not said")
    sponsor = (node["gasInput"] or {}).get("gasSponsor")
    summary = (effects["gasEffects"] or {}).get("gasSummary") or {}
    cost = gas(*(int(summary.get(key) or 0) for key in
                 ("computationCost", "storageCost", "storageRebate")))  # fmt: skip
    return Executed(
        digest=digest_of(node["digest"]),
        has_succeeded=status == "SUCCESS",
        changes=[
            change(each["address"], each["coinType"], each["amount"])
            for each in effects["balanceChangesJson"]
        ],
        gas_payer=address_of(sponsor["address"]) if sponsor else None,
        gas_units=cost,
        events=events,
    )
