"""Events read by the runtime that wrote them: amounts of any width, and fields nobody asked for."""

from __future__ import annotations

import pytest

from flamewire_ledger.chains.substrate.runtime import (
    AssetMoved,
    CoinMoved,
    Remarked,
    Runtime,
    runtime_of,
)
from flamewire_ledger.chains.substrate.scale import Unreadable
from tests.chains.substrate import runtimes
from tests.chains.substrate.runtimes import FINALIZATION, INITIALIZATION, Writer, extrinsic

PAYER, SHOP = b"\x01" * 32, b"\x02" * 32
REMARK = b"\x09" * 32


@pytest.fixture(scope="module")
def bittensor() -> Runtime:
    """Balances of eight bytes, as on Bittensor."""
    return Runtime(runtimes.metadata(balance="u64"))


@pytest.mark.parametrize(("balance", "units"), [("u64", 2**64 - 1), ("u128", 2**128 - 1)])
def test_amounts_are_as_wide_as_the_runtime_says(balance: str, units: int) -> None:
    writer = Writer(balance=balance)
    writer.transfer(extrinsic(2), PAYER, SHOP, units)
    writer.transfer(extrinsic(3), PAYER, SHOP, 1)
    runtime = Runtime(runtimes.metadata(balance=balance))
    assert runtime.events(writer.written()) == [
        CoinMoved(2, PAYER, SHOP, units),
        CoinMoved(3, PAYER, SHOP, 1),
    ]


def test_events_of_every_kind_of_field_are_passed_over(bittensor: Runtime) -> None:
    writer = Writer(balance="u64")
    writer.many_kinds(INITIALIZATION)
    writer.success(extrinsic(0))
    writer.transfer(extrinsic(1), PAYER, SHOP, 77)
    writer.remark(extrinsic(1), PAYER, REMARK)
    writer.success(extrinsic(1))
    writer.asset(extrinsic(2), 1984, PAYER, SHOP, 88)
    writer.many_kinds(FINALIZATION)
    writer.transfer(FINALIZATION, PAYER, SHOP, 99)
    assert bittensor.events(writer.written()) == [
        CoinMoved(1, PAYER, SHOP, 77),
        Remarked(1, REMARK),
        AssetMoved(2, "Assets", 1984, PAYER, SHOP, 88),
        CoinMoved("finalization", PAYER, SHOP, 99),
    ]


def test_a_block_without_events_has_none(bittensor: Runtime) -> None:
    assert bittensor.events(b"\x00") == []


def test_events_of_another_runtime_are_not_guessed_at(bittensor: Runtime) -> None:
    """After an upgrade the same bytes mean something else: an error, never another amount."""
    writer = Writer(balance="u128", balances_index=6)
    writer.transfer(extrinsic(2), PAYER, SHOP, 2**100)
    with pytest.raises(Unreadable):
        bittensor.events(writer.written())
    writer = Writer(balance="u128")
    writer.transfer(extrinsic(2), PAYER, SHOP, 7)
    with pytest.raises(Unreadable):
        bittensor.events(writer.written())


def test_every_way_to_cut_events_off_is_noticed(bittensor: Runtime) -> None:
    writer = Writer(balance="u64")
    writer.many_kinds(extrinsic(0))
    writer.transfer(extrinsic(1), PAYER, SHOP, 77)
    written = writer.written()
    for end in range(len(written)):
        with pytest.raises(Unreadable):
            bittensor.events(written[:end])
    with pytest.raises(Unreadable):
        bittensor.events(written + b"\x00")


def test_events_that_go_deeper_than_there_is_room_for_are_refused(bittensor: Runtime) -> None:
    deep = b"\x07\x03\x00\x00\x00" + b"\x01\x04" * 100_000 + b"\x00\x01"
    with pytest.raises(Unreadable):
        bittensor.events(b"\x04" + extrinsic(0) + deep + b"\x00")


def test_a_count_that_no_data_can_have_takes_no_time(bittensor: Runtime) -> None:
    with pytest.raises(Unreadable):
        bittensor.events(b"\xfe\xff\xff\xff")
    with pytest.raises(Unreadable):
        bittensor.events(b"\x04" + extrinsic(0) + b"\x00\x00" + b"\xfe\xff\xff\xff")


def test_constants_are_numbers_of_any_width() -> None:
    for balance in ("u64", "u128"):
        runtime = Runtime(runtimes.metadata(balance=balance, existential_deposit=0x7830))
        assert runtime.constant("Balances", "ExistentialDeposit") == 0x7830  # text: "0x"
        assert runtime.constant("System", "SS58Prefix") == 42
        assert runtime.constant("System", "NoSuchThing") is None
        assert runtime.constant("NoSuchPallet", "SS58Prefix") is None


SIGNED = b"\x84" + b"\x00" + PAYER + b"\x01" + b"\x05" * 64


@pytest.mark.parametrize(
    ("body", "is_mortal"),
    [
        (SIGNED + b"\xb5\x01" + b"\x04" + b"\x00\x00", True),
        (SIGNED + b"\x00" + b"\x04" + b"\x00\x00", False),
        (b"\x45\x00" + b"\xb5\x01" + b"\x04" + b"\x00\x00", True),
        (b"\x45\x00" + b"\x00" + b"\x04" + b"\x00\x00", False),
        (b"\x04" + b"\x00\x00", False),  # unsigned
        (b"\x84" + b"\x07" + PAYER, False),  # an address of a kind that is not known
        (b"\x84", False),
        (b"", False),
    ],
)
def test_whether_an_extrinsic_ends_is_read_from_its_bytes(
    bittensor: Runtime, body: bytes, is_mortal: bool
) -> None:
    length = (len(body) << 2 | 1).to_bytes(2, "little")
    assert bittensor.is_mortal(length + body) is is_mortal


def test_metadata_that_are_none_are_refused() -> None:
    whole = runtimes.metadata(balance="u64")
    for wrong in (b"", b"meta", b"meta\x0c\x00", whole[:-40], whole[:200], b"\x00" * 100):
        with pytest.raises(Unreadable):
            Runtime(wrong)


def test_nodes_that_say_the_same_share_a_runtime_and_others_do_not() -> None:
    first, second = runtimes.metadata(balance="u64"), runtimes.metadata(balance="u128")
    assert runtime_of(first) is runtime_of(bytes(bytearray(first)))
    assert runtime_of(first) is not runtime_of(second)
