"""A lie in the books, for reconciliations to find."""

from __future__ import annotations

from dataclasses import replace

from flamewire_ledger.commands import payment as payments
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.payment import ConfirmTransfer, PaymentTransferConfirmed
from flamewire_ledger.wiring import Ledger


async def tell_a_lie(ledger: Ledger, true_id: str, other_id: str) -> str:
    """Confirm a transfer that no block has, as a broken follower would; its key."""
    recorded = await ledger.store.read_stream(0, true_id)
    confirmed = next(
        fact
        for fact in map(ledger.codec.decode, recorded)
        if isinstance(fact, PaymentTransferConfirmed)
    )
    lie = replace(confirmed.transfer, transaction_id="0x" + "f" * 64)
    command = ConfirmTransfer(
        other_id, lie, confirmed.block, 3, confirmed.confirmed_at, confirmed.confirmed_at
    )
    merchant_id = recorded[0].merchant_id
    origin = Origin(command_id("lie", other_id), merchant_id, "test")
    async with ledger.writing() as writer:
        assert isinstance(await writer.submit(payments.envelope(origin, command)), Done)
    return lie.key
