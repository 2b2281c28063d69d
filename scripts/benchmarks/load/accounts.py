"""Credit accounts for the load to burn: opened and filled through the API, before anything is measured."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final

import httpx

from scripts.benchmarks.figure import BenchmarkFailed

GRANTED: Final = "1000000000"  # credits, each: no run burns that much
_LINES_MAX: Final = 1_000


def open_accounts(client: httpx.Client, count: int) -> list[str]:
    """Their ids. Idempotency keys are new each time: so are the accounts."""
    run = secrets.token_hex(4)
    opened = _batch(
        client, [(f"open-{run}-{number}", "create_credit_account", {}) for number in range(count)]
    )
    accounts = [str(answer["result"]["id"]) for answer in opened]
    grant = {"amount": GRANTED, "source": "granted"}
    _batch(
        client,
        [
            (f"grant-{run}-{account}", "grant_credits", {"credit_account_id": account, **grant})
            for account in accounts
        ],
    )
    return accounts


def _batch(
    client: httpx.Client, commands: Sequence[tuple[str, str, dict[str, Any]]]
) -> list[dict[str, Any]]:
    return [
        answer
        for first in range(0, len(commands), _LINES_MAX)
        for answer in _send(client, commands[first : first + _LINES_MAX])
    ]


def _send(
    client: httpx.Client, commands: Sequence[tuple[str, str, dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    lines = [json.dumps({"id": k, "command": name, "params": p}) for k, name, p in commands]
    answer = client.post(
        "/v1/batch",
        content="\n".join(lines),
        headers={
            "Content-Type": "application/x-ndjson",
            "Idempotency-Key": commands[0][0],
        },
    )
    if answer.status_code != httpx.codes.OK:
        raise BenchmarkFailed(f"the accounts were not made: {answer.text[:500]}")
    for line in answer.text.splitlines():
        made = json.loads(line)
        if made["status"] != "ok":
            raise BenchmarkFailed(f"an account was not made: {line[:500]}")
        yield made
