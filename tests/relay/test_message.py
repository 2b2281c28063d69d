"""Messages: what goes in comes out, to the byte; what is not one of ours is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.relay.message import MalformedMessage, Message, pack, unpack
from tests.relay.events import recorded


def read(message: Message) -> list[Any]:
    return list(unpack(message.body, message.headers)[1])


def test_events_arrive_as_they_were_recorded():
    events = [recorded(5), recorded(6, data=b'{ "units" : "\\u00e9\xc3\xa9", "n": 1.50 }')]

    (message,) = pack(events)

    assert read(message) == events
    assert message.headers == {"partition": 0, "first": 5, "last": 6}


def test_a_line_is_the_envelope_that_the_contract_promises():
    (message,) = pack([recorded(5)])

    line = msgspec.json.decode(message.body)

    assert set(line) == {
        *("position", "partition", "stream_id", "version", "type", "data", "metadata")
    }
    assert set(line["metadata"]) == {
        *("merchant_id", "command_id", "causation_id", "correlation_id", "actor", "recorded_at")
    }


def test_empty_metadata_travels_too():
    event = replace(recorded(1), metadata=b"{}")

    assert read(next(iter(pack([event])))) == [event]


@given(st.lists(st.integers(1, 700), min_size=1, max_size=40), st.integers(400, 2000))
def test_messages_are_bounded_and_together_say_everything_in_order(sizes: list[int], most: int):
    events = [recorded(n, b'"' + b"x" * size + b'"') for n, size in enumerate(sizes, 1)]

    messages = list(pack(events, body_bytes_max=most))

    assert all(len(message.body) <= most for message in messages)
    covered = [n for it in messages for n in range(it.first, it.last + 1)]
    assert covered == list(range(1, len(events) + 1))
    carried = [event for message in messages for event in read(message)]
    left_out = [message.first for message in messages if not message.body]
    assert sorted([*(event.position for event in carried), *left_out]) == covered


@pytest.mark.parametrize(
    "data", [b"x" * 5000, b"\x80\x04pickled", b'{"a":', b'{"a":\n1}', b""], ids=repr
)
def test_what_cannot_be_carried_is_announced_without_its_body(data: bytes):
    events = [recorded(1), recorded(2, data), recorded(3)]

    messages = list(pack(events, body_bytes_max=2000))

    assert [(it.first, it.last, bool(it.body)) for it in messages] == [
        (1, 1, True),
        (2, 2, False),
        (3, 3, True),
    ]
    assert read(messages[1]) == []


GOOD = next(iter(pack([recorded(5), recorded(6)])))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\x00\xff", GOOD.headers),
        (b"not json", GOOD.headers),
        (b'{"position":5}', GOOD.headers),
        (GOOD.body, {}),
        (GOOD.body, {**GOOD.headers, "first": "5"}),
        (GOOD.body, {**GOOD.headers, "last": 7}),
        (GOOD.body, {**GOOD.headers, "first": 6}),
        (GOOD.body, {**GOOD.headers, "partition": 3}),
        (GOOD.body, {**GOOD.headers, "partition": True}),
        (b"", {"partition": 0, "first": 1, "last": 10**9}),
        (b"", {"partition": 0, "first": 0, "last": 0}),
        (GOOD.body.replace(b'"metadata":{', b'"metadata":{"x":'), GOOD.headers),
        (GOOD.body.replace(b'"merchant_id":"mer_1",', b""), GOOD.headers),
        (GOOD.body.replace(b'"recorded_at":"2', b'"recorded_at":"x'), GOOD.headers),
    ],
)
def test_what_is_not_a_message_of_ours_is_refused(body: bytes, headers: dict[str, Any]):
    with pytest.raises(MalformedMessage):
        unpack(body, headers)


def test_metadata_in_another_order_says_the_same():
    (message,) = pack([recorded(5)])
    line = msgspec.json.decode(message.body)
    line["metadata"] = dict(reversed(line["metadata"].items()))

    _, (event,) = unpack(msgspec.json.encode(line), message.headers)

    assert msgspec.json.decode(event.metadata) == msgspec.json.decode(recorded(5).metadata)
    assert event.merchant_id == recorded(5).merchant_id
