"""An office whose payments share one address, and a person who says whose what is nobody's is."""

from __future__ import annotations

from flamewire_ledger.chains.chain import IdentifiesBy
from flamewire_ledger.commands import unclaimed_transfer as unclaimed
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.unclaimed_transfer import unclaimed_id
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.merchant import merchant_id_of
from flamewire_ledger.domain.transfer import Transfer
from flamewire_ledger.domain.unclaimed_transfer import AssignTransfer
from flamewire_ledger.processes.assignment import Assignment
from flamewire_ledger.processes.checkpoint import MemoryCheckpoints, MemoryDeadLetters
from flamewire_ledger.processes.reaction import Reactions
from flamewire_ledger.processes.reactor import Reactor
from tests.domain.books import Books
from tests.processes.office import CODEC, Office

OWNER = merchant_id_of("operator", livemode=False)


class SharedOffice(Office):
    """An office whose payments share one address."""

    def __init__(self, identifies_by: IdentifiesBy, partitions: int = 1) -> None:
        super().__init__(partitions, identifies_by)
        self.checkpoints, self.dead_letters = MemoryCheckpoints(), MemoryDeadLetters()
        self.sent = 0

    async def final(self) -> None:
        await self.world.mine()
        await self.world.make_final()
        await self.catch_up()

    async def held(self, transfer: Transfer) -> list[str]:
        """What was recorded of a transfer as unclaimed."""
        return await self.types(unclaimed_id(self.world.chain.network.chain_id, transfer))

    async def assign(self, transfer: Transfer, payment: str, merchant: str) -> None:
        self.sent += 1
        origin = Origin(command_id("assign", str(self.sent)), OWNER, "test")
        stream_id = unclaimed_id(self.world.chain.network.chain_id, transfer)
        command = AssignTransfer(stream_id, payment, merchant, "they wrote to us", self.now)
        assert isinstance(await self.writer.submit(unclaimed.envelope(origin, command)), Done)
        await self.react()

    async def react(self) -> None:
        reactor = Reactor(
            self.store,
            Reactions(self.store, CODEC, self.writer),
            (Assignment(),),
            self.checkpoints,
            self.dead_letters,
        )
        for partition in range(self.store.partitions):
            await reactor.catch_up(partition)

    async def books(self, merchant_id: str | None = None) -> Books:
        """Of one merchant, or of all together."""
        books = Books()
        for partition in range(self.store.partitions):
            for event in await self.store.read(partition, 0, 100_000):
                if merchant_id in (None, event.merchant_id):
                    books.take(CODEC.decode(event))
        return books
