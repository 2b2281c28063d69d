"""CREATE2 forwarders: deposit addresses of EVM chains that nobody has a key for.

An address follows from three things alone (EIP-1014): the factory's, the number of the deposit, and
the code in forwarders.json, compiled from forwarders.sol. It receives before anything is there;
what has come is moved to the treasury by anybody's call of the factory.

The factory's address follows from the treasury in the same way, because the deployer is the same on
every chain. So a treasury with a slip of the pen is found by its factory before anybody pays.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from flamewire_ledger.chains.addresses import evm_address, keccak256
from flamewire_ledger.chains.chain import Deposit

# The deterministic deployment proxy, at the same address on nearly every EVM chain: it creates
# what comes behind a salt of 32 bytes.
DEPLOYER: Final = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
_FACTORY_SALT: Final = bytes(32)
INDEX_MAX: Final = 2**63 - 1  # far more than are ever given out


@dataclass(frozen=True, slots=True)
class Forwarders:
    """The forwarders of one factory. Addresses are spelled as EIP-55 has it."""

    factory: str
    treasury: str

    def deposit(self, index: int) -> Deposit:
        """The nth address; its derivation names the factory, and the number is the salt."""
        address = create2_address(self.factory, salt_of(index), _hash_of("Forwarder"))
        return Deposit(address, f"create2:{self.factory}/{index}")

    def index_of(self, derivation: str) -> int | None:
        """The number in a derivation of this factory's; None for one that is not."""
        factory, _, index = derivation.removeprefix("create2:").partition("/")
        return int(index) if factory == self.factory and index.isdecimal() else None


def salt_of(index: int) -> bytes:
    """The number itself in 32 bytes, big-endian: nothing else has to be kept to find it again."""
    if not 0 <= index <= INDEX_MAX:
        raise ValueError(f"a deposit address has a number from 0 to {INDEX_MAX}")
    return index.to_bytes(32, "big")


def factory_of(treasury: str) -> str:
    """Where the deployer creates the factory of this treasury, on every chain that has it."""
    return create2_address(DEPLOYER, _FACTORY_SALT, keccak256(_factory_code(treasury)))


def deployment_of(treasury: str) -> bytes:
    """What is sent to the deployer so that it creates the factory."""
    return _FACTORY_SALT + _factory_code(treasury)


def sweep_many(salts: Sequence[bytes], tokens: Sequence[str]) -> bytes:
    """What is sent to a factory: sweepMany(bytes32[],address[]) by the rules of Solidity's ABI."""
    of_salts = _words([salt.rjust(32, b"\0") for salt in salts])
    of_tokens = _words([bytes.fromhex(token[2:]).rjust(32, b"\0") for token in tokens])
    head = _number(2 * 32) + _number(2 * 32 + len(of_salts))
    return keccak256(b"sweepMany(bytes32[],address[])")[:4] + head + of_salts + of_tokens


def create2_address(deployer: str, salt: bytes, code_hash: bytes) -> str:
    """EIP-1014: where CREATE2 of `deployer` creates what is created by the code of this hash."""
    made = keccak256(b"\xff" + bytes.fromhex(deployer[2:]) + salt + code_hash)
    return evm_address(made[-20:])


def _factory_code(treasury: str) -> bytes:
    return _code("ForwarderFactory") + bytes.fromhex(treasury[2:]).rjust(32, b"\0")


@cache
def _code(contract: str) -> bytes:
    """The code that creates a contract, without its arguments."""
    artifact = json.loads((files(__package__) / "forwarders.json").read_text(encoding="utf-8"))
    return bytes.fromhex(artifact["contracts"][contract]["bytecode"].removeprefix("0x"))


@cache
def _hash_of(contract: str) -> bytes:
    return keccak256(_code(contract))


def _words(items: Sequence[bytes]) -> bytes:
    return _number(len(items)) + b"".join(items)


def _number(value: int) -> bytes:
    return value.to_bytes(32, "big")
