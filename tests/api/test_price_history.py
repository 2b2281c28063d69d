"""Prices as they were, from the log; and what was odd about them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from flamewire_ledger.commands import price as price_commands
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.price import BackfillPrices, Sample, owner_id, price_id
from flamewire_ledger.processes.price_recording import PriceRecording
from tests.api.world import NOON, World


def recording(ledger: World) -> PriceRecording:
    mode = ledger.parts.test
    return PriceRecording(mode.prices, ledger.writer, ledger.clock.now, livemode=False)


async def prices(ledger: World, *dollars: str) -> int:
    """TAO costs each of these, two minutes apart; the last position."""
    recorder = recording(ledger)
    for each in dollars:
        ledger.quotes["TAO"] = Decimal(each)
        await ledger.get("/v1/prices/TAO-EUR")
        await recorder.look()
        ledger.clock.turn(minutes=2)
    return await ledger.store.head(0)


async def test_a_history_is_what_was_recorded_newest_first(ledger: World):
    position = await prices(ledger, "400", "410", "405")
    body = (await ledger.get("/v1/prices/TAO-USD/history", min_position=position)).json()
    assert [it["price"] for it in body["data"]] == ["405", "410", "400"]
    assert {it["source"] for it in body["data"]} == {"quorum"}
    assert body["data"][-1]["at"] == "2026-01-31T12:00:00Z"
    assert (body["base"], body["quote"], body["has_more"]) == ("TAO", "USD", False)


async def test_a_history_of_any_pair_goes_through_the_dollar_of_that_time(ledger: World):
    position = await prices(ledger, "400", "410")
    path = "/v1/prices/TAO-EUR/history"
    body = (await ledger.get(path, min_position=position)).json()
    assert [it["price"] for it in body["data"]] == ["379.62962962962963", "370.37037037037037"]
    turned = (await ledger.get("/v1/prices/USD-TAO/history")).json()
    assert turned["data"][-1]["price"] == "0.0025"
    credits_ = (await ledger.get("/v1/prices/TAO-CREDIT/history")).json()
    assert [it["price"] for it in credits_["data"]] == ["410", "400"]


async def test_a_history_comes_in_pages_and_windows(ledger: World):
    position = await prices(ledger, "400", "410", "405")
    path = "/v1/prices/TAO-USD/history"
    first = (await ledger.get(path, limit=2, min_position=position)).json()
    assert ([it["price"] for it in first["data"]], first["has_more"]) == (["405", "410"], True)
    rest = (await ledger.get(path, limit=2, before=first["data"][-1]["at"])).json()
    assert ([it["price"] for it in rest["data"]], rest["has_more"]) == (["400"], False)
    since = (await ledger.get(path, since=first["data"][-1]["at"])).json()
    assert [it["price"] for it in since["data"]] == ["405", "410"]


async def test_what_was_filled_in_says_by_whose_word(ledger: World):
    position = await prices(ledger, "400")
    stream_id, owner = price_id("TAO", livemode=False), owner_id(livemode=False)
    past = tuple(Sample(Decimal(390 + n), NOON - timedelta(hours=3 - n)) for n in range(3))
    command = BackfillPrices(stream_id, "TAO", "coingecko", past)
    envelope = price_commands.envelope(Origin(command_id("fill"), owner, "cli"), command)
    position = (await ledger.writer.submit(envelope)).position
    body = (await ledger.get("/v1/prices/TAO-USD/history", min_position=position)).json()
    assert [(it["price"], it["source"]) for it in body["data"]] == [
        ("400", "quorum"), ("392", "coingecko"), ("391", "coingecko"), ("390", "coingecko"),
    ]  # fmt: skip


async def test_nothing_was_recorded_of_what_nobody_asked_for(ledger: World):
    assert (await ledger.get("/v1/prices/SUI-USD/history")).json()["data"] == []
    assert (await ledger.get("/v1/prices/SUI-SUI/history")).json()["data"] == []
    assert (await ledger.get("/v1/prices/DOGE-USD/history")).status_code == 404


async def test_alerts_are_newest_first_with_their_facts(ledger: World):
    position = await prices(ledger, "400", "300", "300")
    body = (await ledger.get("/v1/price_alerts", min_position=position)).json()
    (alert,) = body["data"]
    assert (alert["type"], alert["symbol"]) == ("price.deviation_detected.v1", "TAO")
    assert (alert["facts"]["kind"], alert["facts"]["deviation_ppm"]) == ("moved", 250_000)
    older = (await ledger.get("/v1/price_alerts", starting_after=alert["id"])).json()
    assert older["data"] == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/prices/TAO-USD/history", {"before": "yesterday"}),
        ("/v1/prices/TAO-USD/history", {"limit": 0}),
        ("/v1/price_alerts", {"starting_after": "evt_1"}),
    ],
)
async def test_what_makes_no_sense_is_a_problem(door: World, path: str, query: dict[str, object]):
    assert (await door.get(path, **query)).status_code == 422
