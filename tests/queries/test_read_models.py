"""What the read models answer is what the domain says of the same history."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from flamewire_ledger.domain import credit_account
from flamewire_ledger.domain.credit_account.earning import earned
from flamewire_ledger.queries.database import ReadModelNotBuilt
from flamewire_ledger.queries.pages import CursorError, Listing, Page
from flamewire_ledger.queries.read_models import UnknownQuestion
from tests.domain.books import Books
from tests.domain.payment.samples import PAYMENT, final, gone, minute, request, story
from tests.projector.stories import NOON, Told, record
from tests.queries.conftest import World


async def test_payments_are_where_the_domain_says_they_are(world: World) -> None:
    await world.tell(400)
    for payment_id, payment in world.stories.payments.items():
        row = await world.models.payment(world.stories.owner[payment_id], payment_id)
        assert row is not None
        totals = payment.totals
        assert (row["status"], set(row["labels"])) == (payment.status, payment.labels)
        shown = tuple(row[f"{name}_units"] for name in ("detected", "confirmed", "excess", "due"))
        assert shown == (
            totals.detected.units,
            totals.confirmed.units,
            totals.excess.units,
            totals.due.units,
        ), payment_id
        assert {
            (transfer["network"], transfer["transaction_id"]): transfer["status"]
            for transfer in row["transfers"]
        } == {
            (known.transfer.network, known.transfer.transaction_id): known.status
            for known in payment.arrivals.values()
        }
        if payment.status == "requires_action":
            assert row["why"] == payment.why


async def test_credit_accounts_have_the_balance_the_domain_has_at_any_time(world: World) -> None:
    await world.tell(600)
    times = [world.stories.now + timedelta(seconds=seconds) for seconds in (0, 300, 5_000)]
    for account_id, account in world.stories.accounts.items():
        for now in times:
            owner = world.stories.owner[account_id]
            row = await world.models.credit_account(owner, account_id, now)
            assert row is not None
            expected = credit_account.balance(account, now)
            for name in ("available", "held", "granted", "consumed", "expired", "owed"):
                assert row[f"{name}_units"] == getattr(expected, name).units, (account_id, name)
            assert row["reversed_units"] == expected.taken_back.units
            for grant in await world.models.grants(owner, account_id, now):
                parts = ("remaining", "held", "consumed", "expired", "reversed")
                assert grant["granted_units"] == sum(grant[f"{part}_units"] for part in parts)


async def test_grants_come_in_the_order_they_burn(world: World) -> None:
    await world.tell(500)
    compared = 0
    for account_id, account in world.stories.accounts.items():
        now = world.stories.now
        row = await world.models.credit_account(world.stories.owner[account_id], account_id, now)
        assert row is not None
        burning = [grant["grant_id"] for grant in row["grants"] if grant["remaining_units"]]
        assert burning == [
            grant.terms.grant_id
            for grant in credit_account.grants_in_burn_order(account, now)
            if grant.remaining and not grant.is_over(now)
        ]
        compared += len(burning)
    assert compared > 10


async def test_entries_add_up_to_the_balance(world: World) -> None:
    await world.tell(400)
    for account_id, account in world.stories.accounts.items():
        owner = world.stories.owner[account_id]
        lines = await world.models.credit_entries(owner, account_id, Page(limit=100))
        if not lines.rows or lines.has_more:
            continue
        remaining = sum(grant.remaining for grant in account.grants)
        assert lines.rows[0]["balance_units"] == remaining
        assert sum(line["available_units"] for line in lines.rows) == remaining
        assert sum(line["held_units"] for line in lines.rows) == sum(
            hold.units for hold in account.holds.values()
        )


async def test_balances_are_those_of_the_postings_now_and_at_any_position(world: World) -> None:
    await world.tell(300)
    head = await world.store.head(0)
    for merchant_id in ("mer_0", "mer_1"):
        for as_of in (None, head, head // 2, 1):
            told = world.stories.told[: head if as_of is None else as_of]
            books = Books(each.event for each in told if each.merchant_id == merchant_id)
            listing = await world.models.balances(merchant_id, as_of=as_of)
            assert not listing.has_more
            shown = {
                (row["account"], row["asset"]): row["debit_units"] - row["credit_units"]
                for row in listing.rows
            }
            assert +Counter(shown) == +books.balances
            for row in await world.models.trial_balance(merchant_id, as_of=as_of):
                assert row["debit_units"] == row["credit_units"]


async def test_lists_can_be_walked_to_their_end_and_back(world: World) -> None:
    await world.tell(300)
    merchant = "mer_0"
    models = world.models
    every = [
        payment_id
        for payment_id in sorted(world.stories.payments, reverse=True)
        if world.stories.owner[payment_id] == merchant
    ]
    seen: list[str] = []
    page = Page(limit=7)
    while True:
        listing = await models.payments(merchant, page)
        seen += [row["payment_id"] for row in listing.rows]
        if not listing.has_more:
            break
        page = Page(limit=7, starting_after=seen[-1])
    assert seen == every
    back = await models.payments(merchant, Page(limit=3, ending_before=every[5]))
    assert [row["payment_id"] for row in back.rows] == every[2:5]
    assert back.has_more
    first = await models.payments(merchant, Page(limit=9, ending_before=every[2]))
    assert [row["payment_id"] for row in first.rows] == every[:2]
    assert not first.has_more


async def test_ledger_entries_are_paged_by_position_and_line(world: World) -> None:
    await world.tell(300)
    merchant = "mer_0"
    postings = [
        (posting.debit, posting.credit)
        for each in world.stories.told
        if each.merchant_id == merchant
        for posting in getattr(each.event, "postings", ())
    ]

    async def walk(account: str | None) -> list[tuple[str, str]]:
        seen: list[tuple[str, str]] = []
        page = Page(limit=5)
        while True:
            listing: Listing = await world.models.ledger_entries(merchant, page, account=account)
            seen += [(row["debit"], row["credit"]) for row in listing.rows]
            if not listing.has_more:
                return seen
            last = listing.rows[-1]
            page = Page(limit=5, starting_after=f"{last['position']}-{last['line']}")

    assert await walk(None) == postings[::-1]
    account = "liabilities:customer_unapplied"
    assert await walk(account) == [sides for sides in postings[::-1] if account in sides]
    last = (await world.models.ledger_entries(merchant, Page(limit=3))).rows[-1]
    cursor = f"{last['position']}-{last['line']}"
    back = await world.models.ledger_entries(merchant, Page(limit=9, ending_before=cursor))
    assert [(row["debit"], row["credit"]) for row in back.rows] == postings[::-1][:2]
    with pytest.raises(CursorError):
        await world.models.ledger_entries(merchant, Page(starting_after="1;2"))
    with pytest.raises(CursorError):
        await world.models.audit_trail(merchant, Page(starting_after="x"))


async def test_another_merchants_things_are_not_there(world: World) -> None:
    await world.tell(300)
    models, now = world.models, world.stories.now
    payment_id = next(iter(world.stories.payments))
    account_id = next(iter(world.stories.accounts))
    other = {"mer_0": "mer_1", "mer_1": "mer_0"}
    stranger = other[world.stories.owner[payment_id]]
    assert await models.payment(stranger, payment_id) is None
    assert (
        await models.credit_account(other[world.stories.owner[account_id]], account_id, now) is None
    )
    listed = await models.payments(stranger, Page(limit=100))
    assert payment_id not in {row["payment_id"] for row in listed.rows}


async def test_only_what_is_due_in_its_mode_is_due(world: World) -> None:
    await world.tell(500)
    late = world.stories.now + timedelta(days=1)
    due = [
        row
        for livemode in (True, False)
        for row in await world.models.due_deadlines(late, livemode=livemode, limit=10_000)
    ]
    kinds = Counter(row["kind"] for row in due)
    assert set(kinds) == {"payment", "price_lock", "hold", "grant", "credit_day"}
    holds = {row["subject_id"] for row in due if row["kind"] == "hold"}
    assert holds == {hold for account in world.stories.accounts.values() for hold in account.holds}
    accounts = world.stories.accounts
    days = {row["subject_id"] for row in due if row["kind"] == "credit_day"}
    told = {name: earned(account, late) for name, account in accounts.items()}
    assert days >= {name for name, facts in told.items() if any(it.grants for it in facts)}
    closing = [(accounts[name], credit_account.CloseDay(name, late)) for name in days]
    assert all(credit_account.decide(*asked) for asked in closing)  # which is not asked again
    live = await world.models.due_deadlines(late, livemode=True, limit=10_000)
    assert {row["merchant_id"] for row in live} == {"mer_0"}
    assert [row["due_at"] for row in live] == sorted(row["due_at"] for row in live)
    behind = await world.models.due_deadlines(
        late, livemode=True, limit=5, after=(live[2]["due_at"], live[2]["subject_id"])
    )
    assert behind[0] == live[3]
    assert await world.models.due_deadlines(NOON, livemode=True) == []


async def test_a_payment_whose_success_was_undone_ends_in_time_whatever_else_came(
    world: World,
) -> None:
    """Late money counts as seen and not towards the payment: it must not keep it open for ever."""
    events = story().given(request(), final(100), final(100, "0xb", at=20), gone(at=21)).events
    await record(world.store, [Told("mer_0", PAYMENT, event) for event in events])
    await world.projector.catch_up()
    row = await world.models.payment("mer_0", PAYMENT)
    assert row is not None
    assert (row["status"], row["detected_units"]) == ("processing", row["amount_units"])
    due = [
        row["subject_id"]
        for livemode in (True, False)
        for row in await world.models.due_deadlines(minute(200), livemode=livemode)
    ]
    assert due == [PAYMENT]


async def test_a_key_is_found_by_its_hash_and_says_when_it_was_revoked(world: World) -> None:
    await world.tell(200)
    created = [
        each.event
        for each in world.stories.told
        if each.event.type == "merchant.api_key_created.v1"
    ]
    row = await world.models.api_key(created[0].secret_sha256)
    assert row is not None
    assert (row["key_id"], row["merchant_id"]) == (created[0].key_id, created[0].merchant_id)
    assert row["merchant_name"].startswith("shop ")
    assert await world.models.api_key("0" * 64) is None
    listed = await world.models.api_keys(limit=2)
    assert len(listed.rows) == 2
    assert listed.has_more


async def test_deposits_lead_from_an_address_to_its_payment(world: World) -> None:
    await world.tell(200)
    payment_id = next(iter(world.stories.payments))
    rows = await world.models.deposits_at("bittensor", [f"5F{payment_id}", "5Fnobody"])
    assert [row["payment_id"] for row in rows] == [payment_id]
    after = await world.models.deposits_after("ethereum", rows[0]["position"])
    assert payment_id not in {row["payment_id"] for row in after}


async def test_waiting_ends_when_the_read_model_has_come_there(world: World) -> None:
    await world.tell(50)
    head = await world.store.head(0)
    models = world.models
    assert await models.wait_for(0, head, ["payment_status"], 0.5)
    begin = time.monotonic()
    assert not await models.wait_for(0, head + 1, ["payment_status"], 0.2)
    assert time.monotonic() - begin < 1
    waiting = [
        asyncio.create_task(models.wait_for(0, head + 1, ["payment_status"], 10)) for _ in range(50)
    ]
    await asyncio.sleep(0.05)
    while await world.store.head(0) == head:
        await world.tell(5)
    assert all(await asyncio.gather(*waiting))


async def test_a_model_that_is_not_built_says_so(world: World) -> None:
    with pytest.raises(ReadModelNotBuilt):
        await world.models.payment("mer_0", "pi_1")
    assert not await world.models.wait_for(0, 1, ["payment_status"], 0.05)


async def test_any_question_can_be_asked_by_its_name(world: World) -> None:
    await world.tell(100)
    asked: dict[str, Any] = {"merchant_id": "mer_0"}
    assert len(await world.models.ask("merchants", "merchant_by_id", asked)) == 1
    with pytest.raises(UnknownQuestion):
        await world.models.ask("merchants", "payment_by_id", asked)
