"""From the spool to the ledger: every call is reported once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import secrets
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from catalogue import CALL
from exposure import Exposure
from ledger import Ledger, Refused, Unreachable
from spool import Spool

WAIT_SECONDS_MAX: Final = 5.0

log = logging.getLogger("gateway")


class Reporter:
    """Writes calls down as CloudEvents, and sends them in batches."""

    def __init__(
        self,
        ledger: Ledger,
        spool: Spool,
        exposure: Exposure,
        source: str,
        flush_seconds: float,
    ) -> None:
        self._ledger = ledger
        self._spool = spool
        self._exposure = exposure
        for left in spool.sealed():
            exposure.serve(left.read_bytes().splitlines())
        self._source = source
        self._flush_seconds = flush_seconds
        self._run = secrets.token_hex(8)  # ids of one run never repeat those of another
        self._numbers = itertools.count(1)
        self.is_connected = False
        self.reported: Counter[str] = Counter()  # accepted, duplicate, and codes of refusals

    def write(
        self, account_id: str, chain: str, calls: Iterable[tuple[str, bool]], at: datetime
    ) -> None:
        """Calls that were served, as (method, whether an archive node was asked)."""
        time = at.isoformat()
        lines = [
            b"%b\n"
            % json.dumps(
                {
                    "specversion": "1.0",
                    "id": f"{self._run}-{next(self._numbers)}",
                    "source": self._source,
                    "type": CALL,
                    "subject": account_id,
                    "time": time,
                    "data": {"chain": chain, "method": method, "archive": archive},
                },
                separators=(",", ":"),
            ).encode()
            for method, archive in calls
        ]
        self._spool.write(lines)
        self._exposure.serve(lines)

    async def send_for_ever(self) -> None:
        """Flush every so often; back off while the ledger does not answer."""
        wait = self._flush_seconds
        while True:
            await asyncio.sleep(wait)
            try:
                await self.flush()
                self.is_connected, wait = True, self._flush_seconds
            except (Unreachable, Refused) as failure:
                self.is_connected, wait = False, min(wait * 2, WAIT_SECONDS_MAX)
                log.warning("%d calls wait for the ledger: %s", self._spool.waiting, failure)

    async def flush(self) -> None:
        """Send everything that is there, in its order."""
        self._spool.seal()
        for batch in self._spool.sealed():
            lines = batch.read_bytes().splitlines()
            answer = await self._ledger.record_usage(b"\n".join(lines))
            said = [it if isinstance(it, str) else str(it["code"]) for it in answer["items"]]
            refused = [
                line
                for line, item in zip(lines, answer["items"], strict=True)
                if not isinstance(item, str)
            ]
            if refused:
                log.error("calls were served and are not charged: %s", Counter(said))
            self.reported.update(said)
            self._spool.settle(batch, refused)
            self._exposure.book(lines, answer["position"] or 0)
