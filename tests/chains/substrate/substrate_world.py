"""A real Substrate node that a test moves: chopsticks, which finalises at once, behind a stand-in
that holds its finality back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flamewire_ledger.chains.chain import Network, Token
from flamewire_ledger.chains.networks.substrate import SubstrateSettings
from flamewire_ledger.chains.substrate.chain import SubstrateChain
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Transfer
from tests.chains.substrate.payers import Payers, Sent
from tests.chains.substrate.proxy import Proxy
from tests.services.substrate import Substrate

FINAL_AFTER_BLOCKS = 3
REORGANISED_BLOCKS = 2
assert REORGANISED_BLOCKS < FINAL_AFTER_BLOCKS
PREFIX, SYMBOL, DECIMALS = 2, "ROC", 12
LISTED, UNLISTED = 7, 8  # assets
SHOP = "//Shop"
COIN = Asset("rococo:ROC", DECIMALS)
TOKEN = Asset("rococo:TUSD", 6)


@dataclass(frozen=True)
class Ground:
    """What all tests of one node share: its payers, and what was there before the first of them."""

    payers: Payers
    chain_id: str
    existential_deposit: int

    @classmethod
    def prepare(cls, node: Substrate) -> Ground:
        """Deposit addresses that are there already, as an address is that was paid to before, and assets."""
        payers = Payers(node)
        genesis = node.rpc("chain_getBlockHash", 0)
        least = payers.constant("Balances", "ExistentialDeposit")
        made = cls(payers, f"polkadot:{genesis[2:34]}", least)
        chain = made.connect(node.url)
        for index in (1, 2):
            payers.send(payers.transfer(chain.deposit(index).address, least))
        alice = payers.key("//Alice").ss58_address
        for asset_id in (LISTED, UNLISTED):
            create = payers.call("Assets", "create", id=asset_id, admin=alice, min_balance=1)
            mint = payers.call("Assets", "mint", id=asset_id, beneficiary=alice, amount=10**12)
            describe = payers.call(
                "Assets", "set_metadata", id=asset_id, name="Test", symbol="TUSD", decimals=6
            )
            payers.send(payers.batch([create, mint, describe]))
        node.new_block()
        assert payers.free_of_asset(UNLISTED, alice) == 10**12
        return made

    def connect(self, *urls: str, **changes: Any) -> SubstrateChain:
        """A new connection, with another network or settings where given."""
        chain_id = changes.pop("chain_id", self.chain_id)
        identifies_by = changes.pop("identifies_by", "address")
        coin = changes.pop("coin", COIN)
        network = Network(
            "rococo", chain_id, False,
            (
                Token(coin, f"{chain_id}/slip44:1"),
                Token(TOKEN, f"{chain_id}/assets:{LISTED}", str(LISTED)),
            ),
            12, 1, identifies_by,
        )  # fmt: skip
        settings = SubstrateSettings(
            rpc_urls=urls,
            account=self.payers.key(SHOP).public_key,
            ss58_prefix=PREFIX,
            existential_deposit=self.existential_deposit,
        )
        return SubstrateChain(network, replace(settings, **changes))


class SubstrateWorld:
    """The coin and two assets, of which one is configured."""

    can_reorganise = True
    coin = SYMBOL
    coin_of_another_contract = "TUSD"

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.payers = ground.payers
        self.node = ground.payers.node
        self.proxy = Proxy(self.node.url, FINAL_AFTER_BLOCKS)
        self.chain = ground.connect(self.proxy.url)
        self._for_now: set[str] = set()
        self.node.new_block()  # what others left waiting

    async def aclose(self) -> None:
        await self.chain.aclose()
        self.proxy.close()

    async def pay(self, address: str, units: int, symbol: str | None = None) -> Transfer:
        if symbol == "TUSD":
            sent = self.payers.send(self.payers.asset(LISTED, address, units))
            return self._transfer(sent, 0, address, Amount(TOKEN, units))
        sent = self.payers.send(self.payers.transfer(address, units))
        return self._transfer(sent, 0, address, Amount(COIN, units))

    async def pay_in_vain(self, address: str, units: int) -> Transfer:
        """By somebody who has none of the asset."""
        sent = self.payers.send(self.payers.asset(LISTED, address, units), "//Bob")
        return self._transfer(sent, 0, address, Amount(TOKEN, units))

    async def pay_for_now(self, address: str, units: int) -> Transfer:
        sent = self.payers.send(self.payers.transfer(address, units), "//Charlie")
        self._for_now.add(sent.hash)
        return self._transfer(sent, 0, address, Amount(COIN, units))

    async def pay_unlisted(self, address: str, units: int) -> Transfer:
        sent = self.payers.send(self.payers.asset(UNLISTED, address, units))
        asset = Asset(f"rococo:Assets/{UNLISTED}", 0)
        return self._transfer(sent, 0, address, Amount(asset, units))

    async def pay_many(self, payments: Sequence[tuple[str, int]]) -> Sequence[Transfer]:
        calls = [self.payers.transfer(address, units) for address, units in payments]
        sent = self.payers.send(self.payers.batch(calls))
        return [
            self._transfer(sent, place, address, Amount(COIN, units))
            for place, (address, units) in enumerate(payments)
        ]

    async def mine(self, blocks: int = 1) -> None:
        self.node.new_block(blocks)

    async def make_final(self) -> None:
        self.node.new_block(FINAL_AFTER_BLOCKS)

    async def reorganise(self) -> None:
        """What was in the blocks comes back, but for what was paid for now."""
        height = self.payers.height - REORGANISED_BLOCKS
        self.node.set_head(height)
        for one in [one for one in self.payers.sent if one.height >= height]:
            self.payers.sent.remove(one)
            if one.hash not in self._for_now:
                self.payers.send_again(one)
        self.node.new_block(REORGANISED_BLOCKS)

    async def go_back(self) -> None:
        self.node.set_head(self.payers.height - REORGANISED_BLOCKS)

    async def hold_finality(self, *, is_held: bool) -> None:
        final = self.payers.height - FINAL_AFTER_BLOCKS
        self.proxy.final_up_to = final if is_held else None

    def of_another_network(self) -> SubstrateChain:
        return self.ground.connect(self.proxy.url, chain_id=f"polkadot:{'0' * 32}")

    def _transfer(self, sent: Sent, index: int, address: str, amount: Amount) -> Transfer:
        return Transfer("rococo", sent.hash, index, address, amount)
