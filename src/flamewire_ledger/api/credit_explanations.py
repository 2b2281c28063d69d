"""Explanations: the events and the arithmetic behind each digit of a balance, told from the account's
own stream.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.credit_account_views import balance_of_units
from flamewire_ledger.api.models.credit_explanations import ExplainAccount
from flamewire_ledger.api.reading import as_of
from flamewire_ledger.api.rendering import signed, time, to_json
from flamewire_ledger.api.streams import own
from flamewire_ledger.domain.credit_account import CREDIT, BalanceUnits
from flamewire_ledger.domain.credit_account.explaining import (
    BALANCE,
    Explanation,
    Line,
    Told,
)
from flamewire_ledger.domain.rejection import LimitReached, NotFound
from flamewire_ledger.store.event_store import EventStore, RecordedEvent

GRANTS_MAX: Final = 1000
PERIODS_MAX: Final = 1000
_PAGE: Final = 1_000  # between two of them, others get their turn
_PAGES_MAX: Final = 2_000
_NAMES: Final = {"taken_back": "reversed"}  # as the API has always called it


async def get(call: Call) -> Answer:
    query: ExplainAccount = call.query
    account_id = call.path["id"]
    await own(call, "ca", account_id)
    explanation = Explanation(
        days=query.by == "day",
        grant_id=query.grant,
        period=query.period or "",
        after=int(query.starting_after or 0),
        lines_max=query.limit,
    )
    if query.as_of is None:
        position = await call.parts.store.head(call.partition)
    else:
        position = await as_of(call, query.as_of)
    await fill(
        explanation, call.parts.store, call.parts.codec.decode, call.partition, account_id, position
    )
    if explanation.state is None:
        raise NotFound("there was no such credit account then")
    if query.as_of is None:
        explanation.until(call.now())
    return Answer(to_json({**rendered(explanation, account_id), "position": position}))


async def fill(
    explanation: Explanation,
    store: EventStore,
    decode: Callable[[RecordedEvent], Any],
    partition: int,
    account_id: str,
    until: int,
) -> None:
    """Tell it the account's events up to a position, page by page; LimitReached for too many."""
    async for recorded in _events(store, partition, account_id):
        if recorded.position > until:
            return
        explanation.take(recorded.position, decode(recorded))


async def _events(
    store: EventStore, partition: int, account_id: str
) -> AsyncIterator[RecordedEvent]:
    version = 0
    for _ in range(_PAGES_MAX):
        page = await store.read_stream(partition, account_id, after_version=version, limit=_PAGE)
        for recorded in page:
            yield recorded
        if len(page) < _PAGE:
            return
        version = page[-1].version
    raise LimitReached("this account has too long a history to be explained at once: say as_of")


def rendered(explanation: Explanation, account_id: str) -> dict[str, Any]:
    """The explanation as it is answered, but for its position."""
    total = explanation.totals.units
    units = BalanceUnits(**{part: total[part] for part in BALANCE})
    return {
        "object": "credit_explanation",
        "credit_account_id": account_id,
        "balance": balance_of_units(units),
        "digits": [_digit(explanation, part) for part in BALANCE],
        "grants": list(_grants(explanation)),
        "periods": [
            {"period": name, **_span(told), "changes": _moves(told.units)}
            for name, told in sorted(explanation.periods.items())[-PERIODS_MAX:]
        ],
        "lines": [_line(line) for line in explanation.lines],
        "has_more": explanation.has_more,
    }


def _digit(explanation: Explanation, part: Any) -> dict[str, Any]:
    return {
        "part": _NAMES.get(part, part),
        **signed("amount", CREDIT, explanation.totals.units[part]),
        "terms": [
            {
                "kind": kind,
                "events": told.events,
                **signed("amount", CREDIT, told.units[part]),
            }
            for kind, told in explanation.kinds.items()
            if told.units[part]
        ],
    }


def _grants(explanation: Explanation) -> Iterator[dict[str, Any]]:
    """In the order they came. What is too many to show is one sum, so that all still adds up."""
    rest = Told()
    for number, (grant_id, told) in enumerate(explanation.grants.items()):
        if number >= GRANTS_MAX:
            rest.units.update(told.units)
            rest.events += told.events
            continue
        terms = explanation.terms(grant_id)
        named = {
            "id": grant_id,
            "source": terms.source,
            "priority": terms.priority,
            "expires_at": time(terms.expires_at),
            "payment_intent_id": terms.payment_id,
        }
        yield {**named, **_of_grant(told)}
    if rest.events:
        names = ("id", "source", "priority", "expires_at", "payment_intent_id")
        yield {**dict.fromkeys(names), **_of_grant(rest)}


def _of_grant(told: Told) -> dict[str, Any]:
    parts = {
        "granted": "granted",
        "transferred_in": "transferred_in",
        "burnt": "consumed",
        "settled": "settled",
        "held": "held",
        "expired": "expired",
        "reversed": "taken_back",
        "transferred_out": "transferred_out",
        "available": "available",
    }
    units: Mapping[Any, int] = told.units
    shown = {name: signed(name, CREDIT, units[part])[name] for name, part in parts.items()}
    return {**shown, **_span(told)}


def _span(told: Told) -> dict[str, int]:
    return {
        "events": told.events,
        "first_position": told.first_position,
        "last_position": told.last_position,
    }


def _moves(units: Mapping[Any, int]) -> list[dict[str, Any]]:
    return [
        {"part": _NAMES.get(part, part), **signed("amount", CREDIT, moved)}
        for part, moved in units.items()
        if moved
    ]


def _line(line: Line) -> dict[str, Any]:
    return {
        "position": line.position,
        "kind": line.kind,
        "created_at": time(line.at),
        "reference": getattr(line.event, "reference", None),
        "hold_id": getattr(line.event, "hold_id", None),
        "payment_intent_id": getattr(line.event, "payment_id", None),
        "changes": _moves(line.units()),
        "grants": [
            {"grant_id": change.grant_id, "changes": _moves(change.units)}
            for change in line.changes
        ],
    }
