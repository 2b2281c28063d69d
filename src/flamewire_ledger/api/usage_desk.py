"""The usage desk: what a process knows of meters and accounts, so that a batch of usage is read
without asking for each item; and the recorder that batches go to.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from flamewire_ledger.api.parts import Parts
from flamewire_ledger.commands.metering import Metered, Meters, Refused
from flamewire_ledger.commands.usage_recording import UsageRecorder
from flamewire_ledger.domain.identifiers import is_id
from flamewire_ledger.domain.meter import MeterDefined
from flamewire_ledger.queries.pages import Page
from flamewire_ledger.store.event_store import partition_of

METERS_MAX: Final = 1_000  # that count, of one merchant
METERS_REMEMBERED_SECONDS: Final = (
    1.0  # a meter that another process archived counts so much longer
)
_MERCHANTS_MAX: Final = 1_000
_ACCOUNTS_MAX: Final = 100_000
_NOBODY: Final = Refused("unknown_subject", "no credit account has this id or external_id")
_SEVERAL: Final = Refused(
    "ambiguous_subject", "several credit accounts have this external_id: send the account's id"
)


class UsageDesk:
    """Of one process. What it remembers is either never changed, or looked at again soon."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.recorder = UsageRecorder(parts.usage_items, parts.store, parts.codec, parts.writer)
        self._meters: OrderedDict[str, tuple[float, Meters]] = OrderedDict()
        self._accounts: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def meters(self, merchant_id: str, *, afresh: bool = False) -> Meters:
        """The meters that count. `afresh`: as the read model has them now."""
        known = self._meters.get(merchant_id)
        now = self._parts.monotonic()
        if known is not None and not afresh and 0 <= now - known[0] < METERS_REMEMBERED_SECONDS:
            return known[1]
        rows = await self._parts.reads.ask(
            "meters", "meters_that_count", {"merchant_id": merchant_id, "limit": METERS_MAX}
        )
        defined = [msgspec.convert(row["definition"], MeterDefined) for row in rows]
        meters = Meters(Metered.of(each) for each in defined)
        self._meters[merchant_id] = (now, meters)
        self._meters.move_to_end(merchant_id)
        if len(self._meters) > _MERCHANTS_MAX:
            self._meters.popitem(last=False)
        return meters

    def forget(self, merchant_id: str) -> None:
        """Its meters have changed."""
        self._meters.pop(merchant_id, None)

    async def accounts(
        self, merchant_id: str, subjects: Collection[str]
    ) -> Mapping[str, str | Refused]:
        """The credit account of each subject. Ids are looked up in the log, other names in the read
        model; who is found is remembered, who is not may come.
        """
        found: dict[str, str | Refused] = {}
        for subject in subjects:
            known = self._accounts.get((merchant_id, subject))
            found[subject] = known or await self._look_up(merchant_id, subject)
        return found

    async def _look_up(self, merchant_id: str, subject: str) -> str | Refused:
        if is_id("ca", subject):
            partition = partition_of(merchant_id, self._parts.store.partitions)
            first = await self._parts.store.read_stream(partition, subject, limit=1)
            is_theirs = bool(first) and first[0].merchant_id == merchant_id
            return self._remembered(merchant_id, subject, subject) if is_theirs else _NOBODY
        now = self._parts.live.clock.now()
        page = Page(2, None, None)
        listing = await self._parts.reads.credit_accounts(
            merchant_id, page, now, external_id=subject
        )
        if len(listing.rows) > 1:
            return _SEVERAL
        if not listing.rows:
            return _NOBODY
        # Not remembered: a second account of this name would make it ambiguous.
        account_id: str = listing.rows[0]["account_id"]
        return account_id

    def _remembered(self, merchant_id: str, subject: str, account_id: str) -> str:
        self._accounts[(merchant_id, subject)] = account_id
        if len(self._accounts) > _ACCOUNTS_MAX:
            self._accounts.popitem(last=False)
        return account_id
