"""Subscriptions and their next invoice as they look in answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flamewire_ledger.api.fields import parse_time
from flamewire_ledger.api.plan_views import version_of_row
from flamewire_ledger.api.reading import Row
from flamewire_ledger.api.rendering import money, time
from flamewire_ledger.billing.subscriptions import Upcoming
from flamewire_ledger.domain.invoice import InvoiceLine, added_up
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.plan_terms import PlanVersion
from flamewire_ledger.domain.subscription import BillLine, Span, Subscription


def of_state(it: Subscription) -> dict[str, Any]:
    """From the state, for the answer to a command."""
    step = it.next_step
    last = it.scheduled
    return _view(
        started=it.started.started_at,
        fields={
            "id": it.subscription_id,
            "status": it.status,
            "credit_account_id": it.started.credit_account_id,
            "plan": _plan(it.plan),
            "quantity": it.quantity,
            "current_period": None if it.period is None else _period(it.period),
            "starts_at": time(it.started.starts_at),
            "trial_ends_at": time(it.started.trial_ends_at),
            "cancel_at_period_end": it.ends_with_period,
            "scheduled_change": None
            if last is None
            else {"plan": _plan(last[0]), "quantity": last[1]},
            "resumes_at": time(it.resumes_at),
            "past_due_at": time(it.past_due_since),
            "next_at": None if step is None else time(step[1]),
            "reference": it.started.reference,
            "bill_to": None if it.started.bill_to is None else asdict(it.started.bill_to),
            "canceled_at": time(it.canceled_at),
        },
        credit=Amount(it.plan.terms.currency, sum(each.amount.units for each in it.carried)),
    )


def of_row(row: Row) -> dict[str, Any]:
    """From the read model."""
    plan = version_of_row(row["plan"])
    credit = sum(int(each["amount"]["units"]) for each in row["carried"])
    view = _view(
        started=row["started_at"],
        fields={
            "id": row["subscription_id"],
            "status": row["status"],
            "credit_account_id": row["credit_account_id"],
            "plan": _plan(plan),
            "quantity": row["quantity"],
            "current_period": _period_of_row(row["period"]),
            "starts_at": time(row["starts_at"]),
            "trial_ends_at": time(row["trial_ends_at"]),
            "cancel_at_period_end": row["ends_with_period"],
            "scheduled_change": _scheduled(row, plan),
            "resumes_at": time(row["resumes_at"]),
            "past_due_at": time(row["past_due_at"]),
            "next_at": time(row["next_at"]),
            "reference": row["reference"],
            "bill_to": row["bill_to"],
            "canceled_at": time(row["canceled_at"]),
        },
        credit=Amount(plan.terms.currency, credit),
    )
    return {**view, "position": row["position"]}


def _view(*, started: datetime, fields: Mapping[str, Any], credit: Amount) -> dict[str, Any]:
    return {
        "object": "subscription",
        **fields,
        **money("credit", credit),
        "currency": credit.asset.code,
        "created_at": time(started),
    }


def _scheduled(row: Row, plan: PlanVersion) -> dict[str, Any] | None:
    quantity = row["scheduled_quantity"]
    if row["scheduled_plan"] is None and quantity in (None, row["quantity"]):
        return None
    later = plan if row["scheduled_plan"] is None else version_of_row(row["scheduled_plan"])
    return {"plan": _plan(later), "quantity": quantity}


def _plan(plan: PlanVersion) -> dict[str, Any]:
    return {
        "id": plan.plan_id,
        "code": plan.code,
        "version": plan.version,
        "name": plan.terms.name,
    }


def _period(period: Span) -> dict[str, Any]:
    return {"number": period.number, "start": time(period.start), "end": time(period.end)}


def _period_of_row(data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if data is None:
        return None
    start, end = (time(parse_time(data[name])) for name in ("start", "end"))
    return {"number": data["number"], "start": start, "end": end}


def upcoming(it: Subscription, found: Upcoming) -> dict[str, Any]:
    """The next invoice, added up as it will be."""
    terms = it.plan.terms
    lines: Sequence[BillLine] = () if found.bill is None else found.bill.lines
    _, sums = added_up(
        [
            InvoiceLine(
                line.description,
                line.quantity,
                line.unit_price,
                line.amount,
                line.tax_rate,
                is_credit=line.is_credit,
            )
            for line in lines
        ],
        terms.currency,
        prices_include_tax=terms.prices_include_tax,
    )
    carried = sum(each.amount.units for each in found.carried)
    return {
        "object": "upcoming_invoice",
        "subscription_id": it.subscription_id,
        "invoice_id": None if found.bill is None else found.bill.invoice_id,
        "at": time(found.at),
        "period": None if found.period is None else _period(found.period),
        "currency": terms.currency.code,
        "lines": [_line(line) for line in lines],
        **money("net", sums.net),
        **money("tax", sums.tax),
        **money("total", sums.total),
        **money("credit", Amount(terms.currency, carried)),
    }


def _line(line: BillLine) -> dict[str, Any]:
    return {
        "description": line.description,
        "quantity": line.quantity,
        "unit_price": line.unit_price,
        **money("amount", line.amount),
        "tax_rate": line.tax_rate,
        "period_start": time(line.start),
        "period_end": time(line.end),
        "is_credit": line.is_credit,
    }
