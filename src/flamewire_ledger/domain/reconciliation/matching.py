"""Matching three ways: what the chain shows, what the wallets have in the books, what was expected.

All three are of one network, up to one final block and one position of the log; whoever calls has
collected them. What is found depends on nothing else, and comes in an order of its own, so the same
three give the same findings. Everything is looked up by its name once: time grows with the number of
transfers, and with nothing else.

One thing that is wrong is one discrepancy. The legs are judged apart: whether the chain agrees with
the wallets, and whether the wallets agree with what was expected; a transfer that only the books
know does not also make its payment unpaid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

MILLION: Final = 1_000_000
TERM_GRACE: Final = timedelta(minutes=10)  # a deadline is acted upon a moment after it has passed
# What was on its way at the end of the term may take this long to be final. What a final block
# holds and no wallet does is found by itself, and sooner.
ON_ITS_WAY_GRACE: Final = timedelta(days=1)

Kind: TypeAlias = Literal[
    "missing_on_books",  # on the chain, to an address of ours
    "not_on_chain",
    "booked_twice",
    "under",  # less on the books than on the chain
    "over",
    "currency_mismatch",  # another asset than on the chain
    "wrong_address",
    "other_block",
    "not_in_wallet",  # its payment counts it, no wallet has it
    "unexpected",  # in a wallet for a payment that does not know of it
    "unsettled",  # all of it came, and the payment still waits
    "settled_without_money",
    "missing_past_term",  # should have ended, and still waits
    "invoice_not_paid",  # its payment succeeded, and it does not say so
    "invoice_paid_without_money",  # it counts a payment that did not succeed
    "left_untold",  # our addresses hold less than what came to them, less what was disposed of
]
How: TypeAlias = Literal["automatic", "manual", "forced"]  # it was met: by whom
# What became of an expectation, for the counts of the report.
Standing: TypeAlias = Literal[
    "open", "posted_automatic", "posted_manual", "posted_forced", "split", "over", "under",
    "currency_mismatch", "missing",
]  # fmt: skip

TO_DO: Final[Mapping[Kind, str]] = {
    "missing_on_books": "Read its block again: `flamewire chains rescan` books what is missing.",
    "not_on_chain": "Ask a second endpoint for the block; if the chain took it back, the follower"
    " reverses it. Otherwise hold what was paid for with it.",
    "booked_twice": "Find the second stream in the entries, and resolve the payment it belongs to.",
    "under": "Compare the transaction with the entries; read its block again.",
    "over": "Compare the transaction with the entries; do not pay out what the chain lacks.",
    "currency_mismatch": "Look which contract the transaction called; correct the tokens file.",
    "wrong_address": "Look whose address the chain names before anything is delivered.",
    "other_block": "Wait for the follower to see the reorganisation, then reconcile again.",
    "not_in_wallet": "Rebuild the read model wallet_transfers; if it stays, `flamewire verify`.",
    "unexpected": "Look at the stream that posted it, and assign or resolve it.",
    "unsettled": "See that the reactor runs, then resolve the payment.",
    "settled_without_money": "Hold what was delivered for it, and look who resolved the payment.",
    "missing_past_term": "See that the reactor runs: it ends what is past its term.",
    "invoice_not_paid": "See that the reactor runs: it tells the invoice of its payment.",
    "invoice_paid_without_money": "Hold what was delivered for it, and look what became of its payment.",
    "left_untold": "Record what left, and what it cost: `flamewire disposals record`. Where it lies at another"
    " address of yours, name that in the networks file (holdings).",
}


@dataclass(frozen=True, slots=True)
class ChainTransfer:
    """What a final block holds: to an address of ours, or of a name that is on the books."""

    key: str  # network/transaction/index
    address: str
    asset: str
    units: int
    height: int
    block_hash: str
    at: datetime
    is_ours: bool = True  # its address


@dataclass(frozen=True, slots=True)
class Movement:
    """A posting that moved a wallet for a transfer. `units` are negative where it was taken out."""

    key: str
    stream_id: str
    address: str
    asset: str
    units: int
    height: int | None
    block_hash: str | None
    at: datetime
    is_of_payment: bool = True  # else held, for nobody yet


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transfer as its payment counts it, in parts per million of what was asked for."""

    key: str
    worth_ppm: int  # zero: held, as it was late or of another asset
    is_of_asked_asset: bool = True
    is_here: bool = True  # of this network, and among the blocks that are looked at


@dataclass(frozen=True, slots=True)
class ForInvoice:
    """The invoice that a payment is to pay, and what it says of it."""

    invoice_id: str
    since: datetime  # the payment is as it is
    is_told: bool  # it has heard that the payment succeeded
    is_counted: bool  # it takes something for paid by it


@dataclass(frozen=True, slots=True)
class Expectation:
    """A payment that was asked for. Nothing of it is missing in `receipts`."""

    expectation_id: str
    status: Literal["waiting", "met", "ended"]
    receipts: tuple[Receipt, ...]
    ends_at: datetime
    tolerance_ppm: int = 0
    how: How = "automatic"
    is_on_its_way: bool = False  # something that counts was seen, and is not final yet
    invoice: ForInvoice | None = None


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One thing that is not as it should be. `expected` is the chain's word or the payment's."""

    kind: Kind
    subject: str  # the key of a transfer, an expectation's id, or an asset
    since: datetime
    stream_id: str | None = None
    address: str | None = None
    asset: str | None = None
    expected_units: int | None = None
    found_units: int | None = None
    found: str | None = None  # the asset, address or block that the books have instead
    height: int | None = None
    block_hash: str | None = None

    @property
    def fingerprint(self) -> str:
        """The same for the same trouble, whenever it is found."""
        return f"{self.kind}/{self.subject}"


@dataclass(frozen=True, slots=True)
class Findings:
    matched: int  # transfers on which chain and books agree
    discrepancies: tuple[Discrepancy, ...]
    standings: Mapping[Standing, int]


def match(
    chain: Iterable[ChainTransfer],
    movements: Iterable[Movement],
    expectations: Sequence[Expectation],
    at: datetime,
) -> Findings:
    """What does not agree. Terms are judged by `at`: the time at which the books are looked at."""
    shown = {transfer.key: transfer for transfer in chain}
    booked = _booked(movements)
    found: list[Discrepancy] = []
    matched = 0
    for key, transfer in shown.items():
        discrepancy = _against_books(transfer, booked.get(key, ()))
        if discrepancy is not None:
            found.append(discrepancy)
        elif transfer.is_ours:
            matched += 1
    for key, entries in booked.items():
        if key not in shown:
            found.append(_only_booked("not_on_chain", entries[0]))
    standings: dict[Standing, int] = {}
    for expectation in expectations:
        found += _against_wallets(expectation, booked, at)
        found += _against_invoice(expectation, at)
        standing = _standing(expectation)
        standings[standing] = standings.get(standing, 0) + 1
    found += _unexpected(booked, expectations)
    found.sort(key=lambda each: (each.since, each.subject, each.kind))
    return Findings(matched, tuple(found), dict(sorted(standings.items())))


@dataclass(slots=True)
class _Entry:
    """What is in force of a transfer in one stream, asset and address."""

    last: Movement  # that put something in
    units: int = 0
    times: int = 0


def _booked(movements: Iterable[Movement]) -> Mapping[str, Sequence[_Entry]]:
    """By transfer; what was put in and taken out again is none."""
    places: dict[tuple[str, str, str, str], _Entry] = {}
    for each in movements:
        entry = places.setdefault(
            (each.key, each.stream_id, each.asset, each.address), _Entry(each)
        )
        entry.units += each.units
        entry.times += 1 if each.units > 0 else -1
        if each.units > 0 and (entry.last.units < 0 or each.at >= entry.last.at):
            entry.last = each
    booked: dict[str, list[_Entry]] = {}
    for place in sorted(places):
        entry = places[place]
        if entry.units:
            booked.setdefault(place[0], []).append(entry)
    return booked


def _against_books(transfer: ChainTransfer, entries: Sequence[_Entry]) -> Discrepancy | None:
    if not entries:
        return _wrong("missing_on_books", transfer, None, 0) if transfer.is_ours else None
    units = sum(entry.units for entry in entries)
    if sum(entry.times for entry in entries) > 1:
        return _wrong("booked_twice", transfer, entries[-1].last, units)
    entry = entries[0].last
    if entry.asset != transfer.asset:
        return _wrong("currency_mismatch", transfer, entry, units, entry.asset)
    if entry.address != transfer.address or not transfer.is_ours:
        return _wrong("wrong_address", transfer, entry, units, entry.address)
    if units != transfer.units:
        kind: Kind = "under" if units < transfer.units else "over"
        return _wrong(kind, transfer, entry, units)
    if entry.block_hash is not None and entry.block_hash != transfer.block_hash:
        return _wrong("other_block", transfer, entry, units, entry.block_hash)
    return None


def _wrong(
    kind: Kind,
    transfer: ChainTransfer,
    entry: Movement | None,
    found_units: int,
    found: str | None = None,
) -> Discrepancy:
    return Discrepancy(
        kind=kind,
        subject=transfer.key,
        since=transfer.at,
        stream_id=None if entry is None else entry.stream_id,
        address=transfer.address,
        asset=transfer.asset,
        expected_units=transfer.units,
        found_units=found_units,
        found=found,
        height=transfer.height,
        block_hash=transfer.block_hash,
    )


def _only_booked(kind: Kind, entry: _Entry) -> Discrepancy:
    """Nothing at all was expected."""
    return Discrepancy(
        kind=kind,
        subject=entry.last.key,
        since=entry.last.at,
        stream_id=entry.last.stream_id,
        address=entry.last.address,
        asset=entry.last.asset,
        expected_units=0,
        found_units=entry.units,
        height=entry.last.height,
        block_hash=entry.last.block_hash,
    )


def _against_wallets(
    expectation: Expectation, booked: Mapping[str, Sequence[_Entry]], at: datetime
) -> list[Discrepancy]:
    name = expectation.expectation_id
    found = [
        Discrepancy("not_in_wallet", receipt.key, expectation.ends_at, stream_id=name)
        for receipt in expectation.receipts
        if receipt.is_here
        and not any(entry.last.stream_id == name for entry in booked.get(receipt.key, ()))
    ]
    worth = sum(receipt.worth_ppm for receipt in expectation.receipts)
    is_full = worth >= MILLION - expectation.tolerance_ppm
    match expectation.status:
        case "met":
            kind: Kind | None = "settled_without_money"
            is_wrong = not is_full and expectation.how == "automatic"
        case "waiting":
            kind = "unsettled" if is_full else "missing_past_term"
            grace = ON_ITS_WAY_GRACE if expectation.is_on_its_way else TERM_GRACE
            is_wrong = is_full or at > expectation.ends_at + grace
        case "ended":
            kind, is_wrong = None, False
    if kind is not None and is_wrong:
        found.append(
            Discrepancy(
                kind,
                name,
                expectation.ends_at,
                stream_id=name,
                expected_units=MILLION,
                found_units=worth,
            )
        )
    return found


def _against_invoice(expectation: Expectation, at: datetime) -> list[Discrepancy]:
    """A process tells invoices, and has a while to do so."""
    invoice = expectation.invoice
    if invoice is None or at <= invoice.since + TERM_GRACE:
        return []
    kind: Kind
    if expectation.status == "met" and not invoice.is_told:
        kind = "invoice_not_paid"
    elif expectation.status != "met" and invoice.is_counted:
        kind = "invoice_paid_without_money"
    else:
        return []
    payment_id = expectation.expectation_id
    return [Discrepancy(kind, invoice.invoice_id, invoice.since, stream_id=payment_id)]


def _unexpected(
    booked: Mapping[str, Sequence[_Entry]], expectations: Sequence[Expectation]
) -> Iterable[Discrepancy]:
    known = {
        (expectation.expectation_id, receipt.key)
        for expectation in expectations
        for receipt in expectation.receipts
    }
    for key, entries in booked.items():
        for entry in entries:
            if entry.last.is_of_payment and (entry.last.stream_id, key) not in known:
                yield _only_booked("unexpected", entry)


def _standing(expectation: Expectation) -> Standing:
    """In the words of reconciliation. What was held for a person counts as what it is."""
    receipts = expectation.receipts
    worth = sum(receipt.worth_ppm for receipt in receipts)
    if expectation.status == "met":
        if expectation.how != "automatic":
            return "posted_manual" if expectation.how == "manual" else "posted_forced"
        if worth > MILLION:
            return "over"
        return "split" if sum(1 for each in receipts if each.worth_ppm) > 1 else "posted_automatic"
    if receipts and not any(receipt.is_of_asked_asset for receipt in receipts):
        return "currency_mismatch"
    if expectation.status == "waiting":
        return "open"
    return "under" if receipts else "missing"
