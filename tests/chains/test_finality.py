"""What is final by one endpoint's word waits until enough endpoints attest it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from flamewire_ledger.chains import finality
from flamewire_ledger.chains.chain import ChainUnavailable
from flamewire_ledger.domain.transfer import Block, Transfer
from tests.chains.scripted_chain import Scene


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(finality, "AGAIN_SECONDS", 0.0)
    made = Scene()
    await made.catch_up()
    made.chain.grow()
    return made


def attestations(scene: Scene) -> list[str]:
    return [each for each in scene.chain.asked if each.startswith("attested")]


async def test_a_transfer_is_attested_once_and_when_its_block_is_final(scene: Scene) -> None:
    sent = scene.chain.put("sent", 10)
    await scene.catch_up()
    assert attestations(scene) == []
    scene.chain.finalized = 10
    await scene.catch_up()
    await scene.catch_up()
    assert attestations(scene) == ["attested sent 10a"]
    assert scene.ears.stages(sent) == ["included", "confirmed"]


async def test_what_is_not_attested_stays_included_and_holds_up_no_other(scene: Scene) -> None:
    doubtful, sure = scene.chain.put("doubtful", 10), scene.chain.put("sure", 10)
    scene.chain.unattested = {"doubtful"}
    scene.chain.finalized = 10
    await scene.catch_up()
    scene.chain.grow(3)
    await scene.catch_up()
    assert scene.ears.stages(sure) == ["included", "confirmed"]
    assert scene.ears.stages(doubtful) == ["included"]
    assert scene.follower.height == 13
    scene.chain.unattested.clear()
    await scene.catch_up()
    assert scene.ears.stages(doubtful) == ["included", "confirmed"]


async def test_what_is_never_attested_is_logged_once_and_told(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flamewire_ledger")
    sent = scene.chain.put("sent", 10)
    scene.chain.unattested = {"sent"}
    scene.chain.finalized = 10
    for _ in range(5):
        await scene.catch_up()
    assert len([line for line in caplog.messages if "too few endpoints attest" in line]) == 1
    (waiting,) = scene.follower.unattested
    assert (waiting.transfer, waiting.block.hash, waiting.tries) == (sent, "10a", 5)
    scene.chain.unattested.clear()
    await scene.catch_up()
    assert scene.follower.unattested == []


async def test_it_is_tried_again_ever_more_slowly(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finality, "AGAIN_SECONDS", 10.0)
    now = asyncio.get_running_loop().time()
    loop = asyncio.get_running_loop()
    scene.chain.put("sent", 10)
    scene.chain.unattested = {"sent"}
    scene.chain.finalized = 10
    tried = []
    for seconds in range(200):
        monkeypatch.setattr(loop, "time", lambda at=now + seconds: at)
        before = len(attestations(scene))
        await scene.follower.step()
        if len(attestations(scene)) > before:
            tried.append(seconds)
    assert tried == [0, 10, 30, 70, 130, 190]


async def test_a_restart_forgets_no_transfer_that_was_not_attested(scene: Scene) -> None:
    sent = scene.chain.put("sent", 10)
    scene.chain.unattested = {"sent"}
    scene.chain.finalized = 10
    await scene.catch_up()
    scene.restart()
    await scene.catch_up()
    assert [each.transfer for each in scene.follower.unattested] == [sent]
    scene.chain.unattested.clear()
    scene.restart()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "confirmed"]


async def test_what_is_reorganised_away_waits_no_longer(scene: Scene) -> None:
    sent = scene.chain.put("sent", 10)
    scene.chain.unattested = {"sent"}
    scene.chain.finalized = 10
    await scene.catch_up()
    scene.chain.fork(10, "b", 14)
    await scene.catch_up()
    scene.chain.grow()
    await scene.catch_up()
    assert scene.follower.unattested == []
    assert scene.ears.stages(sent) == ["included", "dropped"]


async def test_an_endpoint_that_is_away_attests_nothing_and_stops_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: Transfer, __: Block) -> bool:
        raise ChainUnavailable("it is away")

    monkeypatch.setattr(scene.chain, "attested", away)
    sent = scene.chain.put("sent", 10)
    scene.chain.finalized = 10
    scene.chain.grow(5)
    await scene.catch_up()
    assert scene.follower.height == 15
    assert scene.ears.stages(sent) == ["included"]


async def test_what_most_endpoints_deny_is_dropped_and_forgotten(scene: Scene) -> None:
    """One lied in a true block while the others were away. Now they are back."""
    sent = scene.chain.put("sent", 10)
    scene.chain.unattested = {"sent"}
    scene.chain.finalized = 10
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included"]
    scene.chain.invented = {"sent"}
    await scene.catch_up()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "dropped"]
    assert scene.follower.unattested == []
    assert scene.follower.stages == {}
    scene.restart()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "dropped"]


async def test_that_what_was_denied_is_gone_is_told_until_it_is_taken_in(scene: Scene) -> None:
    sent = scene.chain.put("sent", 10)
    await scene.catch_up()
    scene.chain.unattested = scene.chain.invented = {"sent"}
    scene.chain.finalized = 10
    scene.ears.refused = {sent.key}
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included"]
    scene.ears.refused = set()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "dropped"]
    assert scene.follower.stages == {}
