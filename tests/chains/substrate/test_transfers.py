"""From events to transfers: what has arrived, what it is called, and whose mark it bears."""

from __future__ import annotations

import pytest

from flamewire_ledger.chains.addresses import ss58_address
from flamewire_ledger.chains.chain import Network, Token
from flamewire_ledger.chains.substrate.runtime import AssetMoved, CoinMoved, Event, Remarked
from flamewire_ledger.chains.substrate.transfers import PLACES, STRETCH_BLOCKS, Decoder, Extrinsic
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Transfer

PAYER, SHOP, OTHER = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32
TAO, USDT = Asset("bittensor:TAO", 9), Asset("bittensor:USDT", 6)
NETWORK = Network(
    "bittensor", "polkadot:00", False, (Token(TAO, "…"), Token(USDT, "…", "1984")), 12, 1
)
MORTAL, IMMORTAL = Extrinsic("0xaa", is_mortal=True), Extrinsic("0xbb", is_mortal=False)
EXTRINSICS = (Extrinsic("0x00", is_mortal=False), MORTAL, IMMORTAL)
REMARKS = [bytes([number]) * 32 for number in range(4)]
MARKS = ["0x" + remark.hex() for remark in REMARKS]


def decoded(*events: Event, height: int = 5000) -> list[Transfer]:
    return list(Decoder(NETWORK, 42).transfers(events, EXTRINSICS, height))


def moved(units: int, phase: int | str = 1, to: bytes = SHOP) -> CoinMoved:
    return CoinMoved(phase, PAYER, to, units)


def names(transfers: list[Transfer]) -> list[tuple[str, int]]:
    return [(transfer.transaction_id, transfer.index) for transfer in transfers]


def marks(*events: Event) -> list[str | None]:
    return [transfer.mark for transfer in decoded(*events)]


def test_a_transfer_is_named_by_its_extrinsic_and_its_place_in_it() -> None:
    found = decoded(moved(5), moved(6, to=OTHER), moved(7))
    assert found[0] == Transfer("bittensor", "0xaa", 0, ss58_address(SHOP, 42), Amount(TAO, 5))
    assert names(found) == [("0xaa", 0), ("0xaa", 1), ("0xaa", 2)]


def test_the_name_stays_when_the_extrinsic_comes_back_in_another_block() -> None:
    before = decoded(moved(9, phase=0), moved(5), height=5119)
    again = decoded(moved(5), moved(9, phase=2), height=5120)
    assert before[1] == again[0]


def test_one_that_can_be_sent_for_ever_is_told_from_its_repetition() -> None:
    first = decoded(moved(5, phase=2), height=100)
    soon = decoded(moved(5, phase=2), height=110)  # a reorganisation has put it there
    years_later = decoded(moved(5, phase=2), height=100 + 9 * STRETCH_BLOCKS)
    assert first == soon
    assert names(first) == [("0xbb", 0)]
    assert names(years_later) == [("0xbb", 9 * PLACES)]


@pytest.mark.parametrize("height", [0, 1, 7_000_000, 2**25 - 1, 2**25, 2**32])
def test_every_index_fits_where_indexes_are_kept(height: int) -> None:
    (found,) = decoded(moved(5, phase=2), height=height)
    assert 0 <= found.index < 2**31


def test_what_happens_outside_extrinsics_is_named_by_its_block() -> None:
    found = decoded(moved(5, phase="initialization"), moved(6, phase="finalization"))
    assert names(found) == [("5000-initialization", 0), ("5000-finalization", 0)]


def test_nothing_arrives_by_nothing_or_from_oneself_but_has_its_place() -> None:
    to_oneself = CoinMoved(1, SHOP, SHOP, 5)
    found = decoded(moved(0), to_oneself, moved(7))
    assert names(found) == [("0xaa", 2)]


def test_an_account_of_another_kind_has_no_address_here() -> None:
    assert decoded(moved(5, to=b"\x02" * 20)) == []


def test_assets_are_what_the_file_says_or_what_they_are_called() -> None:
    elsewhere = b"\x02\x01" * 40
    found = decoded(
        AssetMoved(1, "Assets", 1984, PAYER, SHOP, 5),
        AssetMoved(1, "Assets", 7, PAYER, SHOP, 5),
        AssetMoved(1, "PoolAssets", 1984, PAYER, SHOP, 5),
        AssetMoved(1, "ForeignAssets", elsewhere, PAYER, SHOP, 5),
        AssetMoved(1, "ForeignAssets", elsewhere + b"\x00", PAYER, SHOP, 5),
    )
    codes = [transfer.amount.asset.code for transfer in found]
    assert codes[:3] == ["bittensor:USDT", "bittensor:Assets/7", "bittensor:PoolAssets/1984"]
    assert found[0].amount.asset == USDT
    assert all(code.startswith("bittensor:ForeignAssets/") for code in codes[3:])
    assert len(set(codes)) == 5
    assert len({transfer.key for transfer in found}) == 5


def test_a_remark_beside_transfers_is_the_mark_of_all_of_them() -> None:
    remark = Remarked(1, REMARKS[0])
    assert marks(moved(5), remark) == [MARKS[0]]
    assert marks(remark, moved(5)) == [MARKS[0]]
    assert marks(moved(5), moved(6), remark) == [MARKS[0], MARKS[0]]
    assert marks(moved(5), remark, moved(6), remark) == [MARKS[0], MARKS[0]]
    assert marks(moved(5)) == [None]


def test_a_remark_in_another_extrinsic_is_no_mark() -> None:
    assert marks(moved(5), Remarked(2, REMARKS[0])) == [None]


def test_several_remarks_take_turns_with_their_transfers_or_mark_none() -> None:
    one, two = Remarked(1, REMARKS[1]), Remarked(1, REMARKS[2])
    assert marks(moved(5), one, moved(6), two) == [MARKS[1], MARKS[2]]
    assert marks(one, moved(5), two, moved(6)) == [MARKS[1], MARKS[2]]
    assert marks(moved(5), moved(6), one, two) == [None, None]
    assert marks(moved(5), one, two) == [None]
    assert marks(one, moved(5), moved(6), two) == [None, None]
