"""Reconciliations in a world without servers: its sandbox chains are followed, and compared with its books."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from flamewire_ledger.chains.chain import Heads
from flamewire_ledger.chains.follow import Follower
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.chains.sandbox.chain import Behaviour, SandboxChain
from flamewire_ledger.commands import payment as payment_commands
from flamewire_ledger.commands import reconciliation as commands
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.merchant import RegisterMerchant, merchant_id_of
from flamewire_ledger.domain.payment import ConfirmTransfer
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.processes.reconciliation.run import Derived, Reconciling
from flamewire_ledger.processes.reconciliation.surroundings import Pins, Scope, Surroundings
from flamewire_ledger.processes.watching import Watching
from tests.api.world import World

TAO = [{"network": "bittensor", "asset": "TAO"}]
FINAL_SECONDS = 12 * 10


@dataclass
class Auditor:
    """Pays on the bittensor sandbox, follows it, and reconciles it."""

    ledger: World
    state: MemoryFollowerState = field(default_factory=MemoryFollowerState)
    began: int | None = None  # the final block when the first payment was asked for
    holds: Mapping[str, int] | None = None  # what the chain says is held, where it can tell

    @property
    def chain(self) -> SandboxChain:
        return next(it for it in self.ledger.chains if it.network.name == "bittensor")

    async def begin(self) -> None:
        """Whatever is paid from now on is seen."""
        if self.began is None:
            self.began = (await self.chain.heads()).finalized_height
            await self.follow()

    async def ask(self, key: str | None = None, **more: object) -> dict[str, Any]:
        await self.begin()
        body = {"amount": "25.00", "currency": "USD", "pay_with": TAO, **more}
        answer = await self.ledger.post("/v1/payment_intents", body, key=key)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def pay(
        self, made: dict[str, Any], units: int | None = None, behaviour: Behaviour = "normal"
    ) -> Transfer:
        (option,) = made["payment_options"]
        token = self.chain.network.token("TAO")
        assert token is not None
        units = int(option["amount_minor"]) if units is None else units
        return await self.chain.pay(option["address"], token, units, behaviour)

    async def follow(self) -> None:
        parts, now = self.ledger.parts, self.ledger.clock.now
        watching = Watching(
            self.chain.network, self.ledger.store, self.ledger.reads, self.ledger.writer,
            parts.test.prices, now,
        )  # fmt: skip
        await Follower(self.chain, watching, self.state).catch_up()

    async def settle(self) -> None:
        """Time goes by until all is final, and it is booked."""
        self.ledger.clock.turn(seconds=FINAL_SECONDS)
        await self.follow()

    async def blocks(self) -> dict[str, Block]:
        """Where each transfer came to be, by its key."""
        last = (await self.chain.heads()).latest.height
        found = await self.chain.blocks(self.began or 0, last)
        return {transfer.key: it.block for it in found for transfer in it.transfers}

    @asynccontextmanager
    async def finality_held(self) -> AsyncIterator[None]:
        """Blocks come, and none of them becomes final."""
        chain, heads = self.chain, self.chain.heads
        final = (await heads()).finalized_height

        async def held() -> Heads:
            return replace(await heads(), finalized_height=final)

        chain.heads = held  # type: ignore[method-assign]
        yield
        del chain.heads  # type: ignore[method-assign]

    async def confirm(self, payment_id: str, transfer: Transfer, block: Block) -> None:
        """Book something as a broken follower would."""
        now, ledger = self.ledger.clock.now(), self.ledger
        name = command_id("lie", payment_id, transfer.key, str(transfer.amount.units))
        origin = Origin(name, ledger.merchant_id, "test")
        command = ConfirmTransfer(payment_id, transfer, block, 3, now, now)
        envelope = payment_commands.envelope(origin, command)
        assert isinstance(await ledger.writer.submit(envelope), Done)

    def reconciling(
        self, merchant_id: str | None = None, **changes: Any
    ) -> tuple[Reconciling, Scope]:
        """Of one merchant's books, or of everybody's."""
        ledger, network = self.ledger, self.chain.network
        operator = merchant_id_of("operator", livemode=False)
        scope = Scope(merchant_id or operator, is_everybody=merchant_id is None)

        async def unknown() -> None:
            return None

        async def held(*_: object) -> Mapping[str, int] | None:
            return self.holds

        async def began() -> int:
            return self.began or 0

        around = Surroundings(
            chain=self.chain, store=ledger.store, codec=ledger.codec, reads=ledger.reads,
            names=(network.name,), shared_address=None, now=ledger.clock.now, code_version="test",
            followed=unknown, held=held, began=began,
        )  # fmt: skip
        return Reconciling(replace(around, **changes), scope), scope

    async def derive(
        self, merchant_id: str | None = None, first: int | None = None, last: int | None = None
    ) -> tuple[Pins, Derived]:
        run, _ = self.reconciling(merchant_id)
        pins = await run.pins(first, last)
        return pins, await run.derive(pins)

    async def reconcile(self, merchant_id: str | None = None, **blocks: int) -> Derived:
        """Make a run and record it."""
        pins, derived = await self.derive(merchant_id, **blocks)
        _, scope = self.reconciling(merchant_id)
        owner = None
        if scope.is_everybody:
            owner = RegisterMerchant(scope.owner_id, "operator", False, pins.at)
        name = command_id("run", derived.command.completed.reconciliation_id)
        origin = Origin(name, scope.owner_id, "test")
        envelope = commands.recording(origin, derived.command, owner, derived.settles)
        assert isinstance(await self.ledger.writer.submit(envelope), Done)
        return derived


def kinds(derived: Derived) -> Sequence[tuple[str, str]]:
    return [(it.kind, it.subject) for it in derived.command.exceptions]


def other_id(transfer: Transfer) -> Transfer:
    return replace(transfer, transaction_id="0x" + "f" * 64)
