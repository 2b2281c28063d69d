"""The ledger as many processes, one a role, over Postgres and RabbitMQ; any of them may die."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.services.place import free_port
from tests.system.command_line import Forked, flamewire
from tests.system.running_ledger import create_payment, eventually, payment_with_status

ROLES = ("relay", "projector", "reactor", "watcher", "api")


class Roles:
    """One process a role, all on the same servers."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.port = free_port()
        self._environment = {**os.environ, **environment, "FLAMEWIRE_PORT": str(self.port)}
        self._said: list[str] = []
        self._processes: dict[str, Forked] = {}

    def flamewire(self, *arguments: str) -> str:
        done = flamewire(arguments, self._environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, role: str) -> None:
        hear = self._said.append
        self._processes[role] = Forked(["serve", role], self._environment, hear, hear)

    def kill(self, role: str) -> None:
        self._processes[role].kill()
        self._processes[role].wait(timeout=10)

    def stop(self) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            process.wait(timeout=30)

    def logs(self) -> str:
        return "".join(self._said)

    def client(self, key: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30)


@pytest.fixture
def roles(database_url: str, amqp_url: str, amqp_prefix: str) -> Iterator[Roles]:
    running = Roles(
        {
            "FLAMEWIRE_DATABASE_URL": database_url,
            "FLAMEWIRE_AMQP_URL": amqp_url,
            "FLAMEWIRE_AMQP_PREFIX": amqp_prefix,
        }
    )
    running.flamewire("migrate")
    for role in ROLES:
        running.start(role)
    yield running
    running.stop()


def test_a_payment_goes_through_every_role_and_each_of_them_may_be_killed(roles: Roles):
    key = roles.flamewire("keys", "create", "--name", "acme").strip()
    with roles.client(key) as client:
        eventually(lambda: client.get("/health/ready").status_code == 200, seconds=60)
        eventually(lambda: client.get("/v1/payment_intents").status_code == 200, seconds=60)
        account = client.post("/v1/credit_accounts", json={}).json()["id"]
        for role in (None, *ROLES):
            if role is not None:
                roles.kill(role)
                roles.start(role)
                eventually(lambda: client.get("/health/ready").status_code == 200, seconds=60)
            payment = create_payment(client, f"order-{role}", credit_account_id=account)
            transfer = {"payment_intent_id": payment["id"]}
            headers = {"Idempotency-Key": f"pay-{role}"}
            paid = client.post("/v1/sandbox/transfers", json=transfer, headers=headers)
            assert paid.status_code in {200, 201}, paid.text
            payment_with_status(client, payment["id"], "succeeded")
        bought = f"{25 * (1 + len(ROLES))}.000000"
        eventually(
            lambda: (
                client.get(f"/v1/credit_accounts/{account}").json()["balance"]["available"]
                == bought
            )
        )
        numbers = [it["number"] for it in client.get("/v1/invoices").json()["data"]]
        assert [number[4:] for number in sorted(numbers)] == [
            f"-{n:06d}" for n in range(1, 2 + len(ROLES))
        ]
    assert "NOT SO" not in roles.flamewire("verify")
    assert "fw_test_" not in roles.logs()
