"""The examples are true, whatever the batches; and the folders are what the catalog says they may be."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from flamewire_ledger.projector.catalog import EVERYTHING
from flamewire_ledger.store.codec import event_classes
from tests.projections.examples import CATALOG, answers, table_rows


def _example(name: str) -> dict[str, Any]:
    return dict(json.loads(CATALOG.get(name).example))


@pytest.mark.parametrize("batch", [1, 2, 3, 1000])
@pytest.mark.parametrize("name", CATALOG.names)
async def test_an_example_is_answered_as_it_says(name: str, batch: int, ledger_url: str) -> None:
    await _expect(ledger_url, name, batch=batch, times=1)


@pytest.mark.parametrize("name", CATALOG.names)
async def test_an_example_that_comes_twice_is_applied_once(name: str, ledger_url: str) -> None:
    await _expect(ledger_url, name, batch=2, times=2)


@pytest.mark.parametrize("name", CATALOG.names)
async def test_rows_of_an_example_are_the_same_one_by_one_and_all_at_once(
    name: str, ledger_url: str
) -> None:
    example = _example(name)
    one_by_one = await table_rows(ledger_url, name, example, batch=1)
    assert await table_rows(ledger_url, name, example, batch=1000) == one_by_one


async def _expect(ledger_url: str, name: str, *, batch: int, times: int) -> None:
    example = _example(name)
    told = await answers(ledger_url, name, example, batch=batch, times=times)
    for asked, rows in zip(example["asked"], told, strict=True):
        shown = [
            {column: row[column] for column in expected}
            for row, expected in zip(rows, asked["answer"], strict=True)
        ]
        assert shown == asked["answer"], asked["question"]


@pytest.mark.parametrize("name", ["ledger_entries", "account_balance"])
def test_the_books_read_every_event_that_carries_postings(name: str) -> None:
    carrying = {
        event_class.type
        for event_class in event_classes()
        if "postings" in {field.name for field in dataclasses.fields(event_class)}
    }
    assert CATALOG.get(name).reads == carrying


def test_every_event_is_read_by_somebody_who_looks_into_it() -> None:
    looked_into = {
        event_type
        for projection in CATALOG
        for rule in projection.rules
        if rule.takes_data
        for event_type in rule.types
    }
    unseen = {event_class.type for event_class in event_classes()} - looked_into
    # The register's numbers are on the invoices; a rule that is removed says nothing but that; that
    # a grant is used up is a word to the outside, and the grant's own row has what is left of it; who
    # asks for webhooks again, or for one to try, asks the process that queues them; which meters a
    # subscription bills is in its own facts, and said here for those who would bill them, too.
    assert unseen <= {
        "invoice_register.number_assigned.v1",
        "metered_billing.meters_released.v1",
        "metered_billing.meters_taken.v1",
        "top_up.rule_removed.v1",
        "usage.grant_used_up.v1",
        "webhook_endpoint.replay_requested.v1",
        "webhook_endpoint.test_requested.v1",
        EVERYTHING,
    }


def test_every_event_that_carries_postings_says_when_it_happened() -> None:
    """In a field that projections/ledger_entries finds by the name of the event."""
    for event_class in event_classes():
        fields = {field.name for field in dataclasses.fields(event_class)}
        if "postings" in fields:
            name = event_class.type.split(".")[1]
            words = name.split("_")
            told = {f"{name}_at", f"{words[0]}_at", f"{words[-1]}_at"}
            assert fields & told, event_class.type
