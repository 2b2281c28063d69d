"""An invoice or a credit note as it is answered: from the row of the read model, or from the state
after a command, which is first given the shape of a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from flamewire_ledger.api.reading import Row
from flamewire_ledger.api.rendering import money, time
from flamewire_ledger.domain.invoice import CreditNoteIssued, Invoice, Sums
from flamewire_ledger.domain.money import Amount, Asset, MoneyError


def row_of_state(invoice: Invoice) -> dict[str, Any]:
    """The state of an invoice (no receipt) in the shape of a row; without its position."""
    drafted, finalised, sums = invoice.drafted, invoice.finalised, invoice.sums
    assert drafted is not None, "a receipt is no command's to change"
    assert sums is not None
    due = invoice.due.units if invoice.due is not None else sums.total.units
    return {
        "invoice_id": drafted.invoice_id,
        "kind": "invoice",
        "number": None if finalised is None else finalised.number,
        "status": invoice.status,
        "payment_id": None,
        "credit_account_id": drafted.customer.credit_account_id,
        "reference": drafted.reference,
        "memo": drafted.memo,
        "subscription_id": drafted.subscription_id,
        "metadata": drafted.metadata,
        "customer": _built(drafted.customer),
        "seller": None if finalised is None else _built(finalised.seller),
        "currency": drafted.currency.code,
        "decimals": drafted.currency.decimals,
        "prices_include_tax": drafted.prices_include_tax,
        "reverse_charge": drafted.reverse_charge,
        **_sums(sums),
        "paid_units": invoice.paid_units,
        "credited_units": invoice.credited_units,
        "due_units": 0 if invoice.is_void else due,
        "lines": _built(invoice.lines),
        "settled_with": [],
        "asked": _built(invoice.asked),
        "applied": _built(invoice.applied),
        "due_days": drafted.due_days,
        "created_at": drafted.drafted_at,
        "issued_at": None if finalised is None else finalised.finalised_at,
        "due_at": None if finalised is None else finalised.due_at,
        "paid_at": invoice.paid_at,
        "voided_at": None if invoice.voided is None else invoice.voided.voided_at,
        "void_reason": None if invoice.voided is None else invoice.voided.reason,
        "uncollectible_at": None if invoice.given_up is None else invoice.given_up.marked_at,
        "uncollectible_reason": None if invoice.given_up is None else invoice.given_up.reason,
        **_delivery_of_state(invoice),
    }


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "net_units": sums.net.units,
        "tax_units": sums.tax.units,
        "total_units": sums.total.units,
        "taxes": _built(sums.taxes),
    }


def _delivery_of_state(invoice: Invoice) -> dict[str, Any]:
    assert invoice.drafted is not None
    sent, failed, finalised = invoice.delivered, invoice.failed, invoice.finalised
    last = sent or failed
    again_at: datetime | None = None
    if sent is None and finalised is not None and not invoice.is_void:
        again_at = finalised.finalised_at if failed is None else failed.again_at
    email = invoice.drafted.customer.email
    return {
        "email": email,
        "message_id": None if last is None else last.message_id,
        "delivery_attempts": 0 if last is None else last.attempt,
        "delivered_at": None if sent is None else sent.delivered_at,
        "delivery_again_at": None if email is None else again_at,
        "delivery_failure": None if failed is None else failed.reason,
    }


def _built(value: object) -> Any:
    """As it is in an event: amounts as objects, times as text."""
    return msgspec.to_builtins(value, enc_hook=_simplified)


def _simplified(value: Any) -> Any:
    if type(value) is Amount:
        asset = value.asset
        return {"asset": asset.code, "decimals": asset.decimals, "units": str(value.units)}
    raise NotImplementedError(f"{type(value).__name__} has no form in JSON")


def of_row(row: Row, now: datetime, payments: Sequence[Row] = ()) -> dict[str, Any]:
    """`payments`: how those stand that were asked for, where that is told."""
    asset = Asset(row["currency"], row["decimals"])
    due_at: datetime | None = row["due_at"]
    stand = {payment["payment_id"]: payment for payment in payments}
    applied = [_applied(each) for each in row["applied"]]
    settled = [_settled(each) for each in row["settled_with"]]
    is_overdue = row["status"] == "open" and due_at is not None and due_at < now
    return {
        "id": row["invoice_id"],
        "object": "invoice",
        "kind": row["kind"],
        "number": row["number"],
        "status": row["status"],
        "is_overdue": is_overdue,
        "currency": asset.symbol,
        "prices_include_tax": row["prices_include_tax"],
        "reverse_charge": row["reverse_charge"],
        **_money_of(row, asset, "net", "tax", "total"),
        **money("amount_paid", Amount(asset, int(row["paid_units"]))),
        **money("amount_credited", Amount(asset, int(row["credited_units"]))),
        **money("amount_due", Amount(asset, int(row["due_units"]))),
        "customer": _customer(row["customer"]),
        "seller": _party(row["seller"]),
        "lines": [_line(line) for line in row["lines"]],
        "taxes": [_tax(each) for each in row["taxes"]],
        "payments": applied,
        "payment_intents": [_asked(each, stand.get(each["payment_id"])) for each in row["asked"]],
        "settled_with": settled or [one for each in applied for one in each["settled_with"]],
        "payment_intent_id": row["payment_id"],
        **{
            name: row[name]
            for name in ("credit_account_id", "subscription_id", "reference", "memo")
        },
        "metadata": row["metadata"],
        "due_days": row["due_days"],
        **{name: time(row[name]) for name in ("created_at", "issued_at", "due_at", "paid_at")},
        "voided_at": time(row["voided_at"]),
        "void_reason": row["void_reason"],
        "uncollectible_at": time(row["uncollectible_at"]),
        "uncollectible_reason": row["uncollectible_reason"],
        "delivery": _delivery(row),
    }


def _money_of(row: Row, asset: Asset, *names: str) -> dict[str, str | None]:
    made: dict[str, str | None] = {}
    for name in names:
        made |= money(name, Amount(asset, int(row[f"{name}_units"])))
    return made


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    amount = _amount(line["amount"])
    return {
        "description": line["description"],
        "quantity": line["quantity"],
        "unit_price": line["unit_price"],
        "unit_price_minor": _minor(line["unit_price"], amount.asset),
        **money("amount", amount),
        "is_credit": line["is_credit"],
        "tax_rate": line["tax_rate"],
        **money("net", _amount_or_none(line["net"])),
        **money("tax", _amount_or_none(line["tax"])),
        "period": line["period"],
    }


def _minor(price: str | None, asset: Asset) -> str | None:
    """In base units, where it is a whole number of them."""
    if price is None:
        return None
    try:
        return str(Amount.parse(format(Decimal(price).normalize(), "f"), asset).units)
    except MoneyError:
        return None


def _tax(each: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rate": each["rate"],
        **money("net", _amount(each["net"])),
        **money("tax", _amount(each["tax"])),
    }


def _applied(each: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "payment_intent_id": each["payment_id"],
        "reason": each["reason"],
        **money("amount", _amount(each["amount"])),
        "settled_with": [_settled(one) for one in each["settled_with"]],
        "recorded_at": each["recorded_at"],
    }


def _asked(each: Mapping[str, Any], payment: Row | None) -> dict[str, Any]:
    amount = _amount(each["amount"])
    detected = confirmed = None
    if payment is not None:
        detected = Amount(amount.asset, int(payment["detected_units"]))
        confirmed = Amount(amount.asset, int(payment["confirmed_units"]))
    return {
        "id": each["payment_id"],
        **money("amount", amount),
        "expires_at": each["expires_at"],
        "status": None if payment is None else payment["status"],
        **money("detected", detected),
        **money("confirmed", confirmed),
    }


def _settled(paid: Mapping[str, Any]) -> dict[str, Any]:
    amount = _amount(paid["amount"])
    return {
        "network": paid["network"],
        "asset": amount.asset.symbol,
        "transaction_id": paid["transaction_id"],
        **money("amount", amount),
        "price": paid["price"],
        "price_lock_id": paid["price_lock_id"],
        "locked_at": paid.get("locked_at"),
        "sources": paid.get("sources", []),
    }


def _customer(customer: Mapping[str, Any] | None) -> dict[str, Any] | None:
    party = _party(customer)
    if party is None or customer is None:
        return None
    return {**party, "credit_account_id": customer["credit_account_id"]}


def _party(party: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if party is None:
        return None
    return {name: party[name] for name in ("name", "address", "tax_id", "email")}


def seller_of(party: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    """Who invoices are from: what the merchant said of itself, or its name."""
    made = _party(party)
    return (
        made if made is not None else {"name": name, "address": None, "tax_id": None, "email": None}
    )


def _delivery(row: Row) -> dict[str, Any] | None:
    if row["email"] is None:
        return None
    if row["delivered_at"] is not None:
        status = "sent"
    elif row["delivery_attempts"] == 0:
        status = "waiting"
    else:
        status = "failed" if row["delivery_again_at"] is None else "retrying"
    return {
        "email": row["email"],
        "status": status,
        "attempts": row["delivery_attempts"],
        "message_id": row["message_id"],
        "delivered_at": time(row["delivered_at"]),
        "again_at": time(row["delivery_again_at"]),
        "failure": row["delivery_failure"],
    }


def note_row_of(issued: CreditNoteIssued) -> dict[str, Any]:
    """A credit note's fact in the shape of a row; without its position."""
    email = issued.customer.email
    return {
        "credit_note_id": issued.credit_note_id,
        "invoice_id": issued.invoice_id,
        "number": issued.number,
        "invoice_number": issued.invoice_number,
        "invoice_issued_at": issued.invoice_issued_at,
        "customer": _built(issued.customer),
        "seller": _built(issued.seller),
        "currency": issued.sums.total.asset.code,
        "decimals": issued.sums.total.asset.decimals,
        **_sums(issued.sums),
        "to_refund_units": issued.to_refund.units,
        "lines": _built(issued.lines),
        "reverse_charge": issued.reverse_charge,
        "reason": issued.reason,
        "issued_at": issued.issued_at,
        "email": email,
        "message_id": None,
        "delivery_attempts": 0,
        "delivered_at": None,
        "delivery_again_at": None if email is None else issued.issued_at,
        "delivery_failure": None,
    }


def of_note_row(row: Row) -> dict[str, Any]:
    asset = Asset(row["currency"], row["decimals"])
    return {
        "id": row["credit_note_id"],
        "object": "credit_note",
        "number": row["number"],
        "invoice_id": row["invoice_id"],
        "invoice_number": row["invoice_number"],
        "invoice_issued_at": time(row["invoice_issued_at"]),
        "currency": asset.symbol,
        **_money_of(row, asset, "net", "tax", "total"),
        **money("amount_to_refund", Amount(asset, int(row["to_refund_units"]))),
        "customer": _customer(row["customer"]),
        "seller": _party(row["seller"]),
        "lines": [_note_line(line) for line in row["lines"]],
        "taxes": [_tax(each) for each in row["taxes"]],
        "reverse_charge": row["reverse_charge"],
        "reason": row["reason"],
        "issued_at": time(row["issued_at"]),
        "delivery": _delivery(row),
    }


def _note_line(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "line": line["line"],
        "description": line["description"],
        **money("amount", _amount(line["amount"])),
        "is_credit": line["is_credit"],
        "tax_rate": line["tax_rate"],
        **money("net", _amount(line["net"])),
        **money("tax", _amount(line["tax"])),
    }


def _amount_or_none(value: Mapping[str, Any] | None) -> Amount | None:
    return None if value is None else _amount(value)


def _amount(value: Mapping[str, Any]) -> Amount:
    return Amount(Asset(value["asset"], value["decimals"]), int(value["units"]))
