"""A shop on a Substrate chain: a running ledger, what was asked for, and what became of it."""

from __future__ import annotations

from typing import Any

from tests.chains.substrate.payers import Payers
from tests.system.running_ledger import RunningLedger, create_payment, eventually

SETTLED_SECONDS_MAX = 90
ROC = 10**12


class Shop:
    """A running ledger, what was asked for, and what became of it."""

    def __init__(self, ledger: RunningLedger, payers: Payers) -> None:
        self.ledger = ledger
        self.payers = payers
        self.options: dict[str, dict[str, Any]] = {}  # by payment id
        self.due: dict[str, int] = {}

    def ask(self, roc: str) -> str:
        """A payment of so many ROC; its id."""
        with self.ledger.client() as client:
            payment = create_payment(
                client,
                f"order-{len(self.options)}",
                amount=roc,
                currency="ROC",
                pay_with=[{"network": "rococo", "asset": "ROC"}],
            )
        (option,) = payment["payment_options"]
        self.options[payment["id"]] = option
        return str(payment["id"])

    def transfer(self, payment: str, per_cent: int = 100) -> Any:
        """The call that pays so much of it."""
        option = self.options[payment]
        units = int(option["amount_minor"]) * per_cent // 100
        return self.payers.transfer(option["address"], units)

    def remark(self, payment: str) -> Any:
        return self.payers.remark(self.options[payment]["memo"])

    def mine(self, blocks: int = 1) -> None:
        self.payers.node.new_block(blocks)

    def seen(self, payment: str) -> dict[str, Any]:
        with self.ledger.client() as client:
            return dict(client.get(f"/v1/payment_intents/{payment}").json())

    def becomes(self, payment: str, status: str, *labels: str) -> None:
        """Wait until the payment has this status and these labels."""

        def is_so() -> bool:
            seen = self.seen(payment)
            return seen["status"] == status and sorted(seen["labels"]) == sorted(labels)

        try:
            eventually(is_so, seconds=SETTLED_SECONDS_MAX)
        except AssertionError:
            print("".join(self.ledger.output[-20:]))
            seen = self.seen(payment)
            assert (seen["status"], seen["labels"]) == (status, list(labels))

    def is_followed(self) -> None:
        """Wait until the ledger has read the head."""
        end = f'network="rococo"}} {self.payers.height}.0'

        def is_so() -> bool:
            with self.ledger.client() as client:
                lines = client.get("/metrics").text.splitlines()
            return any(
                line.startswith("flamewire_chain_followed{") and line.endswith(end)
                for line in lines
            )

        eventually(is_so)

    def transfers(self, payment: str) -> list[tuple[str, int, int, str]]:
        return [
            (each["transaction_id"], each["index"], int(each["amount_minor"]), each["status"])
            for each in self.seen(payment)["transfers"]
        ]

    def balance(self, account: str = "assets:wallet") -> int:
        with self.ledger.client() as client:
            rows = client.get("/v1/balances", params={"account": account}).json()["data"]
        return sum(int(row["balance_minor"]) for row in rows if row["asset"].endswith("ROC"))

    def books_are_what_the_chain_says(self) -> None:
        """Address by address, and in sum: nothing twice, nothing lost."""
        arrived = 0
        for payment, option in self.options.items():
            held = self.payers.free(option["address"])
            confirmed = [
                units for *_, units, status in self.transfers(payment) if status == "confirmed"
            ]
            assert sum(confirmed) == held, payment
            arrived += held
        assert self.balance() == arrived
        with self.ledger.client() as client:
            assert client.get("/v1/ledger/trial_balance").json()["is_balanced"]
        assert "NOT SO" not in self.ledger.flamewire("verify").stdout
