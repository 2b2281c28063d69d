"""The books: both sides of every account and asset, the postings they are made of, and their sums."""

from __future__ import annotations

from typing import Any, Final

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.currencies import asset_id_of
from flamewire_ledger.api.models.books import GetTrialBalance, ListBalances, ListLedgerEntries
from flamewire_ledger.api.reading import Row, as_of, caught_up, listed, page_of
from flamewire_ledger.api.rendering import as_list, money, signed, time, to_json
from flamewire_ledger.api.valued_books import valued
from flamewire_ledger.api.valuing import moment_of
from flamewire_ledger.billing.chart import line_of
from flamewire_ledger.domain.money import Amount, Asset

NOW: Final = "account_balance"
THEN: Final = "ledger_entries"


async def list_balances(call: Call) -> Answer:
    query: ListBalances = call.query
    if query.starting_after is not None and query.ending_before is not None:
        raise problems.wrong_parameter("ending_before", "give it or starting_after, not both")
    after = _cursor("starting_after", query.starting_after) or ("", "")
    before = _cursor("ending_before", query.ending_before)
    position = await moment(call)
    listing = await call.parts.reads.balances(
        call.merchant_id,
        limit=query.limit,
        after=after,
        before=before,
        prefix=query.account or "",
        as_of=position,
    )
    data = [_balance(call, row) for row in listing.rows]
    return Answer(as_list(data, has_more=listing.has_more, as_of=position))


async def moment(call: Call) -> int | None:
    """What `as_of` means, or None for now; either way the read model has come far enough."""
    if call.query.as_of is None:
        await caught_up(call, NOW)
        return None
    return await as_of(call, call.query.as_of, THEN)


def _cursor(name: str, text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    account, separator, asset = text.partition("|")
    if not separator:
        raise problems.wrong_parameter(name, "it is the id of a balance: account|asset_code")
    return account, asset


def _balance(call: Call, row: Row) -> dict[str, Any]:
    asset, debits, credited = _sides(row)
    line = line_of(row["account"])
    is_debit = line is not None and line.normal_side == "debit"
    balance = debits.units - credited.units if is_debit else credited.units - debits.units
    return {
        "id": f"{row['account']}|{asset.code}",
        "object": "balance",
        "account": row["account"],
        "asset": asset.symbol,
        "asset_code": asset.code,
        "asset_id": asset_id_of(call.chains, asset.code),
        "normal_side": "debit" if is_debit else "credit",
        **money("debits", debits),
        **money("credits", credited),
        **signed("balance", asset, balance),
    }


def _sides(row: Row) -> tuple[Asset, Amount, Amount]:
    asset = Asset(row["asset"], row["decimals"])
    debits, credited = int(row["debit_units"]), int(row["credit_units"])
    return asset, Amount(asset, debits), Amount(asset, credited)


async def list_entries(call: Call) -> Answer:
    query: ListLedgerEntries = call.query
    position = None if query.as_of is None else await as_of(call, query.as_of, THEN)
    listing = await listed(
        call,
        THEN,
        lambda: call.parts.reads.ledger_entries(
            call.merchant_id,
            page_of(call),
            account=query.account,
            asset=query.asset,
            stream_id=query.stream_id,
            as_of=position,
        ),
    )
    return Answer(as_list([_entry(row) for row in listing.rows], has_more=listing.has_more))


def _entry(row: Row) -> dict[str, Any]:
    asset = Asset(row["asset"], row["decimals"])
    return {
        "id": f"{row['position']}-{row['line']}",
        "object": "ledger_entry",
        "debit": row["debit"],
        "credit": row["credit"],
        "asset": asset.symbol,
        "asset_code": asset.code,
        **money("amount", Amount(asset, int(row["units"]))),
        "stream_id": row["stream_id"],
        "event_type": row["type"],
        "line": row["line"],
        "recorded_at": time(row["recorded_at"]),
        "position": row["position"],
    }


async def get_trial_balance(call: Call) -> Answer:
    query: GetTrialBalance = call.query
    if query.valuation is None:
        return await _trial_balance(call, await moment(call), None)
    at = await moment_of(call, query.as_of, query.valuation)
    _, valuation = await valued(call, at)
    return await _trial_balance(call, at.position, valuation)


async def _trial_balance(
    call: Call, position: int | None, valuation: dict[str, Any] | None
) -> Answer:
    rows = await call.parts.reads.trial_balance(call.merchant_id, as_of=position)
    lines = [_line(row) for row in rows]
    return Answer(
        to_json(
            {
                "object": "trial_balance",
                "is_balanced": all(line["is_balanced"] for line in lines),
                "lines": lines,
                "valuation": valuation,
                "as_of": position,
            }
        )
    )


def _line(row: Row) -> dict[str, Any]:
    asset, debits, credited = _sides(row)
    return {
        "asset": asset.symbol,
        "asset_code": asset.code,
        **money("debits", debits),
        **money("credits", credited),
        "is_balanced": debits == credited,
    }
