"""A payment of 25.00 USD that 100 units of TAO or 1000 of ETH pay, and what may happen to it.

Times are minutes after noon; it expires at 15.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import (
    CancelPayment,
    Choice,
    ConfirmTransfer,
    DropTransfer,
    ExpirePayment,
    LatePolicy,
    PaymentOption,
    RecordTransfer,
    RequestPayment,
    RequireResolution,
    ResolvePayment,
    Why,
    decide,
    evolve,
)
from flamewire_ledger.domain.transfer import Block, Transfer
from tests.domain.spec import Spec

PAYMENT = "pi_01kayv3m8se0p9q7r2t4w6x8za"
ACCOUNT = "ca_01kayv3m8se0p9q7r2t4w6x8za"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
USD = Asset("USD", 2)
TAO = Asset("bittensor:TAO", 9)
ALPHA = Asset("bittensor:ALPHA", 9)
ETH = Asset("ethereum:ETH", 18)
SUI = Asset("sui:SUI", 9)
CREDITS = Amount(CREDIT, 25_000_000)
EXPIRES = 15

TAO_OPTION = PaymentOption(
    network="bittensor",
    chain_id="polkadot:2f0555cc76fc2840a25a6ea3b9637146",
    asset_id="polkadot:2f0555cc76fc2840a25a6ea3b9637146/slip44:1005",
    due=Amount(TAO, 100),
    address="5F",
    uri="bittensor:5F",
    price_lock_id="pl_tao",
)
ETH_OPTION = PaymentOption(
    network="ethereum",
    chain_id="eip155:1",
    asset_id="eip155:1/slip44:60",
    due=Amount(ETH, 1_000),
    address="0xA",
    uri="ethereum:0xA",
    price_lock_id="pl_eth",
)
ADDRESSES = {"bittensor": "5F", "ethereum": "0xA", "sui": "0xB"}


def story() -> Spec:
    return Spec(decide, evolve)


def minute(minutes: float) -> datetime:
    return NOON + timedelta(seconds=round(minutes * 60))


def usd(cents: int) -> Amount:
    return Amount(USD, cents)


def request(
    *,
    tolerance_ppm: int = 0,
    late: LatePolicy | None = None,
    for_credits: bool = False,
    **changes: Any,
) -> RequestPayment:
    fields: dict[str, Any] = {
        "payment_id": PAYMENT,
        "amount": usd(2500),
        "options": (TAO_OPTION, ETH_OPTION),
        "credits": CREDITS if for_credits else None,
        "credit_account_id": ACCOUNT if for_credits else None,
        "reference": "order-17",
        "requested_at": NOON,
        "expires_at": minute(EXPIRES),
        "metadata": {"cart": "7"},
        "tolerance_ppm": tolerance_ppm,
        "late_policy": late or LatePolicy(),
    }
    return RequestPayment(**{**fields, **changes})


def transfer(units: int, tx: str = "0xa", asset: Asset = TAO) -> Transfer:
    network = asset.network
    assert network is not None
    return Transfer(network, tx, 0, ADDRESSES[network], Amount(asset, units))


def block(at: float, height: int = 1) -> Block:
    return Block(height, f"0x{height:04x}", minute(at))


def seen(
    units: int,
    tx: str = "0xa",
    *,
    at: float = 1,
    asset: Asset = TAO,
    block: Block | None = None,
    worth_now: int | None = None,
) -> RecordTransfer:
    worth = None if worth_now is None else usd(worth_now)
    return RecordTransfer(PAYMENT, transfer(units, tx, asset), block, minute(at), worth)


def final(
    units: int,
    tx: str = "0xa",
    *,
    at: float = 2,
    seen_at: float | None = None,
    block_at: float | None = None,
    height: int = 1,
    asset: Asset = TAO,
    worth_now: int | None = None,
) -> ConfirmTransfer:
    first = at if seen_at is None else seen_at
    return ConfirmTransfer(
        PAYMENT,
        transfer(units, tx, asset),
        block(first if block_at is None else block_at, height),
        3,
        minute(first),
        minute(at),
        None if worth_now is None else usd(worth_now),
    )


def gone(tx: str = "0xa", *, at: float = 3, units: int = 100, asset: Asset = TAO) -> DropTransfer:
    return DropTransfer(PAYMENT, transfer(units, tx, asset), minute(at))


def expire(at: float = EXPIRES) -> ExpirePayment:
    return ExpirePayment(PAYMENT, minute(at))


def cancel(at: float = 1) -> CancelPayment:
    return CancelPayment(PAYMENT, minute(at))


def resolve(choice: Choice, *, at: float = 30, reason: str = "asked for") -> ResolvePayment:
    return ResolvePayment(PAYMENT, choice, reason, minute(at))


def require(why: Why = "reorged", *, at: float = 5) -> RequireResolution:
    return RequireResolution(PAYMENT, why, minute(at))
