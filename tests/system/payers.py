"""Payers with funded accounts on a real Ethereum node, who pay well or badly.

Blocks come when mine() is called. Two accounts are kept apart, for payers whose transfers are in
blocks that the chain will take back: `GONE` never sends again, `BACK` sends the same transactions
once more, in the same order, so that no gap in its numbers holds them up.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from eth_utils import to_checksum_address

from tests.services.anvil import Anvil, erc20_artifact
from tests.services.place import wait_until

SUPPLY = 10**15
FINAL_AFTER_BLOCKS = 12  # with epochs of four slots
GONE, BACK, PAUPER = -1, -2, -3  # places among the node's accounts
OTHERS = slice(0, -3)
_BALANCE_OF = "0x70a08231"
_TRANSFER = "0xa9059cbb"


class Payers:
    """The node's accounts, with ETH and two tokens: `usdc`, and one that nobody asked for."""

    def __init__(self, anvil: Anvil, chance: random.Random) -> None:
        self.anvil = anvil
        self._chance = chance
        self.accounts: list[str] = anvil.rpc("eth_accounts")
        self.usdc = self._deploy()
        self.unlisted = self._deploy()
        for account in (*self.accounts[1:PAUPER], self.accounts[GONE], self.accounts[BACK]):
            for token in (self.usdc, self.unlisted):
                self._send(self.accounts[0], token, 0, _call(_TRANSFER, account, SUPPLY // 100))
        anvil.rpc("evm_setAutomine", False)
        anvil.mine()

    def someone(self) -> str:
        return self._chance.choice(self.accounts[OTHERS])

    def pay(self, address: str, asset: str, units: int, sender: str | None = None) -> str:
        """Send it; the transaction's hash. It waits for a block."""
        sender = sender or self.someone()
        if asset == "ETH":
            return self._send(sender, address, units)
        token = self.usdc if asset == "USDC" else self.unlisted
        return self._send(sender, token, 0, _call(_TRANSFER, address, units))

    def move_on(self, holder: str, to: str, asset: str, units: int) -> str:
        """What whoever has the key of an address does, without having it."""
        for method in ("anvil_impersonateAccount", "anvil_setBalance"):
            self.anvil.rpc(method, holder, *([hex(10**18)] if method.endswith("Balance") else []))
        sent = self.pay(to, asset, units, holder)
        self.mine()
        self.anvil.rpc("anvil_stopImpersonatingAccount", holder)
        return sent

    def again(self, raw_transactions: Iterable[str]) -> None:
        """Send signed transactions that the chain has forgotten."""
        for raw in raw_transactions:
            self.anvil.rpc("eth_sendRawTransaction", raw)

    def signed(self, sent: str) -> str:
        return str(self.anvil.rpc("eth_getRawTransactionByHash", sent))

    def mine(self, blocks: int = 1) -> None:
        self.anvil.mine(blocks)

    def make_final(self) -> None:
        self.anvil.mine(FINAL_AFTER_BLOCKS)

    def let_pass(self, seconds: int) -> None:
        """The chain's clock goes on: the next block is so much later."""
        self.anvil.rpc("evm_increaseTime", seconds)
        self.mine()

    def held_at(self, address: str) -> dict[str, int]:
        """What the chain says an address has, in base units, of what is not nothing."""
        held = {"ETH": int(self.anvil.rpc("eth_getBalance", address, "latest"), 16)}
        for name, token in (("USDC", self.usdc), ("other", self.unlisted)):
            question = {"to": token, "data": f"{_BALANCE_OF}{address[2:].lower():0>64}"}
            held[name] = int(self.anvil.rpc("eth_call", question, "latest"), 16)
        return {name: units for name, units in held.items() if units}

    def _deploy(self) -> str:
        code = erc20_artifact()["bytecode"].removeprefix("0x")
        sent = self.anvil.rpc(
            "eth_sendTransaction", {"from": self.accounts[0], "data": f"0x{code}{SUPPLY:064x}"}
        )
        wait_until(lambda: self.anvil.rpc("eth_getTransactionReceipt", sent), 10, "a deployment")
        receipt: dict[str, Any] = self.anvil.rpc("eth_getTransactionReceipt", sent)
        return str(to_checksum_address(receipt["contractAddress"]))

    def _send(self, sender: str, to: str, value: int, data: str = "0x") -> str:
        transaction = {
            "from": sender, "to": to, "value": hex(value), "data": data, "gas": hex(200_000),
        }  # fmt: skip
        return str(self.anvil.rpc("eth_sendTransaction", transaction))


def _call(selector: str, address: str, units: int) -> str:
    return f"{selector}{address[2:].lower():0>64}{units:064x}"
