"""A real Ethereum node that a test moves: blocks come when it says so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flamewire_ledger.chains.chain import Network, Token
from flamewire_ledger.chains.ethereum.chain import EthereumChain
from flamewire_ledger.chains.networks.ethereum import EthereumSettings
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Transfer
from tests.services.anvil import ACCOUNTS, CHAIN_ID, Anvil, contract_artifact
from tests.services.place import wait_until

if TYPE_CHECKING:
    from tests.chains.ethereum.held_finality import HeldFinality

SENDER = ACCOUNTS[0][0]
PAUPER = ACCOUNTS[2][0]  # has ETH, and no tokens
SUPPLY = 10**15
FINAL_AFTER_BLOCKS = 12  # with epochs of four slots


class AnvilWorld:
    """ETH and two tokens, of which one is configured."""

    coin = "ETH"
    coin_of_another_contract = "TUSD"
    can_reorganise = True

    def __init__(self, anvil: Anvil, xpub: str) -> None:
        self.anvil = anvil
        self.contract = self._deploy("TestToken", f"{SUPPLY:064x}")
        self.unlisted_contract = self._deploy("TestToken", f"{SUPPLY:064x}")
        self.spreader = self._deploy("TestSpreader")
        self._send(self.contract, 0, _call("a9059cbb", self.spreader, SUPPLY // 2))
        self.xpub = xpub
        self._held: HeldFinality | None = None
        anvil.mine(2)
        anvil.rpc("evm_setAutomine", False)
        self.chain = self.connect()

    def connect(self, *, has_tokens: bool = True, **changes: Any) -> EthereumChain:
        """A new connection, with other settings where given, and to take ETH alone."""
        given: dict[str, Any] = {
            "evm_chain_id": CHAIN_ID,
            "rpc_urls": (self.anvil.url,),
            "xpub": self.xpub,
            **changes,
        }
        chain_id = f"eip155:{CHAIN_ID}"
        tokens = (
            Token(Asset("ethereum:ETH", 18), f"{chain_id}/slip44:60"),
            Token(Asset("ethereum:TUSD", 6), f"{chain_id}/erc20:{self.contract}", self.contract),
        )
        network = Network("ethereum", chain_id, False, tokens[: 2 if has_tokens else 1], 12, 3)
        return EthereumChain(network, EthereumSettings(**given), lambda: datetime.now(UTC))

    async def pay(self, address: str, units: int, symbol: str | None = None) -> Transfer:
        if symbol == "TUSD":
            sent = self._send(self.contract, 0, _call("a9059cbb", address, units))
            return self._transfer(sent, 1, address, Amount(Asset("ethereum:TUSD", 6), units))
        sent = self._send(address, units)
        return self._transfer(sent, 0, address, Amount(Asset("ethereum:ETH", 18), units))

    async def pay_in_vain(self, address: str, units: int) -> Transfer:
        data = _call("a9059cbb", address, units)
        sent = self._send(self.contract, 0, data, PAUPER)
        return self._transfer(sent, 1, address, Amount(Asset("ethereum:TUSD", 6), units))

    async def pay_for_now(self, address: str, units: int) -> Transfer:
        return await self.pay(address, units)

    async def pay_unlisted(self, address: str, units: int) -> Transfer:
        sent = self._send(self.unlisted_contract, 0, _call("a9059cbb", address, units))
        asset = Asset(f"ethereum:{self.unlisted_contract}", 0)
        return self._transfer(sent, 1, address, Amount(asset, units))

    async def mine(self, blocks: int = 1) -> None:
        self.anvil.mine(blocks)

    async def make_final(self) -> None:
        self.anvil.mine(FINAL_AFTER_BLOCKS)

    async def reorganise(self) -> None:
        self.anvil.reorganise(1)

    async def go_back(self) -> None:
        self.anvil.rpc("anvil_rollback", 2)

    async def pay_many(self, payments: Sequence[tuple[str, int]]) -> Sequence[Transfer]:
        """Tokens: what a contract sends on in ETH is in no list that a node gives out."""
        sent = self._send(self.spreader, 0, _spread(self.contract, payments))
        asset = Asset("ethereum:TUSD", 6)
        return [
            self._transfer(sent, place, address, Amount(asset, units))
            for place, (address, units) in enumerate(payments, start=1)
        ]

    async def hold_finality(self, *, is_held: bool) -> None:
        from tests.chains.ethereum.held_finality import HeldFinality

        await self.aclose()
        if is_held:
            self._held = HeldFinality(self.anvil.url)
        self.chain = self.connect(rpc_urls=((self._held or self.anvil).url,))

    def of_another_network(self) -> EthereumChain:
        return self.connect(evm_chain_id=1)

    async def aclose(self) -> None:
        await self.chain.aclose()
        if self._held is not None:
            self._held.close()
            self._held = None

    def _deploy(self, name: str, arguments: str = "") -> str:
        data = contract_artifact(name)["bytecode"] + arguments
        sent = self.anvil.rpc("eth_sendTransaction", {"from": SENDER, "data": data})
        wait_until(lambda: self.anvil.rpc("eth_getTransactionReceipt", sent), 10, "a deployment")
        receipt = self.anvil.rpc("eth_getTransactionReceipt", sent)
        return _spelled(receipt["contractAddress"])

    def _send(self, to: str, value: int, data: str = "0x", sender: str = SENDER) -> str:
        transaction = {
            "from": sender, "to": to, "value": hex(value), "data": data, "gas": hex(400_000),
        }  # fmt: skip
        return str(self.anvil.rpc("eth_sendTransaction", transaction))

    def _transfer(self, sent: str, index: int, address: str, amount: Amount) -> Transfer:
        return Transfer("ethereum", sent, index, address, amount)


def _call(selector: str, address: str, units: int) -> str:
    return f"0x{selector}{address[2:].lower():0>64}{units:064x}"


def _spread(token: str, payments: Sequence[tuple[str, int]]) -> str:
    """A call of spread(address,address[],uint256[]): after three words, the two arrays."""
    receivers = "".join(f"{address[2:].lower():0>64}" for address, _ in payments)
    amounts = "".join(f"{units:064x}" for _, units in payments)
    count, first = f"{len(payments):064x}", 3 * 32
    second = first + (1 + len(payments)) * 32
    head = f"{token[2:].lower():0>64}{first:064x}{second:064x}"
    return f"0xb29e201c{head}{count}{receivers}{count}{amounts}"


def _spelled(address: str) -> str:
    from eth_utils import to_checksum_address

    return to_checksum_address(address)
