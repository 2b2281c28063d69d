"""What is shown of a chain: how far it is, how far behind its follower, and how its endpoints do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flamewire_ledger.api.parts import Check
from flamewire_ledger.chains.chain import EndpointReport, Heads, Network
from flamewire_ledger.domain.transfer import Block
from flamewire_ledger.telemetry import Meters
from flamewire_ledger.wiring.chain_reports import ChainMeter, ChainReport
from flamewire_ledger.wiring.health import Health

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NETWORK = Network("ethereum", "eip155:1", True, (), 12, 12)
WELL = ChainReport(
    height=95,
    heads=Heads(Block(100, "0xb100", NOON), 64),
    stages={"included": 2, "confirmed": 5},
    endpoints=(
        EndpointReport(1, "set aside", 90, 3, "a node did not answer: TimeoutError"),
        EndpointReport(2, "in use", 100, 0, None),
    ),
    unattested=0,
    is_standing_by=False,
)
NOTHING = ChainReport(None, None, {}, (), 0, is_standing_by=False)


class Scene:
    """A watcher that says what a test wants, and what becomes of it."""

    def __init__(self) -> None:
        self.said = WELL
        self.meters = Meters()
        self.now = NOON + timedelta(seconds=30)
        self._meter = ChainMeter(NETWORK, self, self.meters, lambda: self.now)

    def report(self) -> ChainReport:
        return self.said

    def metrics(self) -> dict[str, float]:
        """By name, and by state or stage where there is one."""
        self._meter.tell()
        found = {}
        for name, _, labels, value in self.meters.samples():
            if name.startswith("chain_"):
                assert (labels["network"], labels["chain_id"]) == ("ethereum", "eip155:1")
                split = labels.get("state") or labels.get("stage")
                found[name + (f" {split}" if split else "")] = value
        return found


def check_of(scene: Scene) -> Check:
    """Of a process that watches this chain; no ledger is needed for that."""
    return Health(None)._chain(NETWORK, scene)  # type: ignore[arg-type]


def test_every_chain_has_its_gauges() -> None:
    assert Scene().metrics() == {
        "chain_head": 100,
        "chain_finalized": 64,
        "chain_followed": 95,
        "chain_lag_blocks": 5,
        "chain_head_age_seconds": 30,
        "chain_unattested": 0,
        "chain_refused": 0,
        "chain_transfers detected": 0,
        "chain_transfers included": 2,
        "chain_transfers confirmed": 5,
        "chain_endpoints in use": 1,
        "chain_endpoints standing by": 0,
        "chain_endpoints set aside": 1,
    }


@pytest.mark.parametrize("said", [replace(WELL, is_standing_by=True), NOTHING])
def test_who_follows_no_more_says_nothing_that_another_may_say_now(said: ChainReport) -> None:
    scene = Scene()
    scene.metrics()
    scene.said = said
    assert scene.metrics() == {}
    scene.said = WELL
    assert scene.metrics()["chain_head"] == 100


def test_a_head_ahead_of_our_clock_is_of_no_age() -> None:
    scene = Scene()
    scene.now = NOON - timedelta(seconds=3)
    assert scene.metrics()["chain_head_age_seconds"] == 0


def test_a_follower_ahead_of_a_node_that_lags_is_not_behind() -> None:
    assert replace(WELL, height=103).lag_blocks == 0


def test_a_chain_whose_head_is_far_below_what_was_followed_is_not_ready() -> None:
    """Nothing that is paid there is seen until the head is above it again."""
    scene = Scene()
    for height, is_ready in ((100 + 256, True), (100 + 257, False)):
        scene.said = replace(WELL, height=height)
        check = check_of(scene)
        assert check.is_ready == is_ready
        assert ("257 blocks below" in str(check.details.get("reason"))) != is_ready
    scene.said = replace(WELL, height=500, is_standing_by=True)
    assert check_of(scene).is_ready


def test_an_endpoint_that_is_set_aside_is_shown_and_makes_nothing_unready() -> None:
    scene = Scene()
    check = check_of(scene)
    assert check.is_ready
    assert check.details == {
        "chain_id": "eip155:1",
        "height": 95,
        "head": 100,
        "finalized": 64,
        "lag_blocks": 5,
        "endpoints": [
            {
                "number": 1,
                "state": "set aside",
                "height": 90,
                "failures": 3,
                "reason": "a node did not answer: TimeoutError",
            },
            {"number": 2, "state": "in use", "height": 100, "failures": 0, "reason": None},
        ],
    }


def test_a_chain_that_was_never_heard_of_is_not_ready_unless_another_process_follows_it() -> None:
    scene = Scene()
    scene.said = NOTHING
    assert not check_of(scene).is_ready
    scene.said = replace(NOTHING, is_standing_by=True)
    check = check_of(scene)
    assert check.is_ready
    assert check.details == {"chain_id": "eip155:1", "height": None, "standing_by": True}


def test_transfers_that_nobody_attests_are_shown() -> None:
    assert replace(WELL, unattested=2).details()["unattested"] == 2
    assert "unattested" not in WELL.details()


def test_what_the_ledger_refuses_is_told() -> None:
    assert replace(WELL, refused=2).details()["refused"] == 2
    assert "refused" not in WELL.details()
    scene = Scene()
    scene.said = replace(WELL, refused=2)
    assert scene.metrics()["chain_refused"] == 2
