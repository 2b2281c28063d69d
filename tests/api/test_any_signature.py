"""Whatever is claimed over HTTP: a verdict of three parts or a problem of the request, soon, never a 500."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.test_signatures import (
    ETHEREUM,
    PATH,
    SUBSTRATE,
    SUI,
    of_ethereum,
    of_substrate,
    of_sui,
)
from tests.api.world import World, world

SECONDS_MAX = 0.05  # of the processor, which is promised; the worst here takes a third
ATTEMPTS = 5
VALID = [
    of(vector)
    for file, of in ((ETHEREUM, of_ethereum), (SUBSTRATE, of_substrate), (SUI, of_sui))
    for vector in file["vectors"]
    if vector["valid"]
]
NAMES = sorted({name for body in VALID for name in body} | {"message", "owners", "more"})
# What hides in texts: cut, doubled, another case, spaces, other digits, one character changed.
TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "",
            " ",
            "0x",
            "0X00",
            "0x0",
            "=",
            "null",
            "\0",
            "\x7f",
            "٣",
            "🜂",
            "a" * 5000,
            "0x" + "f" * 200,
        ]
    ),
    st.sampled_from(["ethereum", "sui", "bittensor", "eip155:1", "eip155:" + "9" * 30, "sui:x"]),
    st.binary(max_size=120).map(lambda it: "0x" + it.hex()),
)
VALUES = st.one_of(
    TEXTS,
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    st.fixed_dictionaries(
        {}, optional={"addresses": st.lists(TEXTS, max_size=3), "threshold": st.integers()}
    ),
)


@st.composite
def mangled(draw: st.DrawFn, text: str) -> str:
    """A text that was right, and is not quite."""
    at = draw(st.integers(0, max(0, len(text) - 1)))
    match draw(st.sampled_from(["cut", "double", "case", "space", "change", "drop", "prefix"])):
        case "cut":
            return text[:at]
        case "double":
            return text + text
        case "case":
            return text[:at] + text[at:].swapcase()
        case "space":
            return f"{text[:at]} {text[at:]}"
        case "change":
            return text[:at] + draw(st.characters(exclude_categories=["Cs"])) + text[at + 1 :]
        case "drop":
            return text[:at] + text[at + 1 :]
        case _:
            return text.removeprefix("0x")


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A valid claim with a field or two that are mangled, or are something else altogether."""
    body = dict(draw(st.sampled_from(VALID)))
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2)):
        was = body.get(name)
        body[name] = draw(mangled(was) | VALUES if isinstance(was, str) else VALUES)
    return body


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(scope="module")
def standing(loop: asyncio.AbstractEventLoop) -> Iterator[World]:
    stack = AsyncExitStack()
    yield loop.run_until_complete(stack.enter_async_context(world()))
    loop.run_until_complete(stack.aclose())


def took(loop: asyncio.AbstractEventLoop, ledger: World, content: bytes) -> float:
    """Processor time of one request that is answered as it should be."""

    async def send() -> float:
        headers = {"Authorization": f"Bearer {ledger.secret}", "Content-Type": "application/json"}
        began = time.process_time()
        answer = await ledger.client.post(PATH, content=content, headers=headers)
        seconds = time.process_time() - began
        assert answer.status_code in (200, 400, 413, 422), answer.text
        if answer.status_code == 200:
            found = answer.json()
            assert set(found) == {"valid", "reason", "scheme"}
            assert found["valid"] == (found["reason"] is None)
        return seconds

    return loop.run_until_complete(send())


@settings(
    max_examples=400, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(body=bodies())
def test_a_mangled_claim_is_judged_or_refused(
    loop: asyncio.AbstractEventLoop, standing: World, body: dict[str, Any]
):
    took(loop, standing, json.dumps(body).encode())


@settings(max_examples=100, deadline=None, database=None)
@given(body=st.sampled_from(VALID), data=st.data())
def test_bytes_that_are_no_utf_8_are_refused(
    loop: asyncio.AbstractEventLoop, standing: World, body: dict[str, Any], data: st.DataObject
):
    content = json.dumps(body).encode()
    at = data.draw(st.integers(0, len(content)))
    took(loop, standing, content[:at] + data.draw(st.binary(min_size=1, max_size=4)) + content[at:])


@pytest.mark.parametrize(
    "name", ["message", "message_hex", "message_base64", "signature", "address"]
)
def test_a_megabyte_is_answered_soon(loop: asyncio.AbstractEventLoop, standing: World, name: str):
    for body in VALID[:1] + VALID[-1:]:
        body = {key: it for key, it in body.items() if not key.startswith(name[:7])}
        body |= {name: "0x" + "ab" * 524_287 if name.endswith("hex") else "YWJj" * 262_144}
        content = json.dumps(body).encode()
        assert min(took(loop, standing, content) for _ in range(ATTEMPTS)) < SECONDS_MAX


def repeated(unit: str, size: int) -> str:
    return unit * (size // len(unit))


def keys(size: int) -> str:
    return ",".join(f'"{at:08x}":1' for at in range(size // 13))


CLAIM = '"network":"ethereum","address":"0x","kind":"typed_data","signature":""'
BODIES: dict[str, Callable[[int], str]] = {
    "lists": lambda size: f'{{{CLAIM},"message":{{"a":[{repeated("[],", size)}1]}}}}',
    "lists in lists": lambda size: f'{{{CLAIM},"message":{{"a":[{repeated("[[]],", size)}1]}}}}',
    "objects": lambda size: f'{{{CLAIM},"message":{{"a":[{repeated("{},", size)}1]}}}}',
    "numbers": lambda size: f'{{{CLAIM},"message":{{"a":[{repeated("1,", size)}1]}}}}',
    "a number": lambda size: f'{{{CLAIM},"message":{{"a":{repeated("9", size)}}}}}',
    "keys inside": lambda size: f'{{{CLAIM},"message":{{{keys(size)}}}}}',
    "keys": lambda size: f"{{{keys(size)}}}",
    "keys that end in a backslash": lambda size: f"{{{keys(size)}}}".replace('":', '\\\\":'),
    "lists as a text": lambda size: f'{{{CLAIM},"message":"{repeated("[],", size)}"}}',
    "quotation marks": lambda size: f'{{{CLAIM},"message":"{repeated(chr(92) + chr(34), size)}"}}',
    "escapes": lambda size: f'{{{CLAIM},"message":"{repeated(chr(92) + "u00e9", size)}"}}',
    "owners": lambda size: (
        f'{{{CLAIM},"message":"","owners":{{"threshold":1,"addresses":[{repeated(chr(34) * 2 + ",", size)}1]}}}}'
    ),
    "depth": lambda size: f'{{{CLAIM},"message":{repeated("[", size // 2)}{repeated("]", size // 2)}}}',
}  # fmt: skip


@pytest.mark.parametrize("size", [48_000, 96_000, 1_000_000, 2_500_000])
@pytest.mark.parametrize("shape", BODIES)
def test_no_body_is_long_in_the_reading(
    loop: asyncio.AbstractEventLoop, standing: World, shape: str, size: int
):
    content = BODIES[shape](size).encode()
    assert min(took(loop, standing, content) for _ in range(ATTEMPTS)) < SECONDS_MAX


def test_what_is_long_and_right_is_read(loop: asyncio.AbstractEventLoop, standing: World):
    """A text may have any letters, also those that are counted elsewhere; typed data may be long."""
    long = 'a"b\\c[{,' * 16_000
    body = VALID[0] | {"message": long}
    body.pop("message_hex", None)
    for sent, code in (
        (body, 200),
        (body | {f"more{at}": 1 for at in range(260)}, 422),
        (body | {"message": {"domain": {"name": "x" * 100_000}}, "kind": "typed_data"}, 200),
        (body | {"message": {"domain": {"name": "[,{" * 9_000}}, "kind": "typed_data"}, 200),
        (body | {"message": {"domain": {"name": [1] * 33_000}}, "kind": "typed_data"}, 422),
    ):

        async def send(sent: dict[str, Any] = sent) -> int:
            return (await standing.post(PATH, sent, once=None)).status_code

        assert loop.run_until_complete(send()) == code
