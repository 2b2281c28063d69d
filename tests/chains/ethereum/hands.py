"""Somebody with funded accounts at a node, and contracts that somebody brought: sent, waited for, and asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flamewire_ledger.chains.addresses import keccak256, parse_evm
from tests.chains.ethereum.forwarder_contracts import SETTINGS
from tests.services.anvil import ACCOUNTS, Anvil
from tests.services.place import wait_until
from tests.services.solidity import compiled

ODD_CONTRACTS = Path(__file__).with_name("odd_contracts.sol")
SENDER = ACCOUNTS[0][0]
GAS = 8_000_000


class Hands:
    """Each transaction is in a block of its own when it is told of."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        anvil.rpc("evm_setAutomine", True)

    def send(
        self, to: str | None, data: str = "0x", value: int = 0, *, sender: str = SENDER
    ) -> dict[str, Any]:
        """The receipt, whether or not it succeeded."""
        transaction = {"from": sender, "data": data, "value": hex(value), "gas": hex(GAS)}
        if to is not None:
            transaction["to"] = to
        sent = self.anvil.rpc("eth_sendTransaction", transaction)
        wait_until(lambda: self.anvil.rpc("eth_getTransactionReceipt", sent), 10, "a block")
        return dict(self.anvil.rpc("eth_getTransactionReceipt", sent))

    def done(self, to: str | None, data: str = "0x", value: int = 0) -> dict[str, Any]:
        """The receipt of what has to succeed."""
        receipt = self.send(to, data, value)
        assert receipt["status"] == "0x1", receipt
        return receipt

    def send_signed_off(self, transaction: Mapping[str, str], sender: str = SENDER) -> int:
        """Send what a plan gave, as it stands; the gas it took."""
        sent = self.anvil.rpc("eth_sendTransaction", {"from": sender, **transaction})
        wait_until(lambda: self.anvil.rpc("eth_getTransactionReceipt", sent), 10, "a block")
        receipt = self.anvil.rpc("eth_getTransactionReceipt", sent)
        assert receipt["status"] == "0x1", receipt
        return int(receipt["gasUsed"], 16)

    def deploy(self, bytecode: str, *arguments: int | str) -> str:
        receipt = self.done(None, bytecode + "".join(word(each) for each in arguments))
        return parse_evm(receipt["contractAddress"])

    def odd(self, name: str, *arguments: int | str) -> str:
        """A contract of odd_contracts.sol."""
        _, contracts = compiled(ODD_CONTRACTS.read_text(), SETTINGS)
        return self.deploy(contracts[name]["bytecode"], *arguments)

    def asked(self, to: str, function: str, *arguments: int | str) -> int:
        """What a function of a contract answers, as a number."""
        question = {"to": to, "data": call(function, *arguments)}
        return int(self.anvil.rpc("eth_call", question, "latest"), 16)

    def coins(self, address: str) -> int:
        return int(self.anvil.rpc("eth_getBalance", address, "latest"), 16)

    def tokens(self, token: str, address: str) -> int:
        return self.asked(token, "balanceOf(address)", address)

    def has_code(self, address: str) -> bool:
        return len(self.anvil.rpc("eth_getCode", address, "latest")) > 2


def call(function: str, *arguments: int | str) -> str:
    """A call of a function whose arguments are words: numbers and addresses."""
    selector = keccak256(function.encode())[:4].hex()
    return "0x" + selector + "".join(word(each) for each in arguments)


def word(value: int | str) -> str:
    return f"{int(value, 16) if isinstance(value, str) else value:064x}"
