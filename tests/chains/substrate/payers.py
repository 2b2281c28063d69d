"""People with a wallet on a Substrate node: they sign with a library that is not the ledger's code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from substrateinterface import Keypair, SubstrateInterface

from tests.services.substrate import Substrate

ERA_BLOCKS = 64


@dataclass(frozen=True)
class Sent:
    """An extrinsic that was handed in while the head was at `height`."""

    hash: str
    encoded: str
    sender: str
    height: int


class Payers:
    """The development accounts of a node, by their URIs: //Alice, //Bob, //Charlie."""

    def __init__(self, node: Substrate) -> None:
        self.node = node
        self.sent: list[Sent] = []
        self._line = SubstrateInterface(node.url, auto_discover=False)
        self._keys: dict[str, Keypair] = {}

    def close(self) -> None:
        self._line.close()

    @property
    def height(self) -> int:
        return int(self.node.rpc("chain_getHeader")["number"], 16)

    def key(self, sender: str) -> Keypair:
        if sender not in self._keys:
            self._keys[sender] = Keypair.create_from_uri(sender)
        return self._keys[sender]

    def call(self, pallet: str, function: str, /, **arguments: Any) -> Any:
        return self._line.compose_call(pallet, function, arguments)

    def transfer(self, address: str, units: int) -> Any:
        return self.call("Balances", "transfer", dest=address, value=units)

    def remark(self, text: str) -> Any:
        return self.call("System", "remark_with_event", remark=text)

    def batch(self, calls: Sequence[Any], how: str = "batch_all") -> Any:
        return self.call("Utility", how, calls=list(calls))

    def asset(self, asset_id: int, address: str, units: int) -> Any:
        return self.call("Assets", "transfer", id=asset_id, target=address, amount=units)

    def send(self, call: Any, sender: str = "//Alice", *, is_mortal: bool = True) -> Sent:
        """Sign and hand in; the next block holds it."""
        height = self.height
        waiting = sum(one.sender == sender and one.height == height for one in self.sent)
        # An extrinsic ends with its era, and begins below all that a test takes back.
        era = {"period": ERA_BLOCKS, "current": max(0, height - 16)} if is_mortal else None
        signed = self._line.create_signed_extrinsic(
            call, self.key(sender), era=era, nonce=self.nonce(sender) + waiting
        )
        encoded = signed.data.to_hex()
        sent = Sent(self.node.rpc("author_submitExtrinsic", encoded), encoded, sender, height)
        self.sent.append(sent)
        return sent

    def send_again(self, one: Sent) -> Sent:
        """The same bytes."""
        again = self.node.rpc("author_submitExtrinsic", one.encoded)
        assert again == one.hash
        self.sent.append(Sent(one.hash, one.encoded, one.sender, self.height))
        return self.sent[-1]

    def nonce(self, sender: str) -> int:
        return int(self._account(self.key(sender).ss58_address)["nonce"])

    def free(self, address: str) -> int:
        """What `System.Account` says the address holds."""
        return int(self._account(address)["data"]["free"])

    def free_of_asset(self, asset_id: int, address: str) -> int:
        found = self._line.query("Assets", "Account", [asset_id, address]).value
        return int(found["balance"]) if found else 0

    def constant(self, pallet: str, name: str) -> int:
        return int(self._line.get_constant(pallet, name).value)

    def _account(self, address: str) -> Any:
        return self._line.query("System", "Account", [address]).value
