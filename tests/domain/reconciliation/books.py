"""A chain, wallets and payments that agree, and ways to make them disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from flamewire_ledger.domain.reconciliation.matching import (
    ChainTransfer,
    Expectation,
    Findings,
    ForInvoice,
    Kind,
    Movement,
    Receipt,
    match,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ASSET = "ethereum:USDC"


@dataclass(slots=True)
class Books:
    """Each payment has one transfer of its own, at the start."""

    chain: list[ChainTransfer]
    movements: list[Movement]
    expectations: list[Expectation]

    def match(self) -> Findings:
        return match(self.chain, self.movements, self.expectations, NOON + timedelta(days=365))


def agreeing(count: int) -> Books:
    chain, movements, expectations = [], [], []
    for number in range(count):
        key, address, name = f"ethereum/0x{number:x}/0", f"0xa{number:x}", f"pi_{number}"
        at = NOON + timedelta(seconds=number)
        units, height = 1_000_000 + number, 100 + number
        chain.append(ChainTransfer(key, address, ASSET, units, height, f"0xb{height:x}", at))
        movements.append(Movement(key, name, address, ASSET, units, height, f"0xb{height:x}", at))
        expectations.append(Expectation(name, "met", (Receipt(key, 1_000_000),), at))
    return Books(chain, movements, expectations)


def _missing(books: Books, at: int) -> str:
    """Its payment does not know of it either."""
    del books.movements[at]
    books.expectations[at] = replace(books.expectations[at], status="ended", receipts=())
    return books.chain[at].key


def _not_on_chain(books: Books, at: int) -> str:
    return books.chain.pop(at).key


def _booked_by_another(books: Books, at: int) -> str:
    books.movements.append(replace(books.movements[at], stream_id="ut_other", is_of_payment=False))
    return books.chain[at].key


def _booked_again(books: Books, at: int) -> str:
    books.movements.append(books.movements[at])
    return books.chain[at].key


def _moved(**changes: object) -> Callable[[Books, int], str]:
    def plant(books: Books, at: int) -> str:
        books.movements[at] = replace(books.movements[at], **changes)  # type: ignore[arg-type]
        return books.chain[at].key

    return plant


def _short(books: Books, at: int) -> str:
    books.movements[at] = replace(books.movements[at], units=books.movements[at].units - 1)
    return books.chain[at].key


def _long(books: Books, at: int) -> str:
    books.movements[at] = replace(books.movements[at], units=books.movements[at].units * 2)
    return books.chain[at].key


def _not_ours(books: Books, at: int) -> str:
    books.chain[at] = replace(books.chain[at], is_ours=False)
    return books.chain[at].key


def _not_in_wallet(books: Books, at: int) -> str:
    """The chain has none of it, so that this is the only thing wrong."""
    del books.chain[at], books.movements[at]
    return books.expectations[at].receipts[0].key


def _unexpected(books: Books, at: int) -> str:
    books.expectations[at] = replace(books.expectations[at], status="ended", receipts=())
    return books.chain[at].key


def _expecting(**changes: object) -> Callable[[Books, int], str]:
    def plant(books: Books, at: int) -> str:
        books.expectations[at] = replace(books.expectations[at], **changes)  # type: ignore[arg-type]
        return books.expectations[at].expectation_id

    return plant


def _worth(books: Books, at: int) -> str:
    receipts = tuple(replace(each, worth_ppm=999_999) for each in books.expectations[at].receipts)
    return _expecting(receipts=receipts)(books, at)


def _past_term(books: Books, at: int) -> str:
    receipts = tuple(replace(each, worth_ppm=0) for each in books.expectations[at].receipts)
    return _expecting(receipts=receipts, status="waiting")(books, at)


def _for_invoice(status: str, **said: bool) -> Callable[[Books, int], str]:
    """The wallets have nothing to say against it."""

    def plant(books: Books, at: int) -> str:
        name = f"inv_{at}"
        invoice = ForInvoice(name, NOON, **{"is_told": False, "is_counted": False, **said})
        if status == "ended":
            del books.chain[at], books.movements[at]
            books.expectations[at] = replace(books.expectations[at], status="ended", receipts=())
        books.expectations[at] = replace(books.expectations[at], invoice=invoice)
        return name

    return plant


Plant = tuple[Kind, Callable[[Books, int], str]]
PLANTS: tuple[Plant, ...] = (
    ("missing_on_books", _missing),
    ("not_on_chain", _not_on_chain),
    ("booked_twice", _booked_by_another),
    ("booked_twice", _booked_again),
    ("under", _short),
    ("over", _long),
    ("currency_mismatch", _moved(asset="ethereum:0xdead")),
    ("wrong_address", _moved(address="0xelsewhere")),
    ("wrong_address", _not_ours),
    ("other_block", _moved(block_hash="0xrival")),
    ("not_in_wallet", _not_in_wallet),
    ("unexpected", _unexpected),
    ("settled_without_money", _worth),
    ("unsettled", _expecting(status="waiting")),
    ("missing_past_term", _past_term),
    ("invoice_not_paid", _for_invoice("met")),
    ("invoice_paid_without_money", _for_invoice("ended", is_told=True, is_counted=True)),
)


def plant(books: Books, wrongs: list[tuple[int, Plant]]) -> set[tuple[Kind, str]]:
    """Plant each at a payment of its own, from the last on, so that indexes stay what they are."""
    return {
        (kind, wrong(books, at)) for at, (kind, wrong) in sorted(wrongs, key=lambda each: -each[0])
    }
