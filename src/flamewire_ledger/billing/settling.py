"""Settling: what is asked for and what is given back, on one bill that is never below zero.

At each tax rate what is given back comes off what is asked for. What is left over is carried on to
the next bill: an invoice on which more is given back than asked for is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.subscription import BillLine, Carried

BROUGHT_FORWARD: Final = "Credit brought forward"


def settled(
    lines: Sequence[BillLine], carried: Sequence[Carried], at: datetime
) -> tuple[tuple[BillLine, ...], tuple[Carried, ...]]:
    """The lines of the bill, and what is carried on. No lines: there is nothing to ask for.

    `at` dates the line of what was carried here. Σ lines − Σ what is carried on is what the lines
    given come to, less what was carried here: nothing is lost.
    """
    rates = dict.fromkeys([line.tax_rate for line in lines] + [it.tax_rate for it in carried])
    kept: list[BillLine] = []
    left: list[Carried] = []
    for rate in rates:
        here = [line for line in lines if line.tax_rate == rate]
        before = [it for it in carried if it.tax_rate == rate]
        bill, rest = _of_rate(here, before, at)
        kept += bill
        left += rest
    return (
        (tuple(kept), tuple(left)) if any(line.amount.units for line in kept) else ((), tuple(left))
    )


def _of_rate(
    lines: Sequence[BillLine], carried: Sequence[Carried], at: datetime
) -> tuple[list[BillLine], list[Carried]]:
    room = sum(line.amount.units for line in lines if not line.is_credit)
    bill: list[BillLine] = []
    over = 0
    for line in lines:
        if not line.is_credit:
            bill.append(line)
            continue
        units = min(line.amount.units, room)
        room -= units
        over += line.amount.units - units
        if units:
            shortened = Amount(line.amount.asset, units)
            same = units == line.amount.units
            bill.append(line if same else replace(line, amount=shortened, unit_price=None))
    given = sum(it.amount.units for it in carried)
    used = min(given, room)
    rate, asset = (
        (carried[0].tax_rate, carried[0].amount.asset)
        if carried
        else (lines[0].tax_rate, lines[0].amount.asset)
    )
    if used:
        brought = Amount(asset, used)
        bill.append(BillLine(BROUGHT_FORWARD, "1", None, brought, rate, at, at, is_credit=True))
    rest = given - used + over
    return bill, [Carried(rate, Amount(asset, rest))] if rest else []
