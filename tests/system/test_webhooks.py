"""A ledger as it runs tells a shop of its payments, and goes on where it was killed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from standardwebhooks import Webhook

from tests.system.running_ledger import RunningLedger, create_payment, eventually


class Shop:
    """Keeps what it is sent; while it is `stuck`, it answers nothing."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.url = ""

    def of(self, message_type: str) -> list[tuple[dict[str, str], bytes]]:
        return [it for it in self.received if json.loads(it[1])["type"] == message_type]


@contextmanager
def a_shop() -> Iterator[Shop]:
    shop = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            shop.received.append((headers, body))
            if shop.go_on.wait(30):
                self.send_response(204)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shop.url = f"http://127.0.0.1:{server.server_port}/hooks"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        shop.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


def pay(client: httpx.Client, payment_id: str) -> None:
    answer = client.post(
        "/v1/sandbox/transfers",
        json={"payment_intent_id": payment_id},
        headers={"Idempotency-Key": payment_id},
    )
    assert answer.status_code == 201, answer.text


def test_a_shop_is_told_and_what_was_on_its_way_at_a_kill_is_told_again(own_ledger: RunningLedger):
    with a_shop() as shop:
        with own_ledger.client() as client:
            body = {"url": shop.url, "event_types": ["payment.completed"]}
            endpoint = client.post("/v1/webhook_endpoints", json=body).json()
            verifier = Webhook(endpoint["secret"])
            first = create_payment(client, "order-1")
            pay(client, first["id"])
            headers, told = eventually(lambda: shop.of("payment.completed"))[0]
            data = verifier.verify(told, headers)["data"]
            assert data["paymentIntentId"] == first["id"]
            path = f"/v1/webhook_endpoints/{endpoint['id']}/deliveries"
            delivered = eventually(
                lambda: client.get(path, params={"status": "delivered"}).json()["data"]
            )
            assert delivered[0]["event_id"] == headers["webhook-id"]

            shop.go_on.clear()
            second = create_payment(client, "order-2")
            pay(client, second["id"])
            on_its_way, _ = eventually(lambda: shop.of("payment.completed")[1:])[0]
        own_ledger.kill()
        shop.go_on.set()
        own_ledger.start()
        with own_ledger.client() as client:
            test = client.post(f"/v1/webhook_endpoints/{endpoint['id']}/test")
            assert test.status_code == 200, test.text
            headers, told = eventually(lambda: shop.of("webhook.test"))[0]
            verifier.verify(told, headers)  # the secret is known after all
            headers, told = eventually(lambda: shop.of("payment.completed")[2:])[0]
            events = client.get("/v1/events", params={"type": "webhook_endpoint.created"}).text
            assert endpoint["id"] in events
            assert "whsec_" not in events
        assert headers["webhook-id"] == on_its_way["webhook-id"]
        assert verifier.verify(told, headers)["data"]["paymentIntentId"] == second["id"]
        listed = json.loads(own_ledger.flamewire("webhooks", "list", "--json").stdout)
        assert [(it["id"], it["status"], it["mode"]) for it in listed] == [
            (endpoint["id"], "enabled", "test")
        ]
        own_ledger.flamewire("webhooks", "replay", endpoint["id"], "--from", "1", "--to", "100")
        # Two payments keep no order between them: both come again, either first.
        replayed = eventually(
            lambda: shop.of("payment.completed")[4:] and shop.of("payment.completed")[3:]
        )
        assert {headers["webhook-id"] for headers, _ in replayed} == {
            delivered[0]["event_id"],
            on_its_way["webhook-id"],
        }
        shown = own_ledger.flamewire("webhooks", "deliveries", endpoint["id"], "--json").stdout
        assert {it["kind"] for it in json.loads(shown)} == {"event", "replay", "test"}
        assert endpoint["secret"] not in "\n".join(own_ledger.output)
