"""A posting: two accounts, one amount, and its exact opposite."""

from __future__ import annotations

import pytest

from flamewire_ledger.domain.money import Amount, Asset, MoneyError
from flamewire_ledger.domain.posting import SALES, UNAPPLIED, Posting, wallet

TAO = Asset("bittensor:TAO", 9)


def test_a_posting_reversed_twice_is_itself():
    posting = Posting(wallet("bittensor"), UNAPPLIED, Amount(TAO, 5))
    assert posting.reversed() == Posting(UNAPPLIED, wallet("bittensor"), Amount(TAO, 5))
    assert posting.reversed().reversed() == posting


def test_a_posting_moves_something_between_two_accounts():
    with pytest.raises(MoneyError):
        Posting(SALES, SALES, Amount(TAO, 5))
    with pytest.raises(MoneyError):
        Posting(UNAPPLIED, SALES, Amount(TAO, 0))
