"""The seller: who invoices are from, as the merchant says of itself."""

from __future__ import annotations

from typing import Final

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.invoice_views import seller_of
from flamewire_ledger.api.models.invoices import PartyBody, SellerBody
from flamewire_ledger.api.reading import find
from flamewire_ledger.api.rendering import to_json
from flamewire_ledger.commands import merchant as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.domain.merchant import DescribeSeller
from flamewire_ledger.domain.party import Address, Party

READ_MODEL: Final = "merchants"


async def describe(call: Call) -> Envelope:
    body: SellerBody = call.body
    command = DescribeSeller(call.merchant_id, party_of(body), call.now())
    shown = to_json({"object": "seller", **body.model_dump()})
    return commands.envelope(call.origin, command, lambda _: shown)


def party_of(body: PartyBody) -> Party:
    address = None if body.address is None else Address(**body.address.model_dump())
    return Party(body.name, address, body.tax_id, body.email)


async def get(call: Call) -> Answer:
    row = await find(
        call, "merchant", READ_MODEL, lambda: call.parts.reads.merchant(call.merchant_id)
    )
    seller = seller_of(row["seller"], row["name"])
    return Answer(to_json({"object": "seller", **seller, "position": row["position"]}))
