"""What needs no key: health, metrics, the document and its page."""

from __future__ import annotations

import re

from openapi_spec_validator import validate

from flamewire_ledger.api.contract import OPERATIONS
from flamewire_ledger.api.openapi import document
from tests.api.world import World


async def test_a_process_lives_before_it_is_ready(door: World):
    door.health.ready = False
    assert (await door.client.get("/health/live")).status_code == 200
    waiting = await door.client.get("/health/ready")
    assert waiting.status_code == 503
    assert waiting.json() == {
        "status": "not_ready",
        "checks": {"database": {"ready": False, "server": "memory"}},
    }
    door.health.ready = True
    assert (await door.client.get("/health/ready")).json()["status"] == "ready"


async def test_requests_are_counted_by_route_and_never_by_id(door: World):
    await door.post("/v1/payment_intents/pi_01kg9ys7g0ev9sbv73a4ec6efj/cancel", {})
    text = (await door.client.get("/metrics")).text
    assert 'route="POST /v1/payment_intents/{id}/cancel",status="404"' in text
    assert "pi_01" not in text


async def test_the_document_is_valid_and_has_every_operation(door: World):
    served = (await door.client.get("/openapi.json")).json()
    validate(served)
    assert served["openapi"] == "3.1.0"
    for operation in OPERATIONS:
        described = served["paths"][operation.path][operation.method.lower()]
        assert described["operationId"] == operation.name


def test_names_of_operations_and_models_are_unique():
    names = [operation.name for operation in OPERATIONS]
    assert len(names) == len(set(names))
    assert not [name for name in document()["components"]["schemas"] if "__" in name]


async def test_the_page_takes_everything_from_its_own_origin(door: World):
    page = await door.client.get("/docs")
    assert page.status_code == 200
    assert "unsafe-eval" not in page.headers["content-security-policy"]
    assert "script-src 'self';" in page.headers["content-security-policy"]
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert linked
    for path in linked:
        assert path.startswith("/")
        assert (await door.client.get(path)).status_code == 200
    for outside in ("/docs/../app.py", "/docs/docs.html", "/docs/%2e%2e/app.py", "/docs/README.md"):
        assert (await door.client.get(outside)).status_code == 404


async def test_head_is_get_without_a_body(door: World):
    response = await door.client.head("/health/live")
    assert response.status_code == 200
