"""Whatever is sent, the answer is a problem that says so: never a 500, and never an event of
nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flamewire_ledger.api.contract import OPERATIONS
from flamewire_ledger.api.operation import NDJSON, Operation
from flamewire_ledger.projector.catalog import Catalog
from tests.api.conftest import readable
from tests.api.world import World
from tests.services.postgres import Databases

_TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["1", "0", "25.00", "-1", "NaN", "1e9", "9" * 38, "9" * 80, "USD", "TAO", "CREDIT", "sui",
         "pi_01kg9ys7g0ev9sbv73a4ec6efj", "ca_01kg9ys7g0ev9sbv73a4ec6efj", "granted", "normal",
         "2026-02-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "\x00", "\ud800", "🜂"]
    ),
)  # fmt: skip
_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=10**20, max_value=10**300),
        st.floats(allow_nan=False, allow_infinity=False),
        _TEXTS,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)
_CLEAN = _TEXTS.filter(lambda it: "\ud800" not in it and it.isprintable())
COMMANDS = [it for it in OPERATIONS if it.request is not None and it.takes != NDJSON]


class PathOf(dict[str, str]):
    """Whatever else a path names is something that is not there."""

    def __missing__(self, name: str) -> str:
        return "ho_x"


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(scope="module")
def standing(
    loop: asyncio.AbstractEventLoop,
    databases: Databases,
    read_models_template: str,
    catalog: Catalog,
) -> Iterator[tuple[World, dict[str, str]]]:
    """A ledger that outlives one example and can be read, and ids of things that are in it."""
    stack = AsyncExitStack()
    url = databases.create(template=read_models_template)

    async def build() -> tuple[World, dict[str, str]]:
        made = await stack.enter_async_context(readable(url, catalog))
        account = (await made.post("/v1/credit_accounts", {})).json()["id"]
        order = {"amount": "25.00", "currency": "USD"}
        payment = (await made.post("/v1/payment_intents", order)).json()["id"]
        return made, {"pi": payment, "ca": account}

    yield loop.run_until_complete(build())
    loop.run_until_complete(stack.aclose())
    databases.drop(url)


def bodies(operation: Operation) -> st.SearchStrategy[Any]:
    """Bodies with the right names and whatever values, and with some that are right."""
    assert operation.request is not None
    names = list(operation.request.model_fields)
    fields = st.fixed_dictionaries({}, optional=dict.fromkeys(names, _VALUES))
    return st.one_of(fields, _VALUES)


@pytest.mark.parametrize("operation", COMMANDS, ids=lambda it: it.name)
def test_no_body_makes_a_fault(
    loop: asyncio.AbstractEventLoop, standing: tuple[World, dict[str, str]], operation: Operation
):
    ledger, ids = standing
    known = ids["pi" if "payment_intents" in operation.path else "ca"]

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(body=bodies(operation), wanted=st.one_of(st.just(known), _CLEAN))
    def run(body: Any, wanted: str) -> None:
        async def send() -> int:
            path = operation.path.format_map(PathOf(id=quoted(wanted), hold=quoted(wanted)))
            content = dumped(body)
            response = await ledger.client.request(
                operation.method,
                path,
                content=content,
                headers={
                    "Authorization": f"Bearer {ledger.secret}",
                    "Content-Type": "application/json",
                    "Idempotency-Key": f"any-{ledger.entropy(8).hex()}",
                },
            )
            return response.status_code

        assert loop.run_until_complete(send()) < 500

    run()


HOSTILE = [
    "", " ", "0", "-1", "1", "2", "9" * 25, "1e3", "NaN", "x", "|", "a|b", "1-1", "-", "é🜂", "'", '"', "%",
    "\x00", "a\nb", "\\", "; DROP TABLE events", "2026-01-31T12:00:00Z", "9999-12-31T23:59:59Z", "x" * 300,
]  # fmt: skip


async def test_no_query_makes_a_fault(ledger: World):
    account = (await ledger.post("/v1/credit_accounts", {})).json()["id"]
    seen = set()
    for operation in (it for it in OPERATIONS if it.method == "GET"):
        path = operation.path.format_map(
            PathOf(id=account, base="TAO", quote="USD", account=account)
        )
        for name in [*operation.query.model_fields, "surprise"]:
            if name == "min_position":  # those wait
                continue
            for value in HOSTILE:
                response = await ledger.get(path, **{name: value})
                assert response.status_code < 500, (path, name, value, response.text)
                seen.add(response.status_code)
    assert seen == {200, 404, 422}


def quoted(text: str) -> str:
    return quote(text.encode("utf-8", "replace").decode(), safe="") or "x"


def dumped(body: Any) -> bytes:
    return json.dumps(body).encode()
