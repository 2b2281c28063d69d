"""A receipt, issued the way the process that follows a payment does it."""

from __future__ import annotations

from flamewire_ledger.commands import invoice as commands
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.invoice import InvoiceLine, IssueReceipt, SettledWith, register_id
from flamewire_ledger.domain.money import Amount, Asset
from tests.api.world import World

USD = Asset("USD", 2)
TAO = Asset("bittensor:TAO", 9)


async def issue(ledger: World, reference: str = "order-17") -> str:
    """Issue one over 25 dollars; its id."""
    now = ledger.clock.now()
    invoice_id = derived_id("inv", now, reference)
    total = Amount(USD, 2500)
    command = IssueReceipt(
        register_id=register_id(ledger.merchant_id, now),
        invoice_id=invoice_id,
        payment_id=derived_id("pi", now, reference),
        credit_account_id=None,
        reference=reference,
        lines=(InvoiceLine("25 credits", "1", total.text, total),),
        total=total,
        settled_with=(
            SettledWith("bittensor", "0x" + "ab" * 32, Amount(TAO, 60606061), "412.5", "pl_x"),
        ),
        at=now,
    )
    origin = Origin(command_id("test", invoice_id), ledger.merchant_id, "process:test")
    assert isinstance(await ledger.writer.submit(commands.issue(origin, command)), Done)
    return invoice_id
