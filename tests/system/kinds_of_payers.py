"""What payers do, and what contract.md's table says becomes of their payments.

`Promise` is one payment with its payer's behaviour; `as_it_should_be` is what the API has to show
for it when everything that arrived is final and time is up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal[
    "exact",  # the whole of it, in time
    "in_parts",  # in two transfers
    "short",  # a part, and no more
    "over",
    "twice",
    "late",
    "wrong_token",  # a token that nobody configured
    "other_token",  # one that is configured, for a payment that asks for another
    "in_vain",  # a token transfer that fails on the chain
    "never",
    "gone",  # its block is taken back, and it never comes again
    "back",  # its block is taken back, and it comes again in another
]

# Two hundred payments: a third of them not as they should be.
HOW_MANY: dict[Kind, int] = {
    "exact": 116, "back": 10, "in_parts": 8, "short": 10, "over": 10, "twice": 10, "late": 10,
    "wrong_token": 6, "other_token": 4, "in_vain": 4, "never": 4, "gone": 8,
}  # fmt: skip

_STATUS_AND_LABELS: dict[Kind, tuple[str, list[str]]] = {
    "exact": ("succeeded", []),
    "in_parts": ("succeeded", []),
    "back": ("succeeded", []),
    "short": ("requires_action", ["underpaid"]),
    "over": ("succeeded", ["overpaid"]),
    "twice": ("succeeded", ["multiple"]),
    "late": ("requires_action", ["late", "stale_price"]),
    "wrong_token": ("requires_action", ["wrong_asset"]),
    "other_token": ("requires_action", ["wrong_asset"]),
    "in_vain": ("expired", []),
    "never": ("expired", []),
    "gone": ("expired", []),
}
_WITHOUT_WORTH = ("wrong_token", "other_token")


@dataclass(slots=True)
class Promise:
    """A payment, its payer, and what was sent for it."""

    kind: Kind
    payment: dict[str, Any]
    sent: list[str] = field(default_factory=list)  # transactions

    @property
    def id(self) -> str:
        return str(self.payment["id"])

    @property
    def address(self) -> str:
        return str(self.payment["payment_options"][0]["address"])

    @property
    def asset(self) -> str:
        return str(self.payment["payment_options"][0]["asset"])

    @property
    def due(self) -> int:
        return int(self.payment["payment_options"][0]["amount_minor"])

    def transfers(self) -> list[tuple[str, int]]:
        """What its payer sends: asset and base units."""
        match self.kind:
            case "never":
                return []
            case "in_parts":
                return [(self.asset, self.due // 3), (self.asset, self.due - self.due // 3)]
            case "short":
                return [(self.asset, self.due * 6 // 10)]
            case "over":
                return [(self.asset, self.due * 13 // 10)]
            case "twice":
                return [(self.asset, self.due), (self.asset, self.due)]
            case "wrong_token":
                return [("other", 1_000_000 + self.due % 1000)]
            case "other_token":
                return [("USDC" if self.asset == "ETH" else "ETH", 1_000_000 + self.due % 1000)]
            case "in_vain":
                return [("USDC", self.due)]
            case _:
                return [(self.asset, self.due)]

    def arrived(self) -> dict[str, int]:
        """What its address has in the end, by asset."""
        found: dict[str, int] = {}
        if self.kind not in ("in_vain", "gone"):
            for asset, units in self.transfers():
                found[asset] = found.get(asset, 0) + units
        return found

    def as_it_should_be(self) -> dict[str, Any]:
        """Status, labels, amounts, and the statuses of the transfers."""
        status, labels = _STATUS_AND_LABELS[self.kind]
        requested = Decimal(self.payment["amount"])
        arrived = self.arrived()
        worth = Decimal(0)
        if self.kind not in _WITHOUT_WORTH:
            worth = _in_cents(requested, Fraction(arrived.get(self.asset, 0), self.due))
        counted = Decimal(0) if self.kind == "late" else worth
        is_paid = status == "succeeded"
        transfers = ["confirmed"] * len(self.transfers()) if arrived else []
        return {
            "status": status,
            "labels": labels,
            "amounts": {
                "requested": f"{requested:.2f}",
                "detected": f"{worth:.2f}",
                "confirmed": f"{worth:.2f}",
                "excess": f"{worth - requested if is_paid else 0:.2f}",
                "due": f"{0 if is_paid else requested - counted:.2f}",
            },
            "transfers": transfers,
        }


def shown(payment: dict[str, Any]) -> dict[str, Any]:
    """The same of a payment intent that the API answered. What never counted is left out."""
    amounts = ("requested", "detected", "confirmed", "excess", "due")
    return {
        "status": payment["status"],
        "labels": sorted(payment["labels"]),
        "amounts": {name: payment["amounts"][name] for name in amounts},
        "transfers": [t["status"] for t in payment["transfers"] if t["status"] != "dropped"],
    }


def _in_cents(requested: Decimal, share: Fraction) -> Decimal:
    """Floored, as the API shows it."""
    exact = Fraction(requested) * 100 * share
    return Decimal(exact.numerator // exact.denominator) / 100
