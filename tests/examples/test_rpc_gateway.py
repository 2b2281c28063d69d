"""The parts of the gateway, each by itself: calls that are reported once, and checks that are remembered."""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_usage import account
from tests.api.world import NOON, World

CALLS = [("eth_call", False), ("eth_getLogs", False), ("eth_call", True)]


def part(name: str) -> Any:
    return importlib.import_module(name)


def client(world: World) -> Any:
    """The gateway's own client of the ledger, on the ledger in memory."""
    made = part("ledger").Ledger("http://ledger", world.secret)
    made._client = world.client
    world.client.headers["Authorization"] = f"Bearer {world.secret}"
    return made


def reporter(ledger: Any, folder: Path) -> Any:
    spool = part("spool").Spool(folder)
    exposure = part("exposure").Exposure()
    return part("reporting").Reporter(ledger, spool, exposure, "gateway-1", 0.01), spool


async def balance(world: World, account_id: str) -> str:
    read = (await world.get(f"/v1/credit_accounts/{account_id}")).json()
    return str(read["balance"]["available"])


@dataclass
class Silent:
    """A ledger that takes what it is sent, and whose answer is lost so many times."""

    ledger: Any
    losses: int

    async def record_usage(self, lines: bytes) -> Any:
        answer = await self.ledger.record_usage(lines)
        if self.losses:
            self.losses -= 1
            raise part("ledger").Unreachable("the answer was lost")
        return answer


async def test_what_is_published_prices_a_call_by_method_chain_and_tier(
    ledger: World, tmp_path: Path
):
    await part("catalogue").publish(client(ledger))
    tom = await account(ledger, "300")
    reporting, _ = reporter(client(ledger), tmp_path)
    reporting.write(tom, "ethereum", CALLS, NOON)
    await reporting.flush()
    assert await balance(ledger, tom) == "274.000000"  # 1 + 20 + 5
    reporting.write(tom, "ethereum", [("eth_call", False)] * 149, NOON)
    await reporting.flush()
    assert await balance(ledger, tom) == "135.000000"  # 99 at 1, 50 at 0.8
    assert reporting.reported == {"accepted": 152}


async def test_publishing_again_defines_nothing_twice_and_a_new_price_takes_the_place_of_the_old(
    ledger: World, monkeypatch: pytest.MonkeyPatch
):
    catalogue = part("catalogue")
    for _ in range(2):
        await catalogue.publish(client(ledger))
    assert len((await ledger.get("/v1/meters", limit=100)).json()["data"]) == len(catalogue.METERS)
    first, *others = catalogue.METERS
    for price in ("2", first.tiers[-1][1]):  # and back again
        changed = replace(first, tiers=(*first.tiers[:-1], (None, price)))
        monkeypatch.setattr(catalogue, "METERS", (changed, *others))
        await catalogue.publish(client(ledger))
    meters = (await ledger.get("/v1/meters", limit=100)).json()["data"]
    active = [it for it in meters if it["status"] == "active"]
    assert (len(meters), len(active)) == (len(catalogue.METERS) + 2, len(catalogue.METERS))


async def test_an_answer_that_is_lost_counts_nothing_twice(ledger: World, tmp_path: Path):
    await part("catalogue").publish(client(ledger))
    tom = await account(ledger, "100")
    reporting, spool = reporter(Silent(client(ledger), losses=2), tmp_path)
    reporting.write(tom, "sui", [("suix_queryEvents", False)] * 3, NOON)
    for _ in range(2):
        with pytest.raises(part("ledger").Unreachable):
            await reporting.flush()
    assert spool.waiting == 3
    spool.close()  # and dies
    again, spool = reporter(client(ledger), tmp_path)
    assert spool.waiting == 3
    await again.flush()
    assert (spool.waiting, again.reported) == (0, {"duplicate": 3})
    assert await balance(ledger, tom) == "70.000000"


async def test_what_is_refused_is_kept_and_can_be_sent_again(ledger: World, tmp_path: Path):
    await part("catalogue").publish(client(ledger))
    tom = await account(ledger)
    reporting, spool = reporter(client(ledger), tmp_path)
    reporting.write(tom, "bittensor", [("state_call", False)] * 2, NOON)
    await reporting.flush()
    assert (spool.waiting, reporting.reported) == (0, {"insufficient_credits": 2})
    grant = {"amount": "10", "source": "granted"}
    await ledger.post(f"/v1/credit_accounts/{tom}/grants", grant)
    spool.close()
    (tmp_path / "refused.ndjson").rename(tmp_path / "000000000099.ndjson")
    again, spool = reporter(client(ledger), tmp_path)
    await again.flush()
    assert (spool.waiting, again.reported) == (0, {"accepted": 2})
    assert await balance(ledger, tom) == "6.000000"


def test_a_spool_is_bounded_and_begins_a_file_at_a_thousand_lines(tmp_path: Path):
    spool = part("spool").Spool(tmp_path, calls_max=1_500)
    spool.write([b"{}\n"] * 1_000)
    spool.write([b"{}\n"] * 400)
    assert [len(it.read_bytes().splitlines()) for it in spool.sealed()] == [1_000]
    spool.check_room(100)
    with pytest.raises(part("spool").SpoolFull):
        spool.check_room(101)


@dataclass
class Desk:
    """Answers to checks, and how often it was asked."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: int = 0
    is_away: bool = False

    async def get(self, path: str, **_: Any) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise part("ledger").Unreachable("away")
        return self.answers[path]


YES = {"entitled": True, "reason": "granted", "limit": None, "remaining": "30.000000"}
NO = {"entitled": False, "reason": "no_credits", "limit": None, "remaining": "0.000000"}
PATH = "/v1/entitlements/ca_tom/rpc"


def allowances_of(desk: Desk, **more: Any) -> Any:
    return part("allowance").Allowances(desk, part("exposure").Exposure(), **more)


async def test_what_was_served_and_is_not_booked_comes_off_what_is_left(
    ledger: World, tmp_path: Path
):
    """So nobody is served more than they can pay, however late the ledger hears of it."""
    await part("catalogue").publish(client(ledger))
    tom = await account(ledger, "300")
    feature = {"feature": "rpc", "kind": "credits"}
    await ledger.post(f"/v1/credit_accounts/{tom}/entitlements", feature)
    exposure, spool = part("exposure").Exposure(), part("spool").Spool(tmp_path)
    reporting = part("reporting").Reporter(client(ledger), spool, exposure, "gateway-1", 0.01)
    allowances = part("allowance").Allowances(client(ledger), exposure, fresh_seconds=0)
    seen = []
    for served in range(0, 60, 20):
        reporting.write(tom, "bittensor", [("state_call", False)] * served, NOON)
        seen.append(allowances.left(tom, await allowances.check(tom, "rpc")))
    assert seen == [300, 260, 180]  # nothing was sent, and the ledger says 300
    known = await allowances.check(tom, "rpc")
    await reporting.flush()
    assert allowances.left(tom, known) == 180  # as it was when it was asked
    assert allowances.left(tom, await allowances.check(tom, "rpc")) == 180
    reporting.write(tom, "bittensor", [("state_call", False)], NOON)
    spool.seal()
    again = part("exposure").Exposure()  # after a crash
    part("reporting").Reporter(client(ledger), part("spool").Spool(tmp_path), again, "g", 1)
    assert again.since(tom, again.mark(tom)) == 2


async def test_a_yes_is_remembered_and_asked_for_once_by_many(tmp_path: Path):
    desk = Desk({PATH: YES})
    allowances = allowances_of(desk)
    answers = await asyncio.gather(*(allowances.check("ca_tom", "rpc") for _ in range(50)))
    assert all(it.entitled for it in answers)
    assert desk.asked == 1


async def test_a_yes_serves_on_while_it_is_asked_again():
    desk = Desk({PATH: YES})
    allowances = allowances_of(desk, fresh_seconds=0.2)
    await allowances.check("ca_tom", "rpc")
    desk.answers[PATH] = NO
    await asyncio.sleep(0.25)
    assert (await allowances.check("ca_tom", "rpc")).entitled
    async with asyncio.timeout(10):
        while (await allowances.check("ca_tom", "rpc")).entitled:
            await asyncio.sleep(0.01)


async def test_an_old_yes_serves_only_while_the_ledger_is_away():
    desk = Desk({PATH: YES})
    allowances = allowances_of(desk, fresh_seconds=0)
    await allowances.check("ca_tom", "rpc")
    desk.is_away = True
    for _ in range(3):
        assert (await allowances.check("ca_tom", "rpc")).entitled
    with pytest.raises(part("ledger").Unreachable):
        await allowances.check("ca_ada", "rpc")
    desk.is_away, desk.answers[PATH] = False, NO
    assert not (await allowances.check("ca_tom", "rpc")).entitled


async def test_a_no_is_asked_again_at_once():
    desk = Desk({PATH: NO})
    allowances = allowances_of(desk)
    assert not (await allowances.check("ca_tom", "rpc")).entitled
    desk.answers[PATH] = YES
    assert (await allowances.check("ca_tom", "rpc")).entitled


@pytest.mark.parametrize(
    ("method", "params", "is_old"),
    [
        ("eth_call", [{}, "latest"], False),
        ("eth_call", [{}, hex(1_000)], True),
        ("eth_call", [{}, hex(9_999)], False),
        ("eth_getLogs", [{"fromBlock": "earliest"}], True),
        ("debug_traceTransaction", ["0x"], True),
        ("eth_chainId", None, False),
    ],
)
def test_what_needs_an_archive_node(method: str, params: Any, is_old: bool):
    assert part("catalogue").is_archive(method, params, 10_000) is is_old
