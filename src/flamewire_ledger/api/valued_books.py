"""The books in one currency: the trial balance by value, and the chart that its accounts are on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.rendering import as_list, signed, time
from flamewire_ledger.api.valuing import Counted, journal_of
from flamewire_ledger.billing.chart import CHART, ChartLine
from flamewire_ledger.billing.journal import Moment
from flamewire_ledger.billing.trial import REALISED_GAINS, AccountValue, TrialBalance
from flamewire_ledger.domain.money import Asset


async def list_accounts(call: Call) -> Answer:
    return Answer(as_list([_chart_line(line) for line in CHART], has_more=False))


def _chart_line(line: ChartLine) -> dict[str, str]:
    return {
        "object": "account",
        "account": line.account,
        "kind": line.kind,
        "normal_side": line.normal_side,
        "meaning": line.meaning,
    }


async def valued(call: Call, moment: Moment) -> tuple[TrialBalance, dict[str, Any]]:
    """The trial balance at a moment, and how it is answered. Credits have no value and are not in it."""
    balance, counted = TrialBalance(), Counted()
    decimals: dict[str, int] = defaultdict(int)
    async for page in journal_of(call, moment, with_credits=False).pages():
        counted.take(len(page))
        for entry in page:
            asset = entry.amount.asset
            decimals[asset.code] = asset.decimals
            for _ in balance.post(entry.debit, entry.credit, asset.code, entry.carried):
                pass  # what was gained is in the sums
    return balance, shown(balance, moment, decimals)


def shown(balance: TrialBalance, moment: Moment, decimals: Mapping[str, int]) -> dict[str, Any]:
    currency = moment.currency
    lines = [
        _line(account, Asset(code, decimals[code]), value, currency)
        for (account, code), value in sorted(balance.lines.items())
    ]
    if balance.gains or balance.losses:
        lines.append(
            _line(
                REALISED_GAINS,
                currency,
                AccountValue(debit_value=balance.losses, credit_value=balance.gains),
                currency,
            )
        )
    debits = sum(it.debit_value for it in balance.lines.values()) + balance.losses
    credited = sum(it.credit_value for it in balance.lines.values()) + balance.gains
    return {
        "currency": currency.symbol,
        "is_balanced": debits == credited,
        "is_partial": any(it.unvalued_units for it in balance.lines.values()),
        **signed("debits", currency, debits),
        **signed("credits", currency, credited),
        **signed("realised_gains", currency, balance.gains - balance.losses),
        "accounts": lines,
        "valued_at": time(moment.recorded_at),
    }


def _line(account: str, asset: Asset, value: AccountValue, currency: Asset) -> dict[str, Any]:
    return {
        "account": account,
        "asset": asset.symbol,
        "asset_code": asset.code,
        **signed("balance", asset, value.debit_units - value.credit_units),
        **signed("unvalued", asset, value.unvalued_units),
        **signed("value_debits", currency, value.debit_value),
        **signed("value_credits", currency, value.credit_value),
        **signed("value", currency, value.value),
    }
