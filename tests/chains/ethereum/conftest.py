"""A world with a real node in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from bip_utils import Bip32Slip10Secp256k1, Bip39SeedGenerator

from tests.chains.ethereum.anvil_world import AnvilWorld
from tests.services.anvil import Anvil

MNEMONIC = "test test test test test test test test test test test junk"


@pytest.fixture(scope="session")
def account_key() -> Bip32Slip10Secp256k1:
    """m/44'/60'/0' of the mnemonic anvil's accounts come from, with its private key."""
    seed = Bip39SeedGenerator(MNEMONIC).Generate()
    return Bip32Slip10Secp256k1.FromSeed(seed).DerivePath("m/44'/60'/0'")


@pytest.fixture
async def world(anvil: Anvil, account_key: Bip32Slip10Secp256k1) -> AsyncIterator[AnvilWorld]:
    made = AnvilWorld(anvil, account_key.PublicKey().ToExtended())
    yield made
    await made.aclose()
