"""ReadModels: every question the API, the command line and the processes may ask of the read side.

Rows are dicts by the column names in projections/*/schema.sql. Units are int (base units), times
are aware UTC, JSON columns are decoded. Everything takes the merchant it is asked for, and another
merchant's things are not there. In lists the newest come first.

    payment · payments                          with `transfers` in each row
    price_lock · price_locks
    credit_account · credit_accounts            balances as they are at `now`; grants in burn order
    account_facts                               the same, from a cache where there is one
    grants · grant · hold · holds · credit_entries
    invoice · invoices
    balances · trial_balance · holdings · ledger_entries   as of now, or of a position
    audit_trail
    api_key · api_keys · merchant · merchants_by_name
    deposits_at · deposits_after                for watchers, over all merchants
    due_deadlines                               for processes, over all merchants of one mode
    wait_for · positions                        how far the read models have come
    ask                                         any other question, by its name
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from flamewire_ledger.queries.credit_account import GRANTS_MAX, QUESTION, ask_facts, row_at
from flamewire_ledger.queries.database import ReadPool, Row, ask
from flamewire_ledger.queries.facts import Cache, Facts
from flamewire_ledger.queries.pages import Listing, Page, entry_cursor, positions_only
from flamewire_ledger.queries.progress import Progress
from flamewire_ledger.queries.statements import queries_of

PAGE_ROWS_MAX: Final = 100
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ReadModels:
    """Answers over a pool from `read_pool`, which somebody else opens and closes."""

    def __init__(self, pool: ReadPool, cache: Cache | None = None) -> None:
        """`cache`: for what is asked for most; see facts.py."""
        self._pool = pool
        self._progress = Progress(pool)
        self.account_facts = Facts(
            partial(ask_facts, pool),
            QUESTION,
            None if cache is None else cache("credit_balance", "ca_"),
        )

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Row]:
        """Any question of projections/<projection>/queries.sql, by its name.

        Raises ReadModelNotBuilt; UnknownQuestion when the projection answers no such question.
        """
        if question not in queries_of(projection):
            raise UnknownQuestion(f"{projection} answers no question {question}")
        return await ask(self._pool, question, **parameters)

    async def wait_for(
        self, partition: int, position: int, names: Collection[str], timeout_seconds: float
    ) -> bool:
        """Whether the named read models have come to the position, now or before time is up."""
        return await self._progress.wait_for(partition, position, names, timeout_seconds)

    async def positions(self) -> Mapping[tuple[str, int], int]:
        """How far each live read model is: (name, partition) → position."""
        return await self._progress.positions()

    # Payments and price locks.

    async def payment(self, merchant_id: str, payment_id: str) -> Row | None:
        return await self._one("payment_by_id", merchant_id=merchant_id, payment_id=payment_id)

    async def payments(
        self,
        merchant_id: str,
        page: Page,
        *,
        status: str | None = None,
        reference: str | None = None,
        credit_account_id: str | None = None,
    ) -> Listing:
        return await self.listing(
            "payments",
            page,
            merchant_id=merchant_id,
            status=status,
            reference=reference,
            credit_account_id=credit_account_id,
        )

    async def price_lock(self, merchant_id: str, lock_id: str) -> Row | None:
        return await self._one("price_lock_by_id", merchant_id=merchant_id, lock_id=lock_id)

    async def price_locks(self, merchant_id: str, page: Page) -> Listing:
        return await self.listing("price_locks", page, merchant_id=merchant_id)

    # Credits.

    async def credit_account(self, merchant_id: str, account_id: str, now: datetime) -> Row | None:
        """The account, with `grants` in burn order: at most GRANTS_MAX, none that is used up.

        The balance is as of `now`: what has lapsed counts as expired, and holds whose time is up
        as let go, whether or not that was booked yet. Of `account_facts`, which may be cached.
        """
        told = (await ask_facts(self._pool, [(merchant_id, account_id)])).values()
        return next((row_at(each.facts, now) for each in told), None)

    async def grants(self, merchant_id: str, account_id: str, now: datetime) -> Sequence[Row]:
        """Grants of an account, used up or not, in burn order; at most GRANTS_MAX."""
        rows = await ask(
            self._pool,
            "grants_of_account",
            merchant_id=merchant_id,
            account_id=account_id,
            now=now,
            limit=GRANTS_MAX,
        )
        return [_lapsed_grant(row) for row in rows]

    async def credit_accounts(
        self, merchant_id: str, page: Page, now: datetime, *, external_id: str | None = None
    ) -> Listing:
        """Accounts without their grants; balances as `credit_account` has them."""
        listing = await self.listing(
            "credit_accounts", page, merchant_id=merchant_id, now=now, external_id=external_id
        )
        return Listing([_lapsed_account(row) for row in listing.rows], listing.has_more)

    async def grant(self, merchant_id: str, grant_id: str, now: datetime) -> Row | None:
        row = await self._one("grant_by_id", merchant_id=merchant_id, grant_id=grant_id, now=now)
        return None if row is None else _lapsed_grant(row)

    async def hold(self, merchant_id: str, hold_id: str) -> Row | None:
        return await self._one("hold_by_id", merchant_id=merchant_id, hold_id=hold_id)

    async def holds(
        self, merchant_id: str, account_id: str, page: Page, *, status: str | None = None
    ) -> Listing:
        return await self.listing(
            "holds", page, merchant_id=merchant_id, account_id=account_id, status=status
        )

    async def credit_entries(self, merchant_id: str, account_id: str, page: Page) -> Listing:
        """Pages by position: a line's cursor is its `position` as text."""
        return await self.listing(
            "credit_entries", positions_only(page), merchant_id=merchant_id, account_id=account_id
        )

    # Invoices.

    async def invoice(self, merchant_id: str, invoice_id: str) -> Row | None:
        return await self._one("invoice_by_id", merchant_id=merchant_id, invoice_id=invoice_id)

    async def invoices(self, merchant_id: str, page: Page, **filters: object) -> Listing:
        """By what the question takes: status, payment_id, overdue at `now` … (None: any)."""
        return await self.listing("invoices", page, merchant_id=merchant_id, **filters)

    # Books.

    async def balances(
        self,
        merchant_id: str,
        *,
        limit: int = PAGE_ROWS_MAX,
        after: tuple[str, str] = ("", ""),
        before: tuple[str, str] | None = None,
        prefix: str = "",
        as_of: int | None = None,
    ) -> Listing:
        """Both sides of each account and asset, by account name: what follows `after`, or the last
        of what comes before `before`; each is an (account, asset).

        `prefix` narrows to accounts that begin so: `assets:wallet:`.
        """
        question = "balances" if before is None else "balances_before"
        way, (account, asset) = ("after", after) if before is None else ("before", before)
        parameters: dict[str, Any] = {
            "merchant_id": merchant_id,
            f"{way}_account": account,
            f"{way}_asset": asset,
            "prefix": prefix,
            "limit": limit + 1,
        }
        if as_of is not None:
            question, parameters["until"] = f"{question}_as_of", as_of
        rows = await ask(self._pool, question, **parameters)
        shown = rows[:limit] if before is None else rows[:limit][::-1]
        return Listing(shown, len(rows) > limit)

    async def trial_balance(self, merchant_id: str, *, as_of: int | None = None) -> Sequence[Row]:
        """The sums of both sides, one row an asset. They are equal, or the books are wrong."""
        if as_of is None:
            return await ask(self._pool, "trial_balance", merchant_id=merchant_id)
        return await ask(self._pool, "trial_balance_as_of", merchant_id=merchant_id, until=as_of)

    async def holdings(
        self, merchant_id: str, listed: Sequence[str], limit: int, *, as_of: int | None = None
    ) -> Listing:
        """What is in each wallet and for whom it is held, one row a network and asset; those whose
        codes are `listed` come first: anybody can fill a wallet with tokens of their own."""
        question = "holdings" if as_of is None else "holdings_as_of"
        until = {} if as_of is None else {"until": as_of}
        rows = await ask(
            self._pool,
            question,
            merchant_id=merchant_id,
            listed=list(listed),
            limit=limit + 1,
            **until,
        )
        return Listing(rows[:limit], len(rows) > limit)

    async def ledger_entries(
        self,
        merchant_id: str,
        page: Page,
        *,
        account: str | None = None,
        asset: str | None = None,
        stream_id: str | None = None,
        as_of: int | None = None,
    ) -> Listing:
        """Postings. A cursor is `<position>-<line>`; CursorError for anything else."""
        question = "ledger_entries" if account is None else "account_entries"
        parameters: dict[str, Any] = {
            "merchant_id": merchant_id,
            "asset": asset,
            "stream_id": stream_id,
            "until": as_of,
            "limit": page.limit + 1,
        }
        if account is not None:
            parameters["account"] = account
        if page.ending_before is None:
            position, line = entry_cursor(page.starting_after)
            rows = await ask(
                self._pool,
                f"{question}_older",
                before_position=position,
                before_line=line,
                **parameters,
            )
            return Listing(rows[: page.limit], len(rows) > page.limit)
        position, line = entry_cursor(page.ending_before)
        rows = await ask(
            self._pool, f"{question}_newer", after_position=position, after_line=line, **parameters
        )
        return Listing(rows[: page.limit][::-1], len(rows) > page.limit)

    async def audit_trail(
        self,
        merchant_id: str,
        page: Page,
        *,
        stream_id: str | None = None,
        event_type: str | None = None,
    ) -> Listing:
        """Pages by position: a row's cursor is its `position` as text."""
        return await self.listing(
            "audit",
            positions_only(page),
            merchant_id=merchant_id,
            stream_id=stream_id,
            type=event_type,
        )

    # Merchants and keys.

    async def api_key(self, secret_sha256: str) -> Row | None:
        """The key with this hash (hex), revoked or not; its `merchant_name` may be None."""
        return await self._one("api_key_by_secret", secret_sha256=secret_sha256)

    async def api_keys(
        self, *, merchant_id: str | None = None, after: str = "", limit: int = PAGE_ROWS_MAX
    ) -> Listing:
        """Keys, the oldest first; of all merchants when none is given."""
        rows = await ask(
            self._pool, "api_keys", merchant_id=merchant_id, after=after, limit=limit + 1
        )
        return Listing(rows[:limit], len(rows) > limit)

    async def merchant(self, merchant_id: str) -> Row | None:
        return await self._one("merchant_by_id", merchant_id=merchant_id)

    async def merchants_by_name(self, name: str, *, livemode: bool) -> Sequence[Row]:
        return await ask(
            self._pool, "merchants_by_name", name=name, livemode=livemode, limit=PAGE_ROWS_MAX
        )

    # What watchers and processes ask.

    async def deposits_at(
        self, network: str, addresses: Sequence[str], *, limit: int = 10_000
    ) -> Sequence[Row]:
        """Who was asked to be paid at these addresses, one row for each way to pay."""
        return await ask(
            self._pool, "deposits_at", network=network, addresses=list(addresses), limit=limit
        )

    async def deposits_after(
        self, network: str, position: int, *, limit: int = 10_000
    ) -> Sequence[Row]:
        """Addresses given out behind a position, in order."""
        return await ask(
            self._pool, "deposits_after", network=network, position=position, limit=limit
        )

    async def due_deadlines(
        self,
        now: datetime,
        *,
        livemode: bool,
        limit: int = 500,
        after: tuple[datetime, str] = (_LONG_AGO, ""),
    ) -> Sequence[Row]:
        """Whose time is up: {subject_id, stream_id, merchant_id, kind, due_at}, the oldest first.

        `kind` is payment, price_lock, hold, grant, warning (that a grant ends), recurring_grant,
        credit_day or invoice. `after` (due_at, subject_id) goes on behind a row: one for which nothing can be
        done yet is in the answer until something is.
        """
        rows: list[Row] = []
        for question in (
            "payments_to_expire",
            "price_locks_to_expire",
            "holds_to_expire",
            "grants_to_expire",
            "grants_to_warn",
            "recurring_grants_to_make",
            "credit_days_to_close",
            "invoices_to_fall_due",
        ):
            rows += await ask(
                self._pool,
                question,
                now=now,
                livemode=livemode,
                limit=limit,
                after_due_at=after[0],
                after_subject_id=after[1],
            )
        return sorted(rows, key=lambda row: (row["due_at"], row["subject_id"]))[:limit]

    async def _one(self, question: str, **parameters: Any) -> Row | None:
        rows = await ask(self._pool, question, **parameters)
        return rows[0] if rows else None

    async def listing(self, question: str, page: Page, **parameters: Any) -> Listing:
        """A page of any question that is there as `…_older` and `…_newer`: one row more than asked for
        says whether there is another.
        """
        limit = page.limit + 1
        if page.ending_before is None:
            cursor = page.starting_after
            rows = await ask(
                self._pool, f"{question}_older", starting_after=cursor, limit=limit, **parameters
            )
            return Listing(rows[: page.limit], len(rows) > page.limit)
        cursor = page.ending_before
        rows = await ask(
            self._pool, f"{question}_newer", ending_before=cursor, limit=limit, **parameters
        )
        return Listing(rows[: page.limit][::-1], len(rows) > page.limit)


class UnknownQuestion(LookupError):
    """No projection's queries.sql has a statement of this name."""


def _lapsed_account(row: Row) -> Row:
    """What the clock has done to an account that no event has said yet."""
    back = row["ended_units"] - row["ended_expired_units"] - row["ended_reversed_units"]
    return {
        **row,
        "available_units": row["available_units"] - row["lapsed_units"] + back,
        "held_units": row["held_units"] - row["ended_units"],
        "expired_units": row["expired_units"] + row["lapsed_units"] + row["ended_expired_units"],
        "reversed_units": row["reversed_units"] + row["ended_reversed_units"],
    }


def _lapsed_grant(row: Row) -> Row:
    if not row["has_lapsed"]:
        return row
    return {
        **row,
        "remaining_units": 0,
        "expired_units": row["expired_units"] + row["remaining_units"],
    }
