"""Reports as pictures over HTTP."""

from __future__ import annotations

import pytest

from tests.api.world import World


@pytest.mark.parametrize(
    ("kind", "media_type", "begins"),
    [("svg", "image/svg+xml", b"<?xml"), ("png", "image/png", b"\x89PNG")],
)
async def test_a_report_is_drawn_to_the_same_bytes_at_the_same_position(
    ledger: World, kind: str, media_type: str, begins: bytes
):
    body = {"amount": "25.00", "currency": "USD"}
    position = (await ledger.post("/v1/payment_intents", body)).headers["X-Ledger-Position"]
    first = await ledger.get(f"/v1/reports/funnel.{kind}", as_of=position)
    assert first.headers["content-type"].startswith(media_type)
    assert first.content.startswith(begins)
    await ledger.post("/v1/payment_intents", body)
    again = await ledger.get(f"/v1/reports/funnel.{kind}", as_of=position)
    assert again.content == first.content
    now = await ledger.get(f"/v1/reports/funnel.{kind}")
    assert now.content != first.content


async def test_there_is_no_picture_of_a_report_that_is_none(ledger: World):
    assert (await ledger.get("/v1/reports/nothing.svg")).status_code == 404
