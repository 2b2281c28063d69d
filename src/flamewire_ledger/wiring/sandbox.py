"""Playing the payer from the command line: pay an intent on its sandbox chain and see what becomes
of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal, TypeAlias

from flamewire_ledger.domain.rejection import NotAllowed, NotFound, Rejection
from flamewire_ledger.wiring.api_parts import SandboxPlayer
from flamewire_ledger.wiring.ledger import Ledger

Behaviour: TypeAlias = Literal["normal", "late", "reorg", "drop", "wrong_asset"]
_LOOK_SECONDS = 0.05
_VISIBLE_SECONDS_MAX = 5.0
_PAYMENTS = ("payment_status",)


@dataclass(frozen=True, slots=True)
class Played:
    """What was sent, and what became of the payment. `settled`: its transfer came to its end in time."""

    payment_intent_id: str
    status: str
    labels: tuple[str, ...]
    network: str
    asset: str
    amount: str
    transaction_id: str
    settled: bool


async def advance_clock(ledger: Ledger, seconds: int) -> datetime:
    """Move the sandbox clock on; what it says then."""
    if not ledger.settings.sandbox:
        raise NotAllowed("the sandbox is off: FLAMEWIRE_SANDBOX is false")
    return await ledger.sandbox_clock.advance(seconds)


async def pay_and_wait(
    ledger: Ledger,
    payment_id: str,
    *,
    network: str | None,
    asset: str | None,
    factor: Decimal,
    behaviour: Behaviour,
    wait_seconds: float,
) -> Played:
    """Pay `factor` times what is due, and wait until the ledger has made up its mind."""
    row = await _payment(ledger, await _merchant_of(ledger, payment_id), payment_id)
    option = _option(row, network, asset)
    units = int((Decimal(option["due"]["units"]) * factor).to_integral_value(ROUND_HALF_UP))
    if behaviour == "late":
        await _pass_expiry(ledger, row["expires_at"])
    player = SandboxPlayer(ledger.sandbox_chains, ledger.sandbox_clock)
    symbol = option["due"]["asset"].rpartition(":")[2]
    transaction_id = await player.pay(
        option["network"],
        option["address"],
        symbol,
        units,
        "normal" if behaviour == "late" else behaviour,
        option["mark"],
    )
    row, settled = await _outcome(ledger, row, transaction_id, behaviour, wait_seconds)
    asked = {"asset": option["due"]["asset"], "decimals": option["due"]["decimals"], "units": units}
    # What was seen on the chain is what was sent: a payer who misbehaves may send something else.
    seen = (it for it in row["transfers"] if it["transaction_id"] == transaction_id)
    sent = next(seen, asked)
    return Played(
        payment_intent_id=payment_id,
        status=row["status"],
        labels=tuple(sorted(row["labels"])),
        network=option["network"],
        asset=sent["asset"].rpartition(":")[2],
        amount=_major(int(sent["units"]), sent["decimals"]),
        transaction_id=transaction_id,
        settled=settled,
    )


def _option(row: dict[str, Any], network: str | None, asset: str | None) -> dict[str, Any]:
    for option in row["options"]:
        symbol = option["due"]["asset"].rpartition(":")[2]
        if network in (None, option["network"]) and asset in (None, symbol):
            return dict(option)
    wanted = " on ".join(word for word in (asset, network) if word)
    raise Rejection(f"the payment cannot be paid with {wanted}: see its payment_options")


async def _pass_expiry(ledger: Ledger, expires_at: datetime) -> None:
    ahead = int((expires_at - ledger.sandbox_clock.now()).total_seconds()) + 1
    if ahead > 0:
        await ledger.sandbox_clock.advance(ahead)


async def _merchant_of(ledger: Ledger, payment_id: str) -> str:
    """Whose payment it is, as soon as the read model has it."""
    for partition in range(ledger.store.partitions):
        first = await ledger.store.read_stream(partition, payment_id, limit=1)
        if first and payment_id.startswith("pi_"):
            await ledger.reads.wait_for(
                partition, first[0].position, _PAYMENTS, _VISIBLE_SECONDS_MAX
            )
            return first[0].merchant_id
    raise NotFound(f"there is no payment {payment_id} in this ledger")


async def _payment(ledger: Ledger, merchant_id: str, payment_id: str) -> dict[str, Any]:
    row = await ledger.reads.payment(merchant_id, payment_id)
    if row is None:
        raise NotFound(f"{payment_id} is not in the read model yet: is the ledger up?")
    return row


async def _outcome(
    ledger: Ledger,
    row: dict[str, Any],
    transaction_id: str,
    behaviour: Behaviour,
    wait_seconds: float,
) -> tuple[dict[str, Any], bool]:
    """The payment once this transfer has come to its end: confirmed, dropped or reorganised."""
    ends = {"drop": {"dropped"}, "reorg": {"reorged", "dropped"}}.get(behaviour, {"confirmed"})
    deadline = asyncio.get_running_loop().time() + wait_seconds
    while True:
        row = await _payment(ledger, row["merchant_id"], row["payment_id"])
        states = {it["status"] for it in row["transfers"] if it["transaction_id"] == transaction_id}
        if states & ends:
            return row, True
        if asyncio.get_running_loop().time() >= deadline:
            return row, False
        await asyncio.sleep(_LOOK_SECONDS)


def _major(units: int, decimals: int) -> str:
    return str(Decimal(units).scaleb(-decimals)) if decimals else str(units)
