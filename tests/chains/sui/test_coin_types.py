"""One spelling for each coin type, and names that do not pretend."""

from __future__ import annotations

import pytest

from flamewire_ledger.chains.sui.coin_types import (
    SUI_COIN,
    BadCoinType,
    coin_type,
    told_apart,
    unlisted_code,
)
from flamewire_ledger.domain.money import Asset

LONG = "0x" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("0x2::sui::SUI", SUI_COIN),
        (SUI_COIN, SUI_COIN),
        (SUI_COIN.removeprefix("0x"), SUI_COIN),
        ("0x0002::sui::SUI", SUI_COIN),
        (f"{LONG.upper().replace('0X', '0x')}::usdc::USDC", f"{LONG}::usdc::USDC"),
        (
            f"{LONG}::lp::LP<0x2::sui::SUI, {LONG}::a::B<0x3::c::D>>",
            f"{LONG}::lp::LP<{SUI_COIN},{LONG}::a::B<0x{3:064x}::c::D>>",
        ),
    ],
)
def test_a_coin_type_has_one_spelling(text: str, spelled: str) -> None:
    assert coin_type(text) == spelled
    assert coin_type(spelled) == spelled


@pytest.mark.parametrize(
    "text",
    ["", "SUI", "0x2::sui", "0x2::sui::SUI::X", "0xg::a::B", f"0x{'1' * 65}::a::B", "0x2::1a::B",
     "0x2::a::B<", "0x2::a::B\n", "0x2::a::Ä", "u64", "0x2::" + "a" * 5000 + "::B"],
)  # fmt: skip
def test_what_is_no_coin_type_is_refused_and_on_chain_stands_for_itself(text: str) -> None:
    with pytest.raises(BadCoinType):
        coin_type(text)
    assert told_apart(text) == text
    Asset(unlisted_code("sui", text), 0)


def test_an_unlisted_coin_that_calls_itself_usdc_does_not_look_like_it() -> None:
    asset = Asset(unlisted_code("sui", f"{LONG}::usdc::USDC"), 0)
    assert asset.code == f"sui:{LONG}.usdc.USDC"
    assert asset.symbol == f"{LONG}.usdc.USDC"
    assert asset.network == "sui"


def test_types_that_are_too_long_for_a_code_are_told_apart_by_their_digest() -> None:
    one = f"{LONG}::lp::LP<{SUI_COIN},{LONG}::a::A>"
    other = f"{LONG}::lp::LP<{SUI_COIN},{LONG}::a::B>"
    assert unlisted_code("sui", one).startswith("sui:type-")
    assert unlisted_code("sui", one) != unlisted_code("sui", other)
    assert len(unlisted_code("sui", one)) <= 128
