"""What invoices and credit notes on paper have in common: who it is from and for, what it is called,
how sums are printed, and what is charged at each rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flamewire_ledger.api.paper import ACCENT, FULL, Paper
from flamewire_ledger.domain.money import printed_text

_HALF: Final = FULL / 2
_AMOUNT: Final = 44.0
_RATES: Final = ((84.0, "L"), (45.0, "R"), (45.0, "R"))

Sum = tuple[str, str, str, bool]  # its name, its sign, the amount, and whether it is the matter


def head(
    paper: Paper, seller: str, title: str, number: str, *, is_void: bool, is_test: bool
) -> None:
    paper.pair_of_titles(seller, title)
    paper.text(number, size=11, align="R")
    if is_void:
        paper.text("VOID", size=13, style="B", colour=ACCENT, align="R")
    if is_test:
        paper.text("TEST: no money was moved", size=9, style="B", colour=ACCENT, align="R")
    paper.gap(2)
    paper.rule()


def parties(
    paper: Paper,
    seller: Mapping[str, Any],
    customer: Mapping[str, Any] | None,
    account: Mapping[str, Any] | None,
) -> None:
    """`account` is the credit account's `name` and `external_id`, for who has no other name."""
    known = _account(account)
    if customer is None:
        right = ["Customer", *known] if known else []
    else:
        right = ["Bill to", *([] if customer["name"] else known), *_party(customer)]
    paper.side_by_side(["From", *_party(seller)], right, _HALF)
    paper.gap(4)


def _account(account: Mapping[str, Any] | None) -> list[str]:
    """Who is behind the credit account, as the merchant knows them."""
    if account is None:
        return []
    rows = (account["name"], account["external_id"])
    return list(dict.fromkeys(row for row in rows if row))


def _party(party: Mapping[str, Any]) -> list[str]:
    rows = [party.get("name")]
    address = party.get("address")
    if address is not None:
        place = " ".join(it for it in (address["postal_code"], address["city"]) if it)
        rows += [address["line1"], address["line2"], place, address["state"], address["country"]]
    if party.get("tax_id"):
        rows.append(f"Tax id {party['tax_id']}")
    rows += [party.get("email"), party.get("credit_account_id")]
    return [row for row in rows if row]


def day(time: str | None) -> str | None:
    return None if time is None else time[:10]


def printed(amount: str) -> str:
    return printed_text(amount, decimals_of(amount))


def decimals_of(amount: str) -> int:
    """Of its asset: an amount is written with all of them."""
    return len(amount.partition(".")[2])


def sums(paper: Paper, rows: Sequence[Sum], currency: str) -> None:
    shown = [
        (name, f"{sign}{printed(value)} {currency}", is_bold) for name, sign, value, is_bold in rows
    ]
    paper.sums(shown, _AMOUNT)
    paper.gap(6)


def total(document: Mapping[str, Any], name: str) -> list[Sum]:
    """From the net, over what is charged at each rate, to the total."""
    rows: list[Sum] = [(name, "", document["total"], True)]
    if document["taxes"]:
        rows.insert(0, ("Net", "", document["net"], False))
        for each in document["taxes"]:
            if each["rate"] is not None:
                rows.insert(-1, (f"Tax {each['rate']} %", "", each["tax"], False))
    return rows


def reverse_charge(paper: Paper, document: Mapping[str, Any]) -> None:
    """In the words that the law asks for (Directive 2006/112/EC, Article 226 number 11a)."""
    if document["reverse_charge"]:
        paper.text("Reverse charge: the tax is owed by the customer.")
        paper.gap(4)


def taxes(paper: Paper, document: Mapping[str, Any]) -> None:
    """What is charged at each rate, where there is more than one thing to say of it."""
    each_rate = document["taxes"]
    if len(each_rate) < 2 or all(each["rate"] is None for each in each_rate):
        return
    paper.heading("Tax")
    rows = []
    for each in each_rate:
        rate = "no tax" if each["rate"] is None else f"{each['rate']} %"
        rows.append((rate, printed(each["net"]), printed(each["tax"])))
    paper.table(("Rate", "Net", "Tax"), rows, _RATES)
