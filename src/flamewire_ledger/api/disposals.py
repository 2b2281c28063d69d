"""Disposals: what left the wallets by somebody's hand is written down, once, and never more than is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.currencies import FIAT, find_chain, find_token, read_amount
from flamewire_ledger.api.models import disposals as models
from flamewire_ledger.api.reading import Row, find, listed, page_of
from flamewire_ledger.api.rendering import as_list, money, time, to_json
from flamewire_ledger.api.valuing import Counted, journal_of, moment_of
from flamewire_ledger.billing.journal import Moment
from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.commands import disposal as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.domain.disposal import RecordDisposal, holding_id
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.rejection import UnknownAsset
from flamewire_ledger.exports.open_lots import check_named
from flamewire_ledger.exports.writing import Pages
from flamewire_ledger.queries import disposals as queries

PREFIX: Final = "di"


async def record(call: Call) -> Envelope:
    moment = await moment_of(call, None, None)
    command = await recording(
        call.parts.reads,
        journal_of(call, moment, with_credits=False),
        call.chains,
        moment,
        call.body,
        disposal_id=derived_id(PREFIX, call.now(), str(call.command_id)),
        at=call.now(),
        count=Counted().take,
    )
    return commands.envelope(call.origin, command, answered)


async def recording(
    reads: queries.Asks,
    journal: Pages,
    chains: Sequence[Chain],
    moment: Moment,
    body: models.RecordDisposal,
    *,
    disposal_id: str,
    at: datetime,
    count: Callable[[int], None] = lambda entries: None,
) -> RecordDisposal:
    """The command for what the books had at the moment. Raises a Rejection for what cannot be.

    `journal` is followed, from its beginning, only where lots are named.
    """
    chain = find_chain(chains, body.network, pointer="/network")
    token = find_token(chain, body.asset, pointer="/asset")
    network, amount = chain.network.name, read_amount(body.amount, token.asset)
    made_at = body.made_at or at
    stream_id = holding_id(moment.merchant_id, network, token.asset.code)
    if body.lots:
        await check_named(journal, network, amount, made_at, body.lots, count)
    held = await queries.holding(reads, moment, network, token.asset.code, stream_id)
    return RecordDisposal(
        holding_id=stream_id,
        disposal_id=disposal_id,
        network=network,
        kind=body.kind,
        amount=amount,
        made_at=made_at,
        at=at,
        received_units=held.received_units,
        owed_units=held.owed_units,
        proceeds=_proceeds(body.proceeds),
        lots=tuple(body.lots),
        seen=held.seen,
        reference=body.reference,
    )


def _proceeds(proceeds: models.Proceeds | None) -> Amount | None:
    if proceeds is None:
        return None
    currency = FIAT.get(proceeds.currency.upper())
    if currency is None:
        raise UnknownAsset("an ISO 4217 code, such as USD", pointer="/proceeds/currency")
    return read_amount(proceeds.amount, currency, "/proceeds/amount", zero=True)


def answered(decision: Decision) -> bytes:
    """The stored answer of a recorded disposal."""
    ((fact,),) = decision.facts.values()
    proceeds = fact.proceeds
    return to_json(
        _shown(
            fact.disposal_id, fact.network, fact.kind, fact.amount, proceeds, fact.lots,
            fact.reference, fact.made_at,
        )
    )  # fmt: skip


def of_row(row: Row) -> dict[str, Any]:
    """A row of the read model, as it is answered."""
    proceeds = None
    if row["proceeds_asset"] is not None:
        currency = Asset(row["proceeds_asset"], row["proceeds_decimals"])
        proceeds = Amount(currency, int(row["proceeds_units"]))
    amount = Amount(Asset(row["asset"], row["decimals"]), int(row["units"]))
    shown = _shown(
        row["disposal_id"], row["network"], row["kind"], amount, proceeds, row["lots"],
        row["reference"], row["made_at"],
    )  # fmt: skip
    return {**shown, "position": row["position"]}


def _shown(
    disposal_id: str,
    network: str,
    kind: str,
    amount: Amount,
    proceeds: Amount | None,
    lots: Sequence[str],
    reference: str | None,
    made_at: datetime,
) -> dict[str, Any]:
    brought: Mapping[str, str | None] | None = None
    if proceeds is not None:
        brought = {**money("amount", proceeds), "currency": proceeds.asset.symbol}
    return {
        "id": disposal_id,
        "object": "disposal",
        "network": network,
        "asset": amount.asset.symbol,
        "asset_code": amount.asset.code,
        **money("amount", amount),
        "kind": kind,
        "proceeds": brought,
        "lots": list(lots),
        "reference": reference,
        "made_at": time(made_at),
    }


async def get(call: Call) -> Answer:
    asked = {"merchant_id": call.merchant_id, "disposal_id": call.path["id"]}

    async def question() -> Row | None:
        rows = await call.parts.reads.ask(queries.READ_MODEL, "disposal_by_id", asked)
        return rows[0] if rows else None

    return Answer(to_json(of_row(await find(call, "disposal", queries.READ_MODEL, question))))


async def list_all(call: Call) -> Answer:
    listing = await listed(
        call,
        queries.READ_MODEL,
        lambda: call.parts.reads.listing("disposals", page_of(call), merchant_id=call.merchant_id),
        ids=PREFIX,
    )
    return Answer(as_list([of_row(row) for row in listing.rows], has_more=listing.has_more))
