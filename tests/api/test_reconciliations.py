"""Runs over real blocks and read models: what is planted is found, and what is in order is left alone."""

from __future__ import annotations

from dataclasses import replace

from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.invoice import record_payment
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.invoice import RecordInvoicePayment
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.processes.reconciliation.chain_side import (
    ReconciliationLimits,
    ReconciliationRefused,
)
from tests.api.reconciling import TAO, Auditor, kinds, other_id
from tests.api.test_invoices import done, opened, react
from tests.api.world import World


async def test_a_run_of_one_merchant_says_nothing_of_anothers_payments(ledger: World):
    auditor = Auditor(ledger)
    other = ledger.key(await ledger.merchant("other"))
    for key in (None, other):
        await auditor.pay(await auditor.ask(key))
    await auditor.settle()
    own = (await auditor.reconcile(ledger.merchant_id)).command
    assert own.exceptions == ()
    assert own.completed.matched == 1
    assert [(it.standing, it.count) for it in own.completed.standings] == [("posted_automatic", 1)]
    everybody = (await auditor.reconcile()).command
    assert everybody.exceptions == ()
    assert everybody.completed.matched == 2


async def test_a_run_up_to_an_earlier_block_settles_nothing_of_a_later_one(ledger: World):
    auditor = Auditor(ledger)
    await auditor.pay(await auditor.ask())
    early = auditor.began or 0
    ledger.clock.turn(seconds=120)
    missing = await auditor.reconcile()
    assert [kind for kind, _ in kinds(missing)] == ["missing_on_books"]
    again = await auditor.reconcile(first=early, last=early)
    assert again.settles == []
    assert again.command.completed.found == 1
    await auditor.settle()
    mended = await auditor.reconcile()
    assert [it.settled for it in mended.settles] == ["posted_automatically"]


async def test_what_is_on_its_way_when_its_term_ends_is_not_missing(ledger: World):
    auditor = Auditor(ledger)
    made = await auditor.ask(expires_in_seconds=60)
    await auditor.pay(made)
    ledger.clock.turn(seconds=0.3)
    await auditor.follow()
    async with auditor.finality_held():
        ledger.clock.turn(minutes=20)
        assert kinds((await auditor.derive())[1]) == []
        ledger.clock.turn(days=1)
        assert kinds((await auditor.derive())[1]) == [("missing_past_term", made["id"])]


async def test_a_term_that_ended_shortly_before_a_run_is_looked_at_by_the_next(ledger: World):
    auditor = Auditor(ledger)
    made = await auditor.ask(expires_in_seconds=60)
    ledger.clock.turn(minutes=3)
    assert kinds(await auditor.reconcile()) == []  # whoever ends payments may be about to
    ledger.clock.turn(minutes=30)
    assert kinds(await auditor.reconcile()) == [("missing_past_term", made["id"])]


async def test_all_that_is_planted_is_found_and_nothing_else(ledger: World):
    auditor = Auditor(ledger)
    made = [await auditor.ask() for _ in range(9)]
    sent = [await auditor.pay(it) for it in made[:7]]
    ledger.clock.turn(seconds=120)  # and nobody follows
    blocks = await auditor.blocks()
    true, missing, double, short, long, asset, address = sent
    amount = short.amount
    lies = [
        (made[0], true),
        (made[2], double),
        (made[7], double),
        (made[3], replace(short, amount=Amount(amount.asset, amount.units - 1))),
        (made[4], replace(long, amount=Amount(amount.asset, amount.units + 1))),
        (made[5], replace(asset, amount=Amount(Asset("bittensor:ALPHA", 9), amount.units))),
        (made[6], replace(address, address=true.address)),
        (made[8], other_id(true)),
    ]
    for payment, told in lies:
        await auditor.confirm(payment["id"], told, blocks.get(told.key, blocks[true.key]))
    derived = await auditor.reconcile()
    assert sorted(kinds(derived)) == sorted(
        [
            ("missing_on_books", missing.key),
            ("booked_twice", double.key),
            ("under", short.key),
            ("over", long.key),
            ("currency_mismatch", asset.key),
            ("wrong_address", address.key),
            ("not_on_chain", other_id(true).key),
        ]
    )
    assert derived.command.completed.matched == 1
    again = await auditor.reconcile(first=auditor.began or 0)
    assert (kinds(again), again.settles, len(again.kept)) == ([], [], 7)


async def test_a_run_made_again_with_the_same_pins_says_the_same(ledger: World):
    auditor = Auditor(ledger)
    await auditor.pay(await auditor.ask())
    ledger.clock.turn(seconds=120)
    run, _ = auditor.reconciling()
    pins = await run.pins(None, None)
    first = await run.derive(pins)
    await auditor.reconcile()
    await auditor.settle()
    await auditor.reconcile()
    assert await run.derive(pins) == first


async def test_what_became_final_a_moment_ago_is_about_to_be_booked_and_not_missing(ledger: World):
    auditor = Auditor(ledger)
    made = await auditor.ask()
    await auditor.pay(made)
    ledger.clock.turn(seconds=0.3)
    await auditor.follow()
    ledger.clock.turn(seconds=30)  # now it is final, and the follower has not looked since
    asked = 0

    async def follows() -> int:
        nonlocal asked
        asked += 1
        if asked > 1:  # a run was made meanwhile
            await auditor.follow()
        return (await auditor.chain.heads()).latest.height

    limits = ReconciliationLimits(follower_seconds_max=0.3)
    run, _ = auditor.reconciling(followed=follows, limits=limits)
    derived = await run.settled(None, None)
    assert (kinds(derived), derived.command.completed.matched) == ([], 1)


async def test_what_nobody_books_is_missing_however_long_one_waits(ledger: World):
    auditor = Auditor(ledger)
    made = await auditor.ask()
    await auditor.pay(made)
    ledger.clock.turn(seconds=0.3)
    await auditor.follow()
    ledger.clock.turn(seconds=30)

    async def stands_still() -> int:
        return (await auditor.chain.heads()).latest.height

    limits = ReconciliationLimits(follower_seconds_max=0.03)
    run, _ = auditor.reconciling(followed=stands_still, limits=limits)
    assert [kind for kind, _ in kinds(await run.settled(None, None))] == ["missing_on_books"]


async def test_an_invoice_says_what_its_payment_says(ledger: World):
    auditor = Auditor(ledger)
    await auditor.begin()
    invoice = await opened(ledger)
    asked = await done(ledger, f"{invoice['id']}/pay", {"pay_with": TAO})
    await auditor.pay(asked["payment_intent"])
    await auditor.settle()
    ledger.clock.turn(minutes=11)  # and nobody tells the invoice
    assert kinds(await auditor.reconcile()) == [("invoice_not_paid", invoice["id"])]
    await react(ledger)
    ledger.clock.turn(minutes=5)
    again = await auditor.reconcile()
    assert ([it.settled for it in again.settles], kinds(again)) == (["posted_automatically"], [])


async def test_an_invoice_that_counts_what_never_came_is_found(ledger: World):
    auditor = Auditor(ledger)
    await auditor.begin()
    invoice = await opened(ledger)
    asked = (await done(ledger, f"{invoice['id']}/pay", {"pay_with": TAO}))["payment_intent"]
    due = Amount.parse(asked["amount"], Asset(asked["currency"], 2))
    lie = RecordInvoicePayment(invoice["id"], asked["id"], due, (), ledger.clock.now(), 1)
    origin = Origin(command_id("lie"), ledger.merchant_id, "test")
    assert isinstance(await ledger.writer.submit(record_payment(origin, lie)), Done)
    ledger.clock.turn(minutes=40)
    assert sorted(kinds(await auditor.reconcile(ledger.merchant_id))) == [
        ("invoice_paid_without_money", invoice["id"]), ("missing_past_term", asked["id"]),
    ]  # fmt: skip


async def test_a_reorganisation_below_the_last_run_is_said_and_not_waited_for(ledger: World):
    auditor = Auditor(ledger)
    await auditor.pay(await auditor.ask(), behaviour="reorg")
    began, said = auditor.began or 0, ""
    for _ in range(30):
        ledger.clock.turn(seconds=12)
        await auditor.follow()
        try:
            await auditor.reconcile()
        except ReconciliationRefused as refused:
            said = str(refused)
            if "another block" in said:
                break
    assert "`first_block`, or --from" in said
    assert (await auditor.reconcile(first=began)).command.completed.found == 0
