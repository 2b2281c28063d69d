"""Ledgers that run for all rows of this folder: starting one takes longer than a small row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.benchmarks.options import Options
from scripts.benchmarks.running import RunningLedger, api_only, everything
from tests.services.rabbitmq import Broker

SMALL = Options(seconds=0.6, runs=1, accounts=10)


@pytest.fixture(scope="module")
def api() -> Iterator[RunningLedger]:
    """The API alone, on a Postgres of its own."""
    with api_only() as ledger:
        yield ledger


@pytest.fixture(scope="module")
def whole(rabbitmq_server: Broker) -> Iterator[RunningLedger]:
    """`flamewire up` with RabbitMQ."""
    with everything(rabbitmq=rabbitmq_server) as ledger:
        yield ledger
