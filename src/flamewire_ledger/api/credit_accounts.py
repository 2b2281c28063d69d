"""Credit accounts: opening one, granting, burning and holding credits, and where they went."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from flamewire_ledger.api import credit_account_views as views
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.currencies import read_amount
from flamewire_ledger.api.models.credit_accounts import (
    CaptureHoldBody,
    ConsumeCreditsBody,
    CreateCreditAccount,
    GrantCreditsBody,
    HoldCreditsBody,
    ListCreditAccounts,
    ListHolds,
)
from flamewire_ledger.api.reading import as_of, find, find_facts, listed, page_of
from flamewire_ledger.api.rendering import as_list, to_json
from flamewire_ledger.api.streams import events_of, own
from flamewire_ledger.commands import credit_account as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.domain.credit_account import (
    CREDIT,
    CaptureHold,
    ConsumeCredits,
    CreditAccount,
    CreditAccountCommand,
    CreditsConsumed,
    GrantCredits,
    HoldCaptured,
    HoldCredits,
    HoldReleased,
    OpenCreditAccount,
    ReleaseHold,
)
from flamewire_ledger.domain.identifiers import derived_id, is_id
from flamewire_ledger.domain.rejection import NotFound
from flamewire_ledger.queries.credit_account import row_at

READ_MODEL = "credit_balance"
ENTRIES = "credit_entries"
Fact = TypeVar("Fact")


async def create(call: Call) -> Envelope:
    body: CreateCreditAccount = call.body
    now = call.now()
    account_id = derived_id("ca", now, str(call.command_id))
    overage_max = read_amount(body.overage_max, CREDIT, "/overage_max", zero=True)
    command = OpenCreditAccount(account_id, body.external_id, body.name, now, overage_max)
    return commands.envelope(
        call.origin, command, lambda it: to_json(views.of_state(it.after[account_id], now))
    )


async def grant(call: Call) -> Envelope:
    body: GrantCreditsBody = call.body
    now = call.now()
    grant_id = derived_id("gr", now, str(call.command_id))
    command = GrantCredits(
        account_id=call.path["id"],
        grant_id=grant_id,
        amount=read_amount(body.amount, CREDIT),
        source=body.source,
        at=now,
        priority=body.priority,
        expires_at=body.expires_at,
    )

    def shown(account: CreditAccount, _: Decision) -> dict[str, Any]:
        made = account.grant(grant_id)
        assert made is not None, "it was granted just now"
        return {**views.grant_of(made, now), "credit_account_id": command.account_id}

    return await on_account(call, command, now, shown)


async def consume(call: Call) -> Envelope:
    body: ConsumeCreditsBody = call.body
    now = call.now()
    amount = read_amount(body.amount, CREDIT)
    command = ConsumeCredits(call.path["id"], amount, now, body.reference)

    def shown(_: CreditAccount, decision: Decision) -> dict[str, Any]:
        return views.consumption(fact_of(decision, command.account_id, CreditsConsumed))

    return await on_account(call, command, now, shown)


async def hold(call: Call) -> Envelope:
    body: HoldCreditsBody = call.body
    now = call.now()
    command = HoldCredits(
        account_id=call.path["id"],
        hold_id=derived_id("ho", now, str(call.command_id)),
        amount=read_amount(body.amount, CREDIT),
        expires_at=now + timedelta(seconds=body.expires_in_seconds),
        at=now,
    )

    def shown(_: CreditAccount, __: Decision) -> dict[str, Any]:
        return views.hold(
            hold_id=command.hold_id,
            account_id=command.account_id,
            status="held",
            units=command.amount.units,
            captured=0,
            reference=None,
            expires_at=command.expires_at,
        )

    return await on_account(call, command, now, shown)


async def capture(call: Call) -> Envelope:
    body: CaptureHoldBody = call.body
    now = call.now()
    amount = None if body.amount is None else read_amount(body.amount, CREDIT)
    command = CaptureHold(call.path["id"], _hold_id(call), now, amount, body.reference)

    def shown(_: CreditAccount, decision: Decision) -> dict[str, Any]:
        fact = fact_of(decision, command.account_id, HoldCaptured)
        return _ended(decision, command.account_id, command.hold_id, "captured", fact)

    return await on_account(call, command, now, shown)


async def release(call: Call) -> Envelope:
    now = call.now()
    command = ReleaseHold(call.path["id"], _hold_id(call), now)

    def shown(_: CreditAccount, decision: Decision) -> dict[str, Any]:
        fact = fact_of(decision, command.account_id, HoldReleased)
        return _ended(decision, command.account_id, command.hold_id, "released", fact)

    return await on_account(call, command, now, shown)


def _hold_id(call: Call) -> str:
    hold_id = call.path["hold"]
    if not is_id("ho", hold_id):
        raise NotFound("there is no such hold")
    return hold_id


def _ended(
    decision: Decision,
    account_id: str,
    hold_id: str,
    status: str,
    fact: HoldCaptured | HoldReleased,
) -> dict[str, Any]:
    """A hold that is over: what it was is in the state before."""
    before = decision.before[account_id].holds[hold_id]
    captured, reference = 0, None
    if isinstance(fact, HoldCaptured):
        captured, reference = fact.captured.units, fact.reference
    return views.hold(
        hold_id=hold_id,
        account_id=account_id,
        status=status,
        units=before.units,
        captured=captured,
        reference=reference,
        expires_at=before.expires_at,
    )


def fact_of(decision: Decision, account_id: str, kind: type[Fact]) -> Fact:
    """The fact of this kind that was decided: each of these commands leads to exactly one."""
    facts = decision.facts[account_id]
    last = facts[-1]  # it stands alone nearly always, or behind what lapsed before it
    return last if isinstance(last, kind) else next(it for it in facts if isinstance(it, kind))


async def on_account(
    call: Call,
    command: CreditAccountCommand,
    now: datetime,
    shown: Callable[[CreditAccount, Decision], dict[str, Any]],
) -> Envelope:
    """The command on an account of the caller's; its answer ends with the balance."""
    account_id = command.account_id
    await own(call, "ca", account_id)

    def answer(decision: Decision) -> bytes:
        account: CreditAccount = decision.after[account_id]
        view = shown(account, decision)
        view["balance"] = views.balance_of(account, now)
        return to_json(view)

    return commands.envelope(call.origin, command, answer)


async def get(call: Call) -> Answer:
    account_id, reads = call.path["id"], call.parts.reads
    if call.query.as_of is not None:
        return await _get_as_of(call, account_id)
    facts = await find_facts(call, "credit account", READ_MODEL, reads.account_facts, account_id)
    return Answer(to_json(views.of_row(row_at(facts, call.now()))))


async def _get_as_of(call: Call, account_id: str) -> Answer:
    """Folded from its own events. What had not been recorded as lapsed by then had not lapsed."""
    await own(call, "ca", account_id)
    position = await as_of(call, call.query.as_of)
    account: CreditAccount | None = None
    for event in await events_of(call, account_id, until=position):
        account = commands.CREDIT_ACCOUNT.evolve(account, event)
    if account is None:
        raise NotFound("there was no such credit account then")
    view = views.of_state(account, account.opened.opened_at)
    return Answer(to_json({**view, "position": position}))


async def list_all(call: Call) -> Answer:
    query: ListCreditAccounts = call.query
    listing = await listed(
        call,
        READ_MODEL,
        lambda: call.parts.reads.credit_accounts(
            call.merchant_id, page_of(call), call.now(), external_id=query.external_id
        ),
        ids="ca",
    )
    data = [views.of_row(row, with_grants=False) for row in listing.rows]
    return Answer(as_list(data, has_more=listing.has_more))


async def get_hold(call: Call) -> Answer:
    hold_id = _hold_id(call)
    row = await find(
        call, "hold", READ_MODEL, lambda: call.parts.reads.hold(call.merchant_id, hold_id)
    )
    if row["account_id"] != call.path["id"]:
        raise NotFound("there is no such hold of this account")
    return Answer(to_json(views.hold_of_row(row)))


async def list_holds(call: Call) -> Answer:
    query: ListHolds = call.query
    await own(call, "ca", call.path["id"])
    listing = await listed(
        call,
        READ_MODEL,
        lambda: call.parts.reads.holds(
            call.merchant_id, call.path["id"], page_of(call), status=query.status
        ),
        ids="ho",
    )
    data = [views.hold_of_row(row) for row in listing.rows]
    return Answer(as_list(data, has_more=listing.has_more))


async def list_entries(call: Call) -> Answer:
    await own(call, "ca", call.path["id"])
    listing = await listed(
        call,
        ENTRIES,
        lambda: call.parts.reads.credit_entries(call.merchant_id, call.path["id"], page_of(call)),
    )
    data = [views.entry_of_row(row) for row in listing.rows]
    return Answer(as_list(data, has_more=listing.has_more))
