"""The price rules file."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from flamewire_ledger.billing.price_rules import PriceRule
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.sandbox import sandbox_feeds
from flamewire_ledger.settings import SettingsError
from flamewire_ledger.wiring.price_rules import PromisedPrices, read_price_rules


def file(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(content)
    return path


def test_rules_are_read_in_their_order(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        """
        [[rule]]
        name = "tao for euros"
        pair = "tao-eur"
        sources = ["kraken", "coinbase"]
        spread_percent = "0.5"
        discount_percent = "0.0001"
        digits = 6
        rounding = "half_even"

        [[rule]]
        name = "everything else"
        """,
    )
    assert read_price_rules(path) == (
        PriceRule("tao for euros", "TAO-EUR", ("kraken", "coinbase"), 5_000, 1, 6, "half_even"),
        PriceRule("everything else"),
    )
    assert read_price_rules(None) == ()
    assert read_price_rules(file(tmp_path, "")) == ()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("[[rule]", "read"),
        ("rule = 1", "tables"),
        ("[other]", "tables"),
        ("[[rule]]\npair = 'A-B'", "name"),
        ("[[rule]]\nname = 'a'\nsprad_percent = '1'", "sprad_percent"),
        ("[[rule]]\nname = 'a'\nspread_percent = 1.5", "in quotes"),
        ("[[rule]]\nname = 'a'\nspread_percent = '1.00001'", "4 decimals"),
        ("[[rule]]\nname = 'a'\nspread_percent = 'NaN'", "4 decimals"),
        ("[[rule]]\nname = 'a'\nspread_percent = '51'", "50 %"),
        ("[[rule]]\nname = 'a'\nsources = ['krakken']", "krakken"),
        ("[[rule]]\nname = 'a'\ndigits = '3'", "whole number"),
        ("[[rule]]\nname = 'a'\nrounding = 'sideways'", "down"),
        ("[[rule]]\nname = 'a'\n[[rule]]\nname = 'a'", "same name"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, content: str, word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        read_price_rules(file(tmp_path, content))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_price_rules(tmp_path / "nothing.toml")


async def test_what_is_promised_without_a_lock_is_by_the_rules_too() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    tao, sui, usd = Asset("bittensor:TAO", 9), Asset("sui:SUI", 9), Asset("USD", 2)
    rules = (PriceRule("tao", "TAO-USD", spread_ppm=10_000),)
    prices = PromisedPrices(PriceBoard(sandbox_feeds(lambda: noon)), rules)
    assert (await prices.rate(tao, usd, noon))[0].price == Decimal("408.375")
    assert (await prices.rate(sui, usd, noon))[0].price == Decimal("3.2")
    one_source = PromisedPrices(prices.board, (PriceRule("low", sources=("sandbox-low",)),))
    rate, quotes = await one_source.rate(tao, usd, noon)
    assert (rate.price, len(quotes)) == (Decimal("412.29375"), 1)
