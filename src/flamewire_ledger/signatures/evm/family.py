"""The schemes of EVM chains."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flamewire_ledger.signatures.evm.account import KeyedAccount
from flamewire_ledger.signatures.evm.contract import ContractAccount, Node
from flamewire_ledger.signatures.evm.safe import SafeAccount
from flamewire_ledger.signatures.scheme import Invalid, Kind, Reason, Scheme
from flamewire_ledger.signatures.text import read_hex


class EvmFamily:
    """`read_account` reads the addresses inside typed data; `nodes` are by EIP-155 chain id."""

    def __init__(self, read_account: Callable[[str], bytes], nodes: Mapping[int, Node]) -> None:
        self.schemes: Mapping[str, Scheme] = {
            "secp256k1": KeyedAccount(read_account),
            "eip1271": ContractAccount(nodes, read_account),
            "safe": SafeAccount(nodes, read_account),
        }

    def read_signature(self, text: str, kind: Kind) -> bytes:
        """A transaction may bring its own: then the text is empty."""
        if not text and kind == "transaction":
            return b""
        try:
            return read_hex(text)
        except ValueError:
            raise Invalid(Reason.SIGNATURE_MALFORMED) from None

    def scheme_of(self, signature: bytes) -> str:
        """Contracts are asked when it is said that they are to be."""
        return "secp256k1"
