"""What is sold: what each method weighs, and what a unit of weight costs on each plan.

Weights are whole *units*; credits are counted in millionths (the ledger's six decimals), so that
every price here is exact. A plan's tiers are graduated: each unit costs what the tier it falls into
says, counted over a month, so a call that crosses a border is priced on both sides of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

MICRO: Final = 1_000_000  # millionths of a credit in a credit
ARCHIVE_FACTOR: Final = 5
ARCHIVE_DEPTH: Final = 128  # blocks behind the head that an ordinary node has the state of

_ETHEREUM: Final[Mapping[str, int]] = {
    "eth_call": 1,
    "eth_getTransactionReceipt": 2,
    "eth_estimateGas": 3,
    "eth_sendRawTransaction": 10,
    "eth_getLogs": 20,
}
_BITTENSOR: Final[Mapping[str, int]] = {
    "state_call": 2,
    "state_queryStorageAt": 4,
    "author_submitExtrinsic": 10,
}
_SUI: Final[Mapping[str, int]] = {"suix_queryEvents": 10, "suix_queryTransactionBlocks": 10}
WEIGHTS: Final[Mapping[str, Mapping[str, int]]] = {
    "ethereum": _ETHEREUM,
    "bittensor": _BITTENSOR,
    "sui": _SUI,
}
WEIGHT_OF_THE_REST: Final[Mapping[str, int]] = {"ethereum": 1, "bittensor": 1, "sui": 2}
_ALWAYS_ARCHIVE: Final = ("debug_", "trace_")
# Where a method of Ethereum says which block's state it means.
_BLOCK_AT: Final[Mapping[str, int]] = {
    "eth_call": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getTransactionCount": 1,
    "eth_getStorageAt": 2,
}


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to and with `up_to` (None: all the rest) cost so many millionths of a credit each."""

    up_to: int | None
    micro: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a customer agreed to."""

    name: str
    tiers: Sequence[Tier]
    has_archive: bool
    welcome_credits: int  # given at sign-up; they lapse
    top_up_usd: str  # what a 402 offers to buy

    def cost(self, used: int, units: int) -> int:
        """Millionths of a credit for `units` more, after `used` of this month."""
        return self._until(used + units) - self._until(used)

    def _until(self, units: int) -> int:
        cost, floor = 0, 0
        for tier in self.tiers:
            ceiling = units if tier.up_to is None else min(units, tier.up_to)
            if ceiling <= floor:
                break
            cost += (ceiling - floor) * tier.micro
            floor = ceiling
        return cost


WELCOME_DAYS: Final = 14
PLANS: Final[Mapping[str, Plan]] = {
    plan.name: plan
    for plan in (
        Plan("free", (Tier(None, MICRO),), False, 300, "5.00"),
        Plan("pro", (Tier(1_000, MICRO), Tier(None, 800_000)), True, 500, "20.00"),
        Plan(
            "enterprise",
            (Tier(1_000, 800_000), Tier(5_000, 600_000), Tier(None, 400_000)),
            True,
            1_000,
            "50.00",
        ),
    )
}


def is_archive(method: str, params: object, head: int) -> bool:
    """Whether only a node that kept all of the past can answer."""
    if method.startswith(_ALWAYS_ARCHIVE):
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


def weigh(chain: str, method: str, params: object, head: int) -> int:
    """The units of one call. Methods that are not in the table weigh what the rest does."""
    weight = WEIGHTS[chain].get(method, WEIGHT_OF_THE_REST[chain])
    return weight * ARCHIVE_FACTOR if is_archive(method, params, head) else weight


def _height(block: object, head: int) -> int:
    """A block as JSON-RPC names it; whatever is not a number is near the head."""
    if not isinstance(block, str) or not block.startswith("0x"):
        return head
    try:
        return int(block, 16)
    except ValueError:
        return head
