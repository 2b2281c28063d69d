"""How often a node is asked: round trips are counted, because they cost what a provider charges for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from flamewire_ledger.chains.addresses import evm_address
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.commands.decider import Done, Envelope
from flamewire_ledger.processes.watching import Watching
from tests.chains.ears import Ears
from tests.chains.ethereum.anvil_world import AnvilWorld
from tests.chains.ethereum.endpoint import Endpoint, endpoint

QUIET_BLOCKS: Final = 10_000


class QuietNode(Endpoint):
    """A node whose chain has gone on for very many empty blocks, each like the first one's."""

    def __init__(self, node_url: str, blocks: int) -> None:
        super().__init__(node_url)
        (answer,) = super()._told([_asked("eth_getBlockByNumber", ["0x1", True])])
        self._template = {**answer["result"], "transactions": []}
        self._blocks = blocks

    def _told(self, asked: list[Any]) -> list[Any]:
        passed_on = [each for each in asked if each["method"] != "eth_getBlockByNumber"]
        answers = super()._told(passed_on) if passed_on else []
        for each in asked:
            if each["method"] == "eth_getBlockByNumber":
                self.questions.append(each["method"])
                answers.append({"jsonrpc": "2.0", "id": each["id"], "result": self._block(each)})
        return answers

    def _block(self, asked: dict[str, Any]) -> Any:
        tag = asked["params"][0]
        tags = {"latest": self._blocks, "finalized": self._blocks - 64, "pending": self._blocks + 1}
        height = tags[tag] if tag in tags else int(tag, 16)
        if height > tags["pending"]:
            return None
        return {
            **self._template,
            "number": hex(height),
            "hash": f"0x{height:064x}",
            "parentHash": f"0x{height - 1:064x}",
            "timestamp": hex(int(self._template["timestamp"], 16) + 12 * height),
        }


def _asked(method: str, params: list[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


async def catch_up(world: AnvilWorld, node: Endpoint, first: int) -> tuple[int, Counter[str]]:
    """Round trips, and questions by their method, until the head is reached."""
    chain = world.connect(rpc_urls=(node.url,))
    head = (await chain.heads()).latest.height
    before = chain.round_trips
    node.questions.clear()
    following = Follower(
        chain,
        Ears(world.chain.deposit(1).address),
        MemoryFollowerState(),
        limits=Limits(late_seconds_max=0),
        start_height=first,
    )
    await following.catch_up()
    assert following.height == head
    trips = chain.round_trips - before
    await chain.aclose()
    return trips, Counter(node.questions)


async def test_ten_thousand_quiet_blocks_are_caught_up_with_in_so_many_round_trips(
    world: AnvilWorld,
) -> None:
    """A hundred blocks a trip, heads once for each of some twenty steps, and no range of logs."""
    node = QuietNode(world.anvil.url, QUIET_BLOCKS)
    trips, questions = await catch_up(world, node, first=1)
    node.close()
    assert trips <= 130
    assert questions["eth_getBlockByNumber"] <= QUIET_BLOCKS + 100
    assert questions["eth_getBlockReceipts"] <= 25, "of the first trip, when nothing was known yet"
    assert questions["eth_getLogs"] == 0


async def test_blocks_that_a_node_made_are_caught_up_with_in_as_few(world: AnvilWorld) -> None:
    first = (await world.chain.heads()).latest.height + 1
    await world.mine(1000)
    with endpoint(world) as node:
        trips, questions = await catch_up(world, node, first)
    assert trips <= 20
    assert questions["eth_getBlockReceipts"] <= 25
    assert questions["eth_getLogs"] == 0


async def test_a_busy_chain_is_read_with_block_and_receipts_in_one_trip(world: AnvilWorld) -> None:
    to = world.chain.deposit(1).address
    for _ in range(30):
        await world.pay(to, 1)
        await world.mine()
    head = (await world.chain.heads()).latest.height
    before = world.chain.round_trips
    blocks = await world.chain.blocks(head - 29, head)
    assert sum(len(each.transfers) for each in blocks) == 30
    assert world.chain.round_trips - before == 2


# A full block, all the way to commands.


class Clerk:
    """Read models in which each address is a payment's, and a writer that records whatever comes."""

    partitions = 1

    def __init__(self, addresses: Collection[str], now: datetime) -> None:
        self.addresses = set(addresses)
        self.now = now
        self.asked: Counter[str] = Counter()
        self.envelopes: list[Envelope] = []

    async def head(self, partition: int) -> int:
        self.asked["head"] += 1
        return 1

    async def wait_for(self, *_: Any) -> bool:
        self.asked["wait_for"] += 1
        return True

    async def deposits_at(
        self, network: str, addresses: Sequence[str], *, limit: int = 0
    ) -> list[dict[str, Any]]:
        self.asked["deposits_at"] += 1
        return [
            {
                "address": address, "payment_id": f"pi_{address}", "merchant_id": "mer_1",
                "expires_at": self.now + timedelta(days=1), "requested_at": self.now,
                "identified_by": "address", "mark": None, "asset": "ethereum:TUSD", "due_units": 1,
            }
            for address in addresses if address in self.addresses
        ]  # fmt: skip

    async def merchant(self, merchant_id: str) -> dict[str, Any]:
        self.asked["merchant"] += 1
        return {"livemode": False}

    async def payment(self, merchant_id: str, payment_id: str) -> None:
        raise AssertionError("nothing here is late")

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Any]:
        self.asked["submit_many"] += 1
        self.envelopes += envelopes
        return [Done(number, None, False) for number, _ in enumerate(envelopes)]


async def test_a_block_of_a_thousand_payments_becomes_commands_at_once(world: AnvilWorld) -> None:
    """One trip for the block, one question for the owners each time, one batch of commands."""
    transfers = 1000
    addresses = [evm_address(number.to_bytes(20, "big")) for number in range(1, transfers + 1)]
    clerk = Clerk(addresses, datetime.now(UTC))
    watching = Watching(
        world.chain.network, clerk, clerk, clerk, None, lambda: clerk.now,  # type: ignore[arg-type]
        credit_price=Decimal(1),
    )  # fmt: skip
    following = Follower(world.chain, watching, MemoryFollowerState())
    await following.catch_up()
    world.anvil.rpc("evm_setBlockGasLimit", hex(1_000_000_000))
    await world.mine()
    await following.catch_up()
    for first in range(0, transfers, 4):
        await world.pay_many([(address, 1) for address in addresses[first : first + 4]])
    await world.mine()
    clerk.asked.clear()
    before = world.chain.round_trips
    await following.step()
    assert len({envelope.command_id for envelope in clerk.envelopes}) == transfers
    # The heads, the block, its receipts where the last block was empty, and what is waiting.
    assert world.chain.round_trips - before <= 4
    assert clerk.asked["deposits_at"] == 2  # whose they are, and who is told
    assert clerk.asked["submit_many"] == 1
    assert clerk.asked["head"] == clerk.asked["wait_for"] == 1
