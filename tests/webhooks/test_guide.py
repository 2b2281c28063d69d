"""The guide for receivers: its requests are answered as it shows, and its receiver believes what is true."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from flamewire_ledger.webhooks.catalog import KINDS
from tests.webhooks.shop import ENDPOINTS, Shop
from tests.webhooks.test_announcing import Mailbox, paid, settle

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guides/receive-webhooks.md").read_text()
PATHS = re.findall(r"`(POST|PATCH) (/v1/[^`]+)`\n\n```json\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(SHOWN,) = re.findall(r"```json\n(\{\"id\".*?)```", PAGE, re.DOTALL)


class Raw(Mailbox):
    """Keeps the bytes as well."""

    async def send(self, url: str, headers: Any, body: bytes, reach: Any) -> Any:
        self.raw = [*getattr(self, "raw", []), (dict(headers), body)]
        return await super().send(url, headers, body, reach)


async def test_what_the_guide_asks_for_is_answered(shop: Shop):
    endpoint = await shop.endpoint("https://shop.example/webhooks")
    assert len(PATHS) == 4
    await shop.intent()
    for method, path, body in PATHS:
        given = json.loads(body)
        if "since" in given:
            given["since"] = "2026-01-31T00:00:00Z"
        answer = await shop.ledger.send(method, path.replace("{id}", endpoint["id"]), given)
        assert answer.status_code in (200, 201), answer.text
    made = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
    told = (await shop.ledger.post(ENDPOINTS, json.loads(PATHS[0][2]))).json()
    assert {key: told[key] for key in made} == made


async def test_the_receiver_of_the_guide_does_once_what_is_signed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    mail = Raw()
    shop.webhooks = shop.restarted(mail)
    endpoint = await shop.endpoint("http://127.0.0.1:9/", event_types=["payment.completed"])
    await paid(shop, "order-17")
    await settle(shop)
    ((headers, body),) = mail.raw
    monkeypatch.setenv("WEBHOOK_SECRET", endpoint["secret"])
    program: dict[str, Any] = {}
    exec(
        compile(PROGRAM, "receive-webhooks.md", "exec"), program
    )  # what the guide shows is what runs
    transport = httpx.ASGITransport(program["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        for content, status in ((body, 204), (body, 204), (body + b" ", 400), (b"", 400)):
            answer = await client.post("/webhooks", content=content, headers=headers)
            assert answer.status_code == status
        forged = {**headers, "webhook-signature": "v1,AAAA"}
        assert (await client.post("/webhooks", content=body, headers=forged)).status_code == 400
    assert program["shipped"] == ["order-17"]


def test_what_the_guide_shows_of_a_message_is_in_it():
    schema = json.loads((ROOT / "schemas/webhooks/payment.completed.json").read_text())
    shown = json.loads(SHOWN.replace("…", ""))
    assert list(shown) == list(schema["properties"])
    assert set(shown["data"]) <= set(schema["$defs"]["PaymentData"]["properties"])


def test_every_schema_has_an_example_that_it_describes():
    import jsonschema

    for kind in KINDS:
        schema = json.loads((ROOT / f"schemas/webhooks/{kind.type}.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        (example,) = schema["examples"]
        jsonschema.Draft202012Validator(schema).validate(example)
        assert example["type"] == kind.type
