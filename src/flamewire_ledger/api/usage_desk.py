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
from flamewire_ledger.domain.meter import MeterDefined

METERS_READ_MAX: Final = 2_000  # of one merchant; more than there may be, should many come at once
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
        self._accounts: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def meters(self, merchant_id: str, *, afresh: bool = False) -> Meters:
        """The meters that count. `afresh`: as the read model has them now."""
        known = self._meters.get(merchant_id)
        now = self._parts.monotonic()
        if known is not None and not afresh and 0 <= now - known[0] < METERS_REMEMBERED_SECONDS:
            return known[1]
        rows = await self._parts.reads.ask(
            "meters", "meters_that_count", {"merchant_id": merchant_id, "limit": METERS_READ_MAX}
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
        """The credit account of each subject, in one question for all that are not remembered.

        Ids are, for they never change; a name may come to mean a second account.
        """
        found: dict[str, str | Refused] = {}
        unknown = []
        for subject in subjects:
            if (merchant_id, subject) in self._accounts:
                found[subject] = subject
            else:
                unknown.append(subject)
        if unknown:
            rows = await self._parts.reads.ask(
                "usage", "accounts_called", {"merchant_id": merchant_id, "subjects": unknown}
            )
            for row in rows:
                subject, account_id = row["subject"], row["account_id"]
                found[subject] = _SEVERAL if subject in found else account_id
                if subject == account_id:
                    self._remember(merchant_id, account_id)
        for subject in unknown:
            found.setdefault(subject, _NOBODY)
        return found

    def _remember(self, merchant_id: str, account_id: str) -> None:
        self._accounts[(merchant_id, account_id)] = None
        if len(self._accounts) > _ACCOUNTS_MAX:
            self._accounts.popitem(last=False)
