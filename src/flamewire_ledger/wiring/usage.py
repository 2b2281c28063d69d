"""Usage that was claimed and not recorded, because whoever did that is gone, is recorded here; and the
table of entitlements is made.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import psycopg
import structlog

from flamewire_ledger.commands.usage_recording import UsageRecorder
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.queries.changes import Changes
from flamewire_ledger.queries.entitlements import CREDITS, READ_MODEL, Entitlements
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.usage_items import PostgresUsageItems
from flamewire_ledger.wiring.ledger import Ledger

_log = structlog.get_logger(__name__)
# Longer than a request takes: whoever claimed it is at it until then, and done twice it is done once.
OLD_SECONDS: Final = 10.0
EVERY_SECONDS: Final = 5.0
BATCHES_MAX: Final = 1_000


def usage_recorder(ledger: Ledger, writer: Writer) -> UsageRecorder:
    """A recorder over this ledger's store; its writer has to run."""
    items = PostgresUsageItems(ledger.connections)
    return UsageRecorder(items, ledger.store, ledger.codec, writer)


async def finish_usage(recorder: UsageRecorder, *, every_seconds: float = EVERY_SECONDS) -> None:
    """Until cancelled; whatever fails is tried again. What one batch is to blame for is put aside."""
    while True:
        try:
            found = await recorder.finish_old(OLD_SECONDS, BATCHES_MAX)
            if found:
                _log.info("usage_finished", batches=found)
        except (StoreUnavailable, psycopg.OperationalError) as error:
            _log.warning("usage_not_finished", error=str(error))
        except Exception as error:  # noqa: BLE001 - the loop's edge
            _log.error("usage_not_finished", error=str(error), exc_info=error)
        await asyncio.sleep(every_seconds)


def entitlement_table(ledger: Ledger) -> Entitlements:
    """This process's table: true to the log as looked at `cache_age_ms_max` ago at most."""
    age_seconds_max = ledger.settings.cache_age_ms_max / 1000

    def changes(name: str, streams: str) -> Changes:
        return Changes(
            ledger.read_pool, name, streams, time.monotonic, age_seconds_max=age_seconds_max
        )

    # Of entitlements and of usage, whose streams begin with no letter in common: so of all.
    return Entitlements(ledger.read_pool, (changes(READ_MODEL, ""), changes(CREDITS, "ca_")))
