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


async def test_what_the_guide_says_of_mistakes_is_so(ledger: World) -> None:
    """Each `…/` of its last section is a path of the invoice."""
    assert set(re.findall(r"`POST …/(\w+)`", PAGE)) == {"void", "mark_uncollectible"}
    draft = json.loads(STEPS[1][1])
    given = []
    for step in ("void", "mark_uncollectible", "credit_notes"):
        made = (await ledger.post("/v1/invoices", {**draft, "due_days": 0})).json()
        path = f"/v1/invoices/{made['id']}"
        number = (await ledger.post(f"{path}/finalize", {})).json()["number"]
        answer = await ledger.post(f"{path}/{step}", {"reason": "a mistake"})
        assert answer.status_code in (200, 201), answer.text
        again = await ledger.post(f"{path}/credit_notes", {"reason": "more than is left"})
        assert (again.status_code == 201) == (step == "mark_uncollectible"), again.text
        given.append((number, (await ledger.get(path)).json()["number"]))
    assert given == [(f"2026-{it:06d}", f"2026-{it:06d}") for it in (1, 2, 3)]
    late = await ledger.post("/v1/invoices", {**draft, "due_days": 0})
    await ledger.post(f"/v1/invoices/{late.json()['id']}/finalize", {})
    ledger.clock.turn(days=1)
    overdue = (await ledger.get("/v1/invoices", overdue=True)).json()["data"]
    assert [it["id"] for it in overdue] == [late.json()["id"]]
    assert (await ledger.post("/v1/invoices", draft, once=None)).status_code == 400


def test_settings_and_events_that_the_guide_names_are_there() -> None:
    reference = Path(__file__).parents[2] / "docs/reference"
    settings, events, webhooks = (
        (reference / f"{name}.md").read_text() for name in ("settings", "events", "webhooks")
    )
    for name in re.findall(r"`(FLAMEWIRE_\w+)`", PAGE):
        assert f"`{name}`" in settings
    for name in re.findall(r"event `(invoice\.\w+)`", PAGE):
        assert f"`{name}" in events + webhooks
