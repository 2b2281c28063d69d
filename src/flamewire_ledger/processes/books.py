"""What the books say of a transfer that is read again, before anybody is told of it.

One that is booked already stays as it is booked. Said again it might not be the same: a token that
was listed since has another name now, and what a person decided about it would be undone; an
amount that tells payments apart may be another payment's since. And what came to an address
before its merchant asked for a payment there was not meant for it: the address is the merchant's
own, and other money comes there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal, Protocol, TypeAlias

from flamewire_ledger.chains.chain import Network
from flamewire_ledger.chains.observation import ListenerBusy
from flamewire_ledger.domain.payment import OPTIONS_MAX
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.processes.identification import CLOCKS_DIFFER
from flamewire_ledger.queries.database import Row

READ_MODELS: Final = ("payment_status",)
_CANDIDATES_MAX: Final = 100  # payments that one transfer may be on the books of
_BEHIND_SECONDS_MAX: Final = 5.0

Verdict: TypeAlias = Literal["booked", "earlier"]


class Store(Protocol):
    """What is asked of the event store."""

    @property
    def partitions(self) -> int: ...

    async def head(self, partition: int) -> int: ...


class ReadModels(Protocol):
    """What is asked of queries.read_models.ReadModels."""

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Row]: ...

    async def deposits_at(
        self, network: str, addresses: Sequence[str], *, limit: int = ...
    ) -> Sequence[Row]: ...

    async def wait_for(
        self, partition: int, position: int, names: Collection[str], timeout_seconds: float
    ) -> bool: ...

    async def payment(self, merchant_id: str, payment_id: str) -> Row | None: ...


class Books:
    """For one network; `names` as Identification has them."""

    def __init__(
        self, network: Network, store: Store, reads: ReadModels, names: Sequence[str]
    ) -> None:
        self._network = network
        self._store = store
        self._reads = reads
        self._names = names

    async def verdicts(self, placed: Collection[tuple[Transfer, Block]]) -> Mapping[str, Verdict]:
        """By transfer key. Those that are not there are to be told of. Raises ListenerBusy."""
        if placed:
            await self._caught_up()
        found: dict[str, Verdict] = {}
        for transfer, block in placed:
            rows = await self._candidates(transfer)
            if await self._is_booked(transfer, rows):
                found[transfer.key] = "booked"
            elif rows and all(self._is_earlier(row, block) for row in rows):
                found[transfer.key] = "earlier"
        return found

    async def _caught_up(self) -> None:
        for partition in range(self._store.partitions):
            head = await self._store.head(partition)
            if not await self._reads.wait_for(partition, head, READ_MODELS, _BEHIND_SECONDS_MAX):
                raise ListenerBusy(
                    f"{READ_MODELS[0]} is behind position {head} of partition {partition}"
                )

    async def _candidates(self, transfer: Transfer) -> Sequence[Row]:
        """The ways to pay that the transfer can have taken."""
        address = transfer.address
        for name in self._names:
            rows = await self._reads.deposits_at(name, [address], limit=OPTIONS_MAX)
            if rows and all(row["identified_by"] == "address" for row in rows):
                return rows
        rows = []
        if transfer.mark is not None:
            marked = {"addresses": [address], "marks": [transfer.mark]}
            for name in self._names:
                rows += await self._asked("deposits_marked", name, marked)
        due = {
            "addresses": [address],
            "assets": [transfer.amount.asset.code],
            "units": [transfer.amount.units],
            "limit": _CANDIDATES_MAX,
        }
        return [*rows, *await self._asked("deposits_due", self._network.name, due)]

    async def _asked(
        self, question: str, network: str, parameters: Mapping[str, object]
    ) -> Sequence[Row]:
        return await self._reads.ask(
            "deposit_addresses", question, {"network": network, **parameters}
        )

    async def _is_booked(self, transfer: Transfer, rows: Sequence[Row]) -> bool:
        payments = dict.fromkeys((row["merchant_id"], row["payment_id"]) for row in rows)
        for merchant_id, payment_id in list(payments)[:_CANDIDATES_MAX]:
            payment = await self._reads.payment(merchant_id, payment_id)
            if payment is not None and any(
                each["status"] == "confirmed"
                and each["network"] == transfer.network
                and each["transaction_id"] == transfer.transaction_id
                and each["index"] == transfer.index
                for each in payment["transfers"]
            ):
                return True
        return False

    def _is_earlier(self, row: Row, block: Block) -> bool:
        """Of live networks only: the time of test merchants can be ahead of that of the chains."""
        is_merchants_own = row["derivation"] is None and row["identified_by"] == "address"
        return (
            self._network.livemode
            and is_merchants_own
            and block.at < row["requested_at"] - CLOCKS_DIFFER
        )
