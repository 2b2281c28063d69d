"""The model of a Sui chain that a test moves: checkpoints come when it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flamewire_ledger.chains.chain import Chain, Network, Token
from flamewire_ledger.chains.networks.sui import SuiSettings
from flamewire_ledger.chains.sui.chain import SuiChain
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Transfer
from tests.services.sui.model import CHAIN_ID, KIT, Executed, Model
from tests.services.sui.server import SuiServer
from tests.services.sui.wallet import Move, Signer, Wallet

USDC = f"0x{'db' * 32}::usdc::USDC"
UNLISTED = f"0x{'ee' * 32}::usdc::USDC"
HEARD_SECONDS_MAX = 60
ADDRESSES = tuple(f"0x{number + 1:064x}" for number in range(1_000, 1_200))
SUI_ASSET, USDC_ASSET = Asset("sui:SUI", 9), Asset("sui:USDC", 6)


class SuiWorld:
    """SUI and two coins called USDC, of which one is configured."""

    coin = "SUI"
    coin_of_another_contract = "USDC"
    can_reorganise = False

    def __init__(self, signer: Signer, folder: Path) -> None:
        self._signer = signer
        self.model = Model()
        self.server = SuiServer(self.model)
        self.wallet = self.payer("payer")
        self.addresses_file = folder / "addresses.txt"
        self.addresses_file.write_text("".join(f"{address}\n" for address in ADDRESSES))
        self.chain = self.connect()
        self._opened: list[SuiChain] = [self.chain]

    def payer(self, name: str) -> Wallet:
        made = Wallet(self.model, self._signer, name)
        made.endow(USDC, UNLISTED)
        return made

    def connect(self, *servers: SuiServer, chain_id: str = CHAIN_ID, **changes: Any) -> SuiChain:
        """A new connection, to other servers and with other settings where given."""
        given: dict[str, Any] = {
            "genesis": chain_id.partition(":")[2],
            "grpc_urls": tuple(server.url for server in servers or (self.server,)),
            "addresses_file": self.addresses_file,
            "payment_kit": KIT,
            "timeout_seconds": 20.0,
            **changes,
        }
        tokens = (
            Token(SUI_ASSET, f"{chain_id}/slip44:784"),
            Token(USDC_ASSET, f"{chain_id}/coin:{USDC}", USDC),
        )
        network = Network("sui", chain_id, False, tokens, 1, 1)
        return SuiChain(network, SuiSettings(**given))

    async def pay(self, address: str, units: int, symbol: str | None = None) -> Transfer:
        is_token = symbol == "USDC"
        move = Move(address, units, USDC) if is_token else Move(address, units)
        amount = Amount(USDC_ASSET if is_token else SUI_ASSET, units)
        return transfer(self.wallet.pay(move), address, amount)

    async def pay_in_vain(self, address: str, units: int) -> Transfer:
        done = self.wallet.pay_in_vain(address, units)
        assert not done.has_succeeded
        return transfer(done, address, Amount(SUI_ASSET, units))

    async def pay_for_now(self, address: str, units: int) -> Transfer:
        raise NotImplementedError("Sui takes nothing back")

    async def pay_unlisted(self, address: str, units: int) -> Transfer:
        done = self.wallet.pay(Move(address, units, UNLISTED))
        asset = Asset("sui:" + UNLISTED.replace("::", "."), 0)
        return transfer(done, address, Amount(asset, units))

    async def pay_many(self, payments: Sequence[tuple[str, int]]) -> Sequence[Transfer]:
        """Through the Payment Kit: without receipts, what one address gets is one sum."""
        moves = [
            Move(address, units, nonce=f"part-{number}")
            for number, (address, units) in enumerate(payments)
        ]
        done = self.wallet.pay(*moves)
        places = sorted({move.to for move in moves})
        parts = dict.fromkeys(places, 0)
        sent = []
        for move in moves:
            index = places.index(move.to) + parts[move.to] * len(places)
            parts[move.to] += 1
            amount = Amount(SUI_ASSET, move.units)
            sent.append(Transfer("sui", done.digest, index, move.to, amount, move.nonce))
        return sent

    async def mine(self, blocks: int = 1) -> None:
        """The subscription tells of it by itself: until it has."""
        self.model.make_checkpoint(blocks)
        await self.heard(self.model.height)

    async def heard(self, height: int, chain: SuiChain | None = None) -> None:
        """Until a connection knows of that height."""
        async with asyncio.timeout(HEARD_SECONDS_MAX):
            while (await (chain or self.chain).heads()).latest.height < height:
                await asyncio.sleep(0.005)

    async def make_final(self) -> None:
        """Every checkpoint is."""

    async def reorganise(self) -> None:
        raise NotImplementedError("Sui takes nothing back")

    async def hold_finality(self, *, is_held: bool) -> None:
        raise NotImplementedError("every checkpoint of Sui is final")

    async def go_back(self) -> None:
        """The node steps down, and one that has not caught up yet takes its place."""
        self.server.stop()
        self.server.behind = 2
        self.server.start()
        async with asyncio.timeout(HEARD_SECONDS_MAX):
            while (await self.chain.heads()).latest.height != self.model.height - 2:
                await asyncio.sleep(0.005)
        self.server.behind = 0

    def of_another_network(self) -> Chain:
        made = self.connect(chain_id="sui:35834a8a")
        self._opened.append(made)
        return made

    async def aclose(self) -> None:
        for each in self._opened:
            await each.aclose()
        self.server.close()


def transfer(done: Executed, address: str, amount: Amount) -> Transfer:
    """The one transfer of a transaction that pays one address."""
    return Transfer("sui", done.digest, 0, address, amount)
