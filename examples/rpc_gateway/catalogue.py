"""What is sold: meters, which say what a call costs in credits, and plans, which say who may call.

They are the ledger's: `publish` defines them there, and the ledger prices every call from then on.
What the gateway itself needs to know is only which methods are sold, which need an archive node, and
what a call costs at most.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from ledger import Json, Ledger

CALL: Final = "rpc.call"  # the type of the CloudEvents that are reported
RPC: Final = "rpc"  # features, as plans name them
ARCHIVE: Final = "archive"
ARCHIVE_DEPTH: Final = 128  # blocks behind the head that an ordinary node has the state of
OVERAGE_CREDITS: Final = (
    "100"  # how much an account may owe: a request that costs more than is left
)


@dataclass(frozen=True, slots=True)
class Meter:
    """Methods of one chain at one price. `tiers`: (up to so many calls in a month, credits each)."""

    name: str
    chain: str
    methods: Sequence[str]
    tiers: Sequence[tuple[str | None, str]]
    archive: bool = False

    def as_body(self) -> Json:
        archive = "true" if self.archive else "false"
        tiers = [
            {"unit_price": price} if up_to is None else {"up_to": up_to, "unit_price": price}
            for up_to, price in self.tiers
        ]
        return {
            "name": self.name,
            "event_type": CALL,
            "aggregation": "count",
            "filters": [
                {"key": "chain", "values": [self.chain]},
                {"key": "method", "values": list(self.methods)},
                {"key": "archive", "values": [archive]},
            ],
            "group_by": ["chain", "method"],
            "credit_price": {"model": "graduated", "tiers": tiers},
            # What was served has to be paid: the account owes it, as far as it may.
            "on_insufficient": "overage",
        }


_STATE: Final = ("eth_call", "eth_getBalance", "eth_getCode", "eth_getStorageAt")
_ETHEREUM: Final = (
    *_STATE, "eth_blockNumber", "eth_chainId", "eth_gasPrice", "eth_estimateGas",
    "eth_getTransactionCount", "eth_getTransactionReceipt", "eth_getBlockByNumber",
)  # fmt: skip
METERS: Final = (
    Meter("Ethereum", "ethereum", _ETHEREUM, (("100", "1"), ("1000", "0.8"), (None, "0.5"))),
    Meter("Ethereum, logs", "ethereum", ("eth_getLogs",), (("20", "20"), (None, "15"))),
    Meter("Ethereum, transactions", "ethereum", ("eth_sendRawTransaction",), ((None, "10"),)),
    Meter(
        "Ethereum, archive",
        "ethereum",
        (*_STATE, "debug_traceTransaction"),
        (("50", "5"), (None, "4")),
        archive=True,
    ),
    Meter(
        "Ethereum, archive logs",
        "ethereum",
        ("eth_getLogs",),
        (("20", "100"), (None, "75")),
        archive=True,
    ),
    Meter("Bittensor", "bittensor", ("chain_getHeader",), ((None, "1"),)),
    Meter("Bittensor, state", "bittensor", ("state_call",), (("100", "2"), (None, "1.5"))),
    Meter("Sui", "sui", ("sui_getObject",), (("100", "2"), (None, "1.5"))),
    Meter("Sui, events", "sui", ("suix_queryEvents",), ((None, "10"),)),
)
Call = tuple[str, str, bool]  # chain, method, whether an archive node has to be asked
# What is sold, and what a call costs at most: enough to know that somebody can pay for it.
DEAREST: Final[dict[Call, Decimal]] = {
    (meter.chain, method, meter.archive): max(Decimal(price) for _, price in meter.tiers)
    for meter in METERS
    for method in meter.methods
}
CHAINS: Final = tuple(dict.fromkeys(meter.chain for meter in METERS))


def _plan(name: str, usd: str | None, credits_: str, *features: str) -> Json:
    prices = [] if usd is None else [{"name": f"{name.capitalize()} plan", "amount": usd}]
    kinds = {RPC: "credits", ARCHIVE: "flag"}
    return {
        "code": name,
        "name": name.capitalize(),
        "currency": "USD",
        "interval": {"unit": "month"},
        "fixed_prices": prices,
        "included_credits": {"amount": credits_},  # they lapse when the next ones come
        "entitlements": [{"feature": it, "kind": kinds[it]} for it in features],
        "due_days": 7,
        "unpaid_days": 7,  # from then on; then it is paused
        **({} if usd is None else {"tax_rate": "19"}),
    }


PLANS: Final = {
    plan["code"]: plan
    for plan in (
        _plan("free", None, "300", RPC),
        _plan("pro", "19.00", "500", RPC, ARCHIVE),
        _plan("enterprise", "99.00", "1000", RPC, ARCHIVE),
    )
}
TOP_UP_USD: Final = {"free": "5.00", "pro": "20.00", "enterprise": "50.00"}  # what a 402 offers
# Where a method of Ethereum says which block's state it means.
_BLOCK_AT: Final = {"eth_call": 1, "eth_getBalance": 1, "eth_getCode": 1, "eth_getStorageAt": 2}


async def publish(ledger: Ledger) -> None:
    """Define what is not defined yet, and what has changed. Safe to repeat.

    A meter never changes: one at another price takes the place of the one that is archived. Calls
    that are reported between the two are refused as `unknown_meter`, kept, and can be sent again.
    """
    active = {
        it["name"]: it for it in await ledger.list_all("/v1/meters") if it["status"] == "active"
    }
    for meter in METERS:
        body, known = meter.as_body(), active.get(meter.name)
        if known is not None and {key: known[key] for key in body} == body:
            continue
        if known is not None:
            await ledger.post(f"/v1/meters/{known['id']}/archive", {})
        digest = hashlib.sha256(json.dumps([body, known and known["id"]]).encode()).hexdigest()
        await ledger.post("/v1/meters", body, once=f"meter-{digest}")
    offered = {it["code"] for it in await ledger.list_all("/v1/plans")}
    for code, plan in PLANS.items():
        if code not in offered:
            await ledger.post("/v1/plans", plan, once=f"plan-{code}")


def is_archive(method: str, params: object, head: int) -> bool:
    """Whether only a node that kept all of the past can answer."""
    if method.startswith("debug_"):
        return True
    block: Any = None
    if method == "eth_getLogs":
        if isinstance(params, list) and params and isinstance(params[0], dict):
            block = params[0].get("fromBlock")
    elif (at := _BLOCK_AT.get(method)) is not None and isinstance(params, list):
        block = params[at] if len(params) > at else None
    if block == "earliest":
        return True
    return _height(block, head) < head - ARCHIVE_DEPTH


def _height(block: object, head: int) -> int:
    """A block as JSON-RPC names it; whatever is not a number is near the head."""
    if not isinstance(block, str) or not block.startswith("0x"):
        return head
    try:
        return int(block, 16)
    except ValueError:
        return head
