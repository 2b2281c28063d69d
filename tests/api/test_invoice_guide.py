"""The guide to invoices: what it shows is asked and answered so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.api.world import World

PAGE = (Path(__file__).parents[2] / "docs/guides/send-an-invoice.md").read_text()
STEPS = re.findall(r"`POST (/v1/[^`]+)`\n\n```json\n(.*?)```\n```json\n(.*?)```", PAGE, re.DOTALL)


def holds(shown: Any, answered: Any) -> bool:
    """Whether the answer has all that the guide shows of it."""
    if isinstance(shown, dict) and isinstance(answered, dict):
        return all(key in answered and holds(shown[key], answered[key]) for key in shown)
    return bool(shown == answered)


async def test_the_guide_shows_what_is_answered(ledger: World) -> None:
    assert len(STEPS) == 7
    invoice_id = ""
    for path, body, shown in STEPS:
        answer = await ledger.post(path.replace("{id}", invoice_id), json.loads(body))
        answered = answer.json()
        assert holds(json.loads(shown), answered), (path, answered)
        if answered.get("object") == "invoice":
            invoice_id = answered["id"]
    pdf = await ledger.get(f"/v1/invoices/{invoice_id}.pdf")
    assert pdf.content.startswith(b"%PDF")
    for form in ("facturx", "ubl"):
        xml = await ledger.get(f"/v1/invoices/{invoice_id}.xml", format=form)
        assert xml.status_code == 200, xml.text
        assert b"2026-000001" in xml.content
    (note,) = (await ledger.get("/v1/credit_notes")).json()["data"]
    for form in ("facturx", "ubl"):
        xml = await ledger.get(f"/v1/credit_notes/{note['id']}.xml", format=form)
        assert xml.status_code == 200, xml.text
        assert b"CN-2026-000001" in xml.content
    assert note["delivery"]["status"] == "waiting"
