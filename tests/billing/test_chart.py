"""The chart of accounts has every account that is posted to, once."""

from __future__ import annotations

import pytest

from flamewire_ledger.billing.chart import CHART, line_of
from flamewire_ledger.domain import posting

NAMED = {name: value for name, value in vars(posting).items() if name.isupper()}


@pytest.mark.parametrize("account", NAMED.values(), ids=NAMED)
def test_every_account_of_the_domain_is_on_the_chart(account: str):
    line = line_of(account)
    assert line is not None, f"{account} belongs on the chart in billing/chart.py"
    assert line.account == account


def test_families_are_found_by_their_members():
    for account in (
        posting.wallet("ethereum"),
        posting.credits_available("ca_1"),
        posting.credits_held("ca_1"),
    ):
        line = line_of(account)
        assert line is not None
        assert line.is_family
    assert line_of("assets:safe") is None


def test_no_account_is_on_it_twice():
    assert len({line.account for line in CHART}) == len(CHART)
