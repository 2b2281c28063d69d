"""CloudEvents in binary mode: what headers and body say is the item that an object would say."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from flamewire_ledger.api.cloudevents import structured
from tests.api.test_usage import account, codes, item, meter, sent, used
from tests.api.world import World


async def test_an_event_in_headers_is_the_one_that_says_the_same_in_an_object(ledger: World):
    await meter(ledger, "sum")
    tom = await account(ledger, external_id="Tomás")
    whole = item("Tomás", "ü/1", value=0.1)
    quoted = {key: quote(whole[key], safe=":/") for key in ("id", "source", "subject", "time")}
    headers = {
        "Authorization": f"Bearer {ledger.secret}",
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-type": '"rpc.call"',
        **{f"ce-{key}": value for key, value in quoted.items()},
    }
    said = {
        body: (await ledger.client.post("/v1/usage", content=body, headers=headers)).json()
        for body in ('{\n  "value": 0.1\n}', '{"value": 0.10}', '{"value": 0.2}', "value")
    }
    taken, again, other, nonsense = said.values()
    assert (codes(taken), codes(again)) == (["accepted"], ["duplicate"])
    assert codes(other) == ["id_reused"]
    assert nonsense["code"] == "malformed"
    assert codes(await sent(ledger, [whole])) == ["duplicate"]
    assert [it["quantity"] for it in await used(ledger, tom)] == ["0.1"]


@pytest.mark.parametrize(
    "headers",
    [
        {b"content-type": b"application/json"},
        {b"content-type": b"application/cloudevents+json", b"ce-specversion": b"1.0"},
        {b"ce-id": b"1"},
    ],
)
def test_what_is_no_binary_event_stays_as_it_came(headers: dict[bytes, bytes]):
    assert structured(headers, b'{"id": "x"}') == b'{"id": "x"}'


def test_numbers_stay_as_they_were_written():
    event = structured({b"ce-specversion": b"1.0"}, b'{"value": 0.10000000000000000001}')
    assert event == b'{"specversion":"1.0","data":{"value":0.10000000000000000001}}'
