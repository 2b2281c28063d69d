"""Names in other programs: allowed by all of them, and none lost on the way back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.domain.money import MoneyError
from flamewire_ledger.exports.names import account_name, account_of, commodity_name

# As beancount's own grammar has them.
_ACCOUNT = re.compile(r"(Assets|Liabilities|Equity|Income|Expenses)(:[A-Z0-9][A-Za-z0-9-]*)+\Z")
_COMMODITY = re.compile(r"[A-Z][A-Z0-9'._-]{0,22}[A-Z0-9]\Z")
ROOTS = ["assets", "liabilities", "equity", "income", "expenses", "credits"]
parts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters=":"), min_size=1)
accounts = st.builds(
    lambda root, rest: ":".join((root, *rest)),
    st.sampled_from(ROOTS),
    st.lists(
        parts | st.sampled_from(["credits", "x", "xcn", "_", "-", "X"]), min_size=1, max_size=4
    ),
)


@given(accounts)
def test_every_account_has_a_name_that_is_allowed_and_leads_back(account: str):
    name = account_name(account)
    assert _ACCOUNT.match(name)
    assert account_of(name) == account


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ("assets:wallet:ethereum", "Assets:Wallet:Ethereum"),
        ("liabilities:customer_unapplied", "Liabilities:Customer-unapplied"),
        ("credits:available:ca_01abc", "Equity:Credits:Available:Ca-01abc"),
        ("assets:wallet:base-sepolia", "Assets:Wallet:BaseXCNsepolia"),
        ("equity:credits:x", "Equity:XGDredits:XHI"),
    ],
)
def test_usual_names_can_be_read(account: str, name: str):
    assert account_name(account) == name


@pytest.mark.parametrize("account", ["wallet:x", "assets", "assets:", ""])
def test_what_is_no_account_has_no_name(account: str):
    with pytest.raises(MoneyError):
        account_name(account)


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=128))
def test_every_asset_has_a_name_that_is_allowed(code: str):
    assert _COMMODITY.match(commodity_name(code))


@given(st.sets(st.text("aAbB:.-1", min_size=1, max_size=12), min_size=2, max_size=30))
def test_two_assets_never_have_one_name(codes: set[str]):
    assert len({commodity_name(code) for code in codes}) == len(codes)


def test_an_asset_is_named_by_its_symbol_first():
    assert commodity_name("ethereum:USDC") == "USDC.ETHEREUM"
    assert commodity_name("USD") == "USD"
    assert commodity_name("ethereum:usdc").startswith("A-USDC-")
