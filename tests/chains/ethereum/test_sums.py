"""What lies at our addresses together: those of deposits, the treasury, and what else is named as ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from flamewire_ledger.chains.chain import Network, Token
from flamewire_ledger.chains.ethereum import sweep
from flamewire_ledger.chains.ethereum.chain import EthereumChain
from flamewire_ledger.chains.forwarders import Forwarders, factory_of
from flamewire_ledger.chains.networks.ethereum import EthereumSettings
from flamewire_ledger.domain.money import Asset

TREASURY, COLD, DEPOSIT, TOKEN = (
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199",
    "0x" + "d" * 40, "0x" + "c" * 40,
)  # fmt: skip
CHAIN = "eip155:1"
TOKENS = (
    Token(Asset("ethereum:ETH", 18), f"{CHAIN}/slip44:60"),
    Token(Asset("ethereum:USDC", 6), f"{CHAIN}/erc20:{TOKEN}", TOKEN),
)


class Node(EthereumChain):
    """An endpoint that knows what each address has at block 16, and says who was asked about."""

    def __init__(self, has: Mapping[str, tuple[int, int]], settings: EthereumSettings) -> None:
        network = Network("ethereum", CHAIN, True, TOKENS, 12, 12)
        super().__init__(network, settings, lambda: datetime.now(UTC))
        self._has = {address.lower(): amounts for address, amounts in has.items()}

    async def _check_tokens(self) -> None:
        pass

    async def _ask(self, *questions: tuple[str, list[Any]]) -> list[Any]:
        answers = []
        for method, (what, block) in questions:
            assert block == "0x10"
            is_coin = method == "eth_getBalance"
            address = what if is_coin else "0x" + what["data"][-40:]
            answers.append(hex(self._has.get(address.lower(), (0, 0))[0 if is_coin else 1]))
        return answers


@pytest.mark.parametrize("at_once", [1, 500])
async def test_all_that_is_ours_is_added_up_by_asset(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_INDEXES_AT_ONCE", at_once)
    has = {DEPOSIT: (1, 10), TREASURY: (2, 20), COLD: (4, 40), "0x" + "e" * 40: (8, 80)}
    forwarders = Forwarders(factory_of(TREASURY), TREASURY)
    settings = EthereumSettings(1, (), forwarders=forwarders, holdings=(COLD,))
    assert await Node(has, settings).sums({DEPOSIT}, height=16) == {
        "ethereum:ETH": 7, "ethereum:USDC": 70,
    }  # fmt: skip
    nothing = await Node({}, settings).sums({DEPOSIT}, height=16)
    assert nothing == {"ethereum:ETH": 0, "ethereum:USDC": 0}
