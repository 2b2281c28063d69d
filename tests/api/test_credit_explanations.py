"""Explanations over HTTP: every digit has its terms, periods open into lines, and old answers stay."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.api.test_credit_accounts import account, granted
from tests.api.world import World


async def story(ledger: World) -> tuple[str, dict[str, Any]]:
    """An account with a little of everything, over two months."""
    path = await account(ledger, overage_max="5")
    bought = await granted(ledger, path, "10", expires_at="2026-02-20T00:00:00Z")
    await ledger.post(f"{path}/consume", {"amount": "3", "reference": "first"})
    await ledger.post(f"{path}/holds", {"amount": "2", "expires_in_seconds": 60})
    ledger.clock.turn(days=2)
    await ledger.post(f"{path}/consume", {"amount": "8", "reference": "second"})
    await ledger.post(f"{path}/consume", {"amount": "1", "reference": "third"})
    return path, bought


async def explained(ledger: World, path: str, **query: Any) -> dict[str, Any]:
    response = await ledger.get(f"{path}/explain", **query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def total(lines: list[dict[str, Any]], part: str) -> Decimal:
    return sum(
        (
            Decimal(move["amount"])
            for line in lines
            for move in line["changes"]
            if move["part"] == part
        ),
        Decimal(0),
    )


async def test_each_digit_is_the_sum_of_its_terms_and_of_its_lines(ledger: World):
    path, bought = await story(ledger)
    told = await explained(ledger, path, limit=100)
    assert told["balance"] == (await ledger.get(path)).json()["balance"]
    for digit in told["digits"]:
        assert Decimal(digit["amount"]) == sum(Decimal(it["amount"]) for it in digit["terms"])
        assert Decimal(digit["amount"]) == Decimal(told["balance"][digit["part"]])
        assert Decimal(digit["amount"]) == total(told["lines"], digit["part"])
    consumed = next(it for it in told["digits"] if it["part"] == "consumed")
    assert consumed["terms"] == [
        {"kind": "consumed", "events": 3, "amount": "12.000000", "amount_minor": "12000000"}
    ]
    assert [(it["id"], it["granted"], it["burnt"]) for it in told["grants"]] == [
        (bought["id"], "10.000000", "10.000000")
    ]


async def test_a_period_opens_into_its_lines_page_by_page(ledger: World):
    path, _ = await story(ledger)
    told = await explained(ledger, path, limit=1)
    assert [it["period"] for it in told["periods"]] == ["2026-01", "2026-02"]
    assert told["has_more"]
    february = await explained(ledger, path, period="2026-02", limit=2)
    kinds = [line["kind"] for line in february["lines"]]
    after = february["lines"][-1]["position"]
    rest = await explained(ledger, path, period="2026-02", starting_after=after)
    kinds += [line["kind"] for line in rest["lines"]]
    assert kinds == ["hold_released", "consumed", "consumed"]
    assert not rest["has_more"]
    assert february["balance"] == told["balance"]
    days = await explained(ledger, path, period="2026-01", by="day")
    assert [it["period"] for it in days["periods"]] == ["2026-01-31"]


async def test_a_balance_that_was_is_explained_as_it_was_told(ledger: World):
    path, bought = await story(ledger)
    for position in range(2, len(await ledger.events()) + 1):
        told = await explained(ledger, path, as_of=position)
        assert told["balance"] == (await ledger.get(path, as_of=position)).json()["balance"]
        assert told["position"] == position
    of_grant = await explained(ledger, path, grant=bought["id"], limit=100)
    assert "third" not in {
        line["reference"] for line in of_grant["lines"]
    }  # nothing was left of it


async def test_what_time_has_done_is_said_before_an_event_says_so(ledger: World):
    path = await account(ledger)
    await granted(ledger, path, "10", expires_at="2026-02-20T00:00:00Z")
    ledger.clock.turn(days=30)
    told = await explained(ledger, path)
    assert told["lines"][-1]["position"] is None
    assert told["lines"][-1]["kind"] == "grant_over"
    assert told["balance"] == (await ledger.get(path)).json()["balance"]
    assert told["balance"]["expired"] == "10.000000"


async def test_nobody_explains_what_is_not_theirs(ledger: World):
    path, _ = await story(ledger)
    stranger = ledger.key(await ledger.merchant("other"))
    assert (await ledger.get(f"{path}/explain", key=stranger)).status_code == 404
    weak = ledger.key(ledger.merchant_id, "payments:read")
    assert (await ledger.get(f"{path}/explain", key=weak)).status_code == 403
    assert (await ledger.get(f"{path}/explain", period="soon")).status_code == 422
