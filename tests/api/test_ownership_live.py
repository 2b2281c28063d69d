"""Proof of ownership in live mode: networks and a clock of its own, and wallets that are contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from flamewire_ledger.api.parts import Mode
from flamewire_ledger.chains.chain import Chain, Network
from tests.api.test_ownership import CHALLENGES, account, prove, refused
from tests.api.wallets import ethereum
from tests.api.world import TurnableClock, World, app_over
from tests.signatures.claims import with_nodes


@dataclass
class Contract:
    """A node with one contract, which takes whatever is signed by nobody else than its owner."""

    takes: bytes

    async def call(self, contract: bytes, data: bytes) -> bytes:
        """isValidSignature(bytes32,bytes): the signature stands behind its length."""
        length = int.from_bytes(data[68:100], "big")
        return data[:4].ljust(32, b"\0") if data[100 : 100 + length] == self.takes else b"\0" * 32


@dataclass
class LiveChain:
    """A sandbox chain under the name of a real network."""

    chain: Chain
    network: Network

    def __getattr__(self, name: str) -> Any:
        return getattr(self.chain, name)


@asynccontextmanager
async def with_live(door: World) -> AsyncIterator[tuple[str, TurnableClock]]:
    """The same ledger with a live network and a clock of its own, and a live key."""
    sandbox = next(it for it in door.chains if it.network.name == "ethereum")
    network = replace(sandbox.network, name="base", chain_id="eip155:8453", livemode=True)
    clock = TurnableClock()
    live = Mode(clock, door.parts.live.prices, [LiveChain(sandbox, network)])
    door.parts = replace(door.parts, live=live)
    async with app_over(door, door.writer) as client:
        door.client = client
        yield door.key(await door.merchant(livemode=True), livemode=True), clock


async def test_test_and_live_have_each_their_networks_and_their_clock(door: World):
    wallet = ethereum()
    async with with_live(door) as (key, clock):
        to = await account(door, key=key)
        body = {
            "network": "base",
            "address": wallet.address,
            "purpose": "refund",
            "credit_account_id": to,
        }
        asked = (await door.post(CHALLENGES, body, key=key)).json()
        assert (asked["livemode"], asked["chain_id"]) == (True, "eip155:8453")
        assert "Chain ID: eip155:8453\n" in asked["message"]
        refused(
            await door.post(CHALLENGES, body | {"network": "ethereum"}, key=key),
            422,
            "unknown_network",
        )
        signature = wallet.sign(asked["message"])
        refused(await prove(door, asked["id"], signature), 404, "not_found")
        door.clock.turn(days=1)  # the sandbox's: live ones do not live by it
        clock.turn(seconds=899)
        answer = await prove(door, asked["id"], signature, key=key)
        assert answer.status_code == 200, answer.text
        assert answer.json()["account"] == f"eip155:8453:{wallet.address}"
        late = (await door.post(CHALLENGES, body, key=key)).json()
        clock.turn(seconds=900)
        answer = await prove(door, late["id"], wallet.sign(late["message"]), key=key)
        refused(answer, 409, "challenge_expired")


async def test_a_contract_wallet_answers_for_itself(door: World):
    door.parts = replace(door.parts, signatures=with_nodes({8453: Contract(b"\7" * 5)}))
    async with with_live(door) as (key, _):
        body = {
            "network": "base",
            "address": ethereum("a contract").address,
            "purpose": "refund",
            "credit_account_id": await account(door, key=key),
        }
        asked = (await door.post(CHALLENGES, body, key=key)).json()
        answer = await prove(door, asked["id"], "0x" + "08" * 5, scheme="eip1271", key=key)
        assert refused(answer, 422, "proof_invalid")["reason"] == "contract_refuses"
        answer = await prove(door, asked["id"], "0x" + "07" * 5, scheme="eip1271", key=key)
        assert (answer.status_code, answer.json()["scheme"]) == (200, "eip1271")
