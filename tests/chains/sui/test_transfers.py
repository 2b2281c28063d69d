"""From what a checkpoint says to transfers: sums, gas, coins nobody knows, and receipts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from flamewire_ledger.chains.chain import Network, Token
from flamewire_ledger.chains.sui.coin_types import SUI_COIN
from flamewire_ledger.chains.sui.receipts import read_receipt
from flamewire_ledger.chains.sui.transfers import (
    NO_DIGEST,
    Change,
    Checkpoint,
    Executed,
    TransferReader,
)
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.domain.transfer import Transfer
from tests.chains.sui.bcs import receipt

KIT = "0x" + "17" * 32
USDC = f"0x{'db' * 32}::usdc::USDC"
ALICE, BOB, SHOP = ("0x" + digit * 64 for digit in "abc")
NETWORK = Network(
    "sui", "sui:35834a8a", True,
    (Token(Asset("sui:SUI", 9), "sui:35834a8a/slip44:784"),
     Token(Asset("sui:USDC", 6), f"sui:35834a8a/coin:{USDC}", USDC)),
    1, 1,
)  # fmt: skip
RECEIPT = f"{KIT}::payment_kit::PaymentReceipt"


def executed(
    *changes: tuple[str, str, int],
    has_succeeded: bool = True,
    gas: tuple[str | None, int] = (None, 0),
    events: Sequence[tuple[str, bytes]] = (),
) -> Executed:
    return Executed(
        "D1gest", has_succeeded, [Change(*change) for change in changes], *gas, events=events
    )


def transfers(one: Executed, payment_kit: str | None = KIT) -> tuple[Transfer, ...]:
    checkpoint = Checkpoint(7, "Seven", NO_DIGEST, datetime(2026, 11, 1, tzinfo=UTC), [one])
    return TransferReader(NETWORK, payment_kit).block_transfers(checkpoint).transfers


def told(one: Executed, payment_kit: str | None = KIT) -> list[tuple[int, str, str, int]]:
    return [
        (each.index, each.address, each.amount.asset.code, each.amount.units)
        for each in transfers(one, payment_kit)
    ]


def test_who_has_more_has_received_and_who_has_less_has_not() -> None:
    one = executed((ALICE, "0x2::sui::SUI", -1_005), (SHOP, "0x2::sui::SUI", 1_000), gas=(ALICE, 5))
    assert told(one) == [(0, SHOP, "sui:SUI", 1_000)]


def test_a_failed_transaction_gives_nothing_though_its_gas_shows() -> None:
    one = executed((ALICE, SUI_COIN, 900), (SHOP, SUI_COIN, 5), has_succeeded=False, gas=(ALICE, 5))
    assert told(one) == []


def test_gas_that_was_given_back_is_no_payment() -> None:
    """Who deletes objects gets more back than the transaction costs."""
    assert told(executed((SHOP, SUI_COIN, 700), gas=(SHOP, -700))) == []
    assert told(executed((SHOP, SUI_COIN, -5), gas=(SHOP, 5))) == []


def test_a_shop_that_pays_the_gas_of_its_payer_has_received_all_that_was_sent() -> None:
    one = executed((ALICE, SUI_COIN, -1_000), (SHOP, SUI_COIN, 993), gas=(SHOP, 7))
    assert told(one) == [(0, SHOP, "sui:SUI", 1_000)]


def test_indexes_do_not_depend_on_the_order_or_the_spelling_of_a_node() -> None:
    changes = [(SHOP, USDC, 3), (BOB, "0x2::sui::SUI", 1), (SHOP, SUI_COIN, 2), (ALICE, USDC, -3)]
    forth, back = executed(*changes), executed(*reversed(changes))
    assert told(forth) == told(back)
    assert [index for index, *_ in told(forth)] == [0, 1, 2]


def test_changes_of_one_address_and_coin_add_up_to_one_transfer() -> None:
    one = executed((SHOP, "0x2::sui::SUI", 3), (SHOP, SUI_COIN, 4), (BOB, SUI_COIN, 0))
    assert told(one) == [(0, SHOP, "sui:SUI", 7)]


def test_a_coin_nobody_configured_is_reported_under_its_own_code() -> None:
    other = f"0x{'e' * 64}::usdc::USDC"
    ((_, _, code, units),) = told(executed((SHOP, other, 9)))
    assert (code, units) == (f"sui:0x{'e' * 64}.usdc.USDC", 9)
    ((_, _, code, _),) = told(executed((SHOP, "what is <this>", 9)))
    assert code.startswith("sui:type-")


# Receipts.


def test_a_receipt_gives_a_transfer_its_mark() -> None:
    event = (RECEIPT, receipt("order-17", 1_000, SHOP, SUI_COIN))
    (found,) = transfers(executed((SHOP, SUI_COIN, 1_000), events=[event]))
    assert (found.mark, found.index, found.amount.units) == ("order-17", 0, 1_000)


@pytest.mark.parametrize("spelled", [USDC, USDC.removeprefix("0x")])
def test_several_receipts_tell_what_a_sum_is_made_of(spelled: str) -> None:
    events = [
        (RECEIPT, receipt("a", 10, SHOP, spelled)),
        (RECEIPT, receipt("b", 20, SHOP, spelled)),
        (RECEIPT, receipt("other coin", 30, SHOP, SUI_COIN)),
    ]
    one = executed((BOB, USDC, 5), (SHOP, USDC, 37), events=events)
    assert [(each.index, each.mark, each.amount.units) for each in transfers(one)] == [
        (0, None, 5), (1, "a", 10), (3, "b", 20), (5, None, 7),
    ]  # fmt: skip


def test_a_sum_keeps_its_index_whether_receipts_are_read_or_not() -> None:
    event = (RECEIPT, receipt("a", 10, SHOP, USDC))
    one = executed((BOB, USDC, 5), (SHOP, USDC, 10), events=[event])
    assert [each.key for each in transfers(one)] == [each.key for each in transfers(one, None)]
    assert [each.mark for each in transfers(one, None)] == [None, None]


def test_receipts_for_more_than_has_arrived_make_no_money() -> None:
    """The receiver has spent in the same transaction, or the receipt is of another's."""
    events = [
        (RECEIPT, receipt("a", 60, SHOP, SUI_COIN)),
        (RECEIPT, receipt("b", 60, SHOP, SUI_COIN)),
    ]
    (found,) = transfers(executed((SHOP, SUI_COIN, 100), events=events))
    assert (found.mark, found.amount.units) == (None, 100)
    (found,) = transfers(executed((SHOP, SUI_COIN, 50), events=events[:1]))
    assert (found.mark, found.amount.units) == ("a", 50)
    assert transfers(executed(events=events)) == ()


def test_only_the_configured_package_is_believed() -> None:
    contents = receipt("a", 10, SHOP, SUI_COIN)
    for event_type in (
        f"0x{'66' * 32}::payment_kit::PaymentReceipt",
        f"{KIT}::other::PaymentReceipt",
        f"{KIT}::payment_kit::PaymentReceipt<0x2::sui::SUI>",
        "nonsense",
    ):
        one = executed((SHOP, SUI_COIN, 10), events=[(event_type, contents)])
        assert [each.mark for each in transfers(one)] == [None]


@pytest.mark.parametrize("registry", [None, bytes(32)])
def test_receipts_are_read_as_the_chain_writes_them(registry: bytes | None) -> None:
    whole = receipt("n" * 36, 2**64 - 1, SHOP, SUI_COIN, registry=registry)
    found = read_receipt(whole)
    assert found is not None
    assert (found.nonce, found.units, found.receiver) == ("n" * 36, 2**64 - 1, SHOP)
    for cut in range(len(whole)):
        assert read_receipt(whole[:cut]) is None
    assert read_receipt(whole + b"\0") is None


@pytest.mark.parametrize(
    "contents",
    [
        b"", b"\x02", b"\0\xff\xff\xff\xff\xff\xff", b"\0\xff\xff\xff\xff\x0f", b"\0\x25" + b"a" * 200,
        receipt("", 1, SHOP, SUI_COIN), receipt("é", 1, SHOP, SUI_COIN),
        receipt("a\nb", 1, SHOP, SUI_COIN), receipt("n" * 37, 1, SHOP, SUI_COIN),
    ],
)  # fmt: skip
def test_hostile_events_are_no_receipts(contents: bytes) -> None:
    assert read_receipt(contents) is None
    one = executed((SHOP, SUI_COIN, 1), events=[(RECEIPT, contents)])
    assert [each.mark for each in transfers(one)] == [None]
