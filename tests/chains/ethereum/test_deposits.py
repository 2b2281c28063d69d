"""Deposit addresses from an extended public key, and keys that are refused."""

from __future__ import annotations

import pytest
from bip_utils import Bip32Slip10Secp256k1

from flamewire_ledger.chains.ethereum.deposits import (
    INDEX_MAX,
    BadExtendedKey,
    DepositAddresses,
)
from tests.services.anvil import ACCOUNTS


def test_an_account_and_its_external_chain_give_the_same_addresses(
    account_key: Bip32Slip10Secp256k1,
) -> None:
    account = DepositAddresses(account_key.PublicKey().ToExtended())
    external = DepositAddresses(account_key.ChildKey(0).PublicKey().ToExtended())
    for index, (address, _) in enumerate(ACCOUNTS):
        assert account.deposit(index).address == address
        assert external.deposit(index).address == address


def test_a_private_key_is_refused_and_not_shown(account_key: Bip32Slip10Secp256k1) -> None:
    private = account_key.PrivateKey().ToExtended()
    with pytest.raises(BadExtendedKey, match="is a private key") as caught:
        DepositAddresses(private)
    assert private not in str(caught.value)
    assert private not in repr(caught.value)


def test_a_mistyped_key_is_refused_and_not_shown(account_key: Bip32Slip10Secp256k1) -> None:
    public = account_key.PublicKey().ToExtended()
    for wrong in (public[:-1] + ("1" if public[-1] != "1" else "2"), "xpub", "", "nonsense" * 20):
        with pytest.raises(BadExtendedKey, match="mistyped") as caught:
            DepositAddresses(wrong)
        assert len(wrong) < 8 or wrong not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_key_of_another_depth_is_refused(account_key: Bip32Slip10Secp256k1) -> None:
    deeper = account_key.ChildKey(0).ChildKey(5).PublicKey().ToExtended()
    with pytest.raises(BadExtendedKey, match="depth 5"):
        DepositAddresses(deeper)


def test_numbers_end_where_public_derivation_does(account_key: Bip32Slip10Secp256k1) -> None:
    addresses = DepositAddresses(account_key.PublicKey().ToExtended())
    assert addresses.deposit(INDEX_MAX).address
    for index in (-1, INDEX_MAX + 1):
        with pytest.raises(ValueError, match="from 0 to"):
            addresses.deposit(index)
