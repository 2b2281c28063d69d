"""The ledger as this program sees it: its HTTP API, and nothing else of it.

Three ends of a request are told apart: an answer, a refusal (`Refused`, with the problem's code),
and silence (`Unreachable`: nobody knows whether it was done, so it is sent again with the same key).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx

PAGE: Final = 100
PAGES_MAX: Final = 1_000
Json = dict[str, Any]


class Refused(Exception):
    """The ledger said no, and why."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


class Unreachable(Exception):
    """The ledger did not answer, or not yet: send it again, with the same key."""


class Ledger:
    """A client with one API key."""

    def __init__(self, url: str, key: str, *, timeout_seconds: float = 20) -> None:
        self.url = url
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=timeout_seconds,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str, **query: str | int) -> Json:
        answer: Json = (await self._send("GET", path, params=query)).json()
        return answer

    async def get_bytes(self, path: str, **query: str | int) -> bytes:
        return (await self._send("GET", path, params=query)).content

    async def list_all(self, path: str, **query: str | int) -> list[Json]:
        """Every object of a list, page by page."""
        found: list[Json] = []
        for _ in range(PAGES_MAX):
            page = await self.get(path, limit=PAGE, **query)
            found += page["data"]
            if not page["has_more"]:
                return found
            query["starting_after"] = found[-1]["id"]
        raise Unreachable(f"{path} has more than {PAGES_MAX} pages")

    async def events(self) -> AsyncIterator[Json]:
        """All there are, in their order."""
        after, has_more = 0, True
        while has_more:
            page = await self.get("/v1/events", after=after, limit=PAGE)
            after, has_more = page["next_after"], page["has_more"]
            for event in page["data"]:
                yield event

    async def post(self, path: str, body: Mapping[str, Any], *, once: str | None = None) -> Json:
        """`once` is the idempotency key: what is sent twice under it is done once."""
        headers = {} if once is None else {"Idempotency-Key": once}
        answer: Json = (await self._send("POST", path, json=body, headers=headers)).json()
        return answer

    async def record_usage(self, lines: bytes) -> Json:
        """CloudEvents, one a line. Each counts once by its source and id, however often it is sent."""
        headers = {"Content-Type": "application/x-ndjson"}
        answer: Json = (
            await self._send("POST", "/v1/usage", content=lines, headers=headers)
        ).json()
        return answer

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = await self._request(method, path, request)
        except httpx.TransportError as error:
            raise Unreachable(f"{method} {path}: {str(error) or type(error).__name__}") from None
        if answer.status_code in {429, 500, 502, 503, 504}:
            raise Unreachable(f"{method} {path}: {answer.status_code}")
        if answer.is_error:
            problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
            detail = problem.get("detail", answer.text[:200])
            raise Refused(answer.status_code, problem.get("code", "unknown"), detail)
        return answer

    async def _request(self, method: str, path: str, request: Any) -> httpx.Response:
        """A connection that was kept may be closed just when it is used again: what is safe to send
        twice is sent on a new one.
        """
        try:
            return await self._client.request(method, path, **request)
        except (httpx.RemoteProtocolError, httpx.ReadError):
            is_safe = method == "GET" or "Idempotency-Key" in request.get("headers", {})
            if not is_safe:
                raise
            return await self._client.request(method, path, **request)
