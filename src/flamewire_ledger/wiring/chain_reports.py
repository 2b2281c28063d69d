"""What a watcher says of its chain, for health and metrics: how far it is, and how its endpoints do.

Nobody is asked anything for it: it is what the follower heard last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Protocol, get_args

from flamewire_ledger.chains.chain import EndpointReport, EndpointState, Heads, Network
from flamewire_ledger.chains.follow import Limits
from flamewire_ledger.chains.progress import Stage
from flamewire_ledger.telemetry import Meters

_SECONDS: Final = 1.0
_HEIGHTS: Final = (
    "chain_head", "chain_finalized", "chain_followed", "chain_lag_blocks",
    "chain_head_age_seconds", "chain_unattested", "chain_refused",
)  # fmt: skip


# So far down the follower knows blocks to compare with; a head below them tells it nothing.
_BELOW_BLOCKS_MAX: Final = Limits().blocks_kept


def why_unseen(followed: int, head: int) -> str | None:
    """Why nothing is seen of a chain whose head is far below what was followed: it is waited for."""
    below = followed - head
    if below <= _BELOW_BLOCKS_MAX:
        return None
    return (
        f"its head is {below} blocks below what was followed: its nodes are catching up, or it was "
        "begun anew, which needs a chain_id or a ledger of its own"
    )


@dataclass(frozen=True, slots=True)
class ChainReport:
    """One chain as its watcher sees it. Heights are None before anything was heard."""

    height: int | None  # the last block taken in
    heads: Heads | None
    stages: Mapping[Stage, int]  # transfers that are kept in mind
    endpoints: Sequence[EndpointReport]
    unattested: int
    is_standing_by: bool
    refused: int = 0

    @property
    def lag_blocks(self) -> int | None:
        if self.heads is None or self.height is None:
            return None
        return max(0, self.heads.latest.height - self.height)

    @property
    def reason(self) -> str | None:
        """Why payments are not seen though the chain answers."""
        if self.heads is None or self.height is None or self.is_standing_by:
            return None
        return why_unseen(self.height, self.heads.latest.height)

    def details(self) -> dict[str, object]:
        """As health shows it; an endpoint that is set aside is shown and makes nothing unready."""
        details: dict[str, object] = {"height": self.height}
        if self.is_standing_by:
            return {**details, "standing_by": True}
        if self.heads is not None:
            details |= {
                "head": self.heads.latest.height,
                "finalized": self.heads.finalized_height,
                "lag_blocks": self.lag_blocks,
            }
        if self.reason is not None:
            details["reason"] = self.reason
        if self.unattested:
            details["unattested"] = self.unattested
        if self.refused:
            details["refused"] = self.refused
        if self.endpoints:
            details["endpoints"] = [asdict(each) for each in self.endpoints]
        return details


class Reports(Protocol):
    """A watcher, as far as its report goes."""

    def report(self) -> ChainReport: ...


class ChainMeter:
    """Tells the meters of one chain. Who stands by says nothing: another process does."""

    def __init__(
        self, network: Network, watcher: Reports, meters: Meters, now: Callable[[], datetime]
    ) -> None:
        self._labels = {"network": network.name, "chain_id": network.chain_id}
        self._watcher = watcher
        self._meters = meters
        self._now = now

    def tell(self) -> None:
        report = self._watcher.report()
        heads = report.heads
        if report.is_standing_by or heads is None or report.height is None:
            self._forget()
            return
        age_seconds = max(0.0, (self._now() - heads.latest.at).total_seconds())
        self._set("chain_head", heads.latest.height)
        self._set("chain_finalized", heads.finalized_height)
        self._set("chain_followed", report.height)
        self._set("chain_lag_blocks", report.lag_blocks or 0)
        self._set("chain_head_age_seconds", age_seconds)
        self._set("chain_unattested", report.unattested)
        self._set("chain_refused", report.refused)
        for stage in get_args(Stage):
            self._set("chain_transfers", report.stages.get(stage, 0), stage=stage)
        for state in get_args(EndpointState) if report.endpoints else ():
            count = sum(each.state == state for each in report.endpoints)
            self._set("chain_endpoints", count, state=state)

    def _set(self, name: str, value: float, **labels: str) -> None:
        self._meters.set(name, value, **self._labels, **labels)

    def _forget(self) -> None:
        for name in _HEIGHTS:
            self._meters.forget(name, **self._labels)
        for stage in get_args(Stage):
            self._meters.forget("chain_transfers", **self._labels, stage=stage)
        for state in get_args(EndpointState):
            self._meters.forget("chain_endpoints", **self._labels, state=state)


async def measure_chains(chains: Sequence[ChainMeter], *, every_seconds: float = _SECONDS) -> None:
    """Until cancelled."""
    while True:
        for chain in chains:
            chain.tell()
        await asyncio.sleep(every_seconds)
