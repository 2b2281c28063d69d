"""Usage that gateways send: batches of items, again when no answer comes, cut in other ways, late, and
sometimes the same id with other content. Each process takes them as the API does: claimed first, then
recorded.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from flamewire_ledger.commands import meter, usage
from flamewire_ledger.commands.metering import Metered, Meters, Reading, read_item
from flamewire_ledger.commands.usage_recording import Recorded, UsageNotRecorded
from flamewire_ledger.domain.meter import DefineMeter, MeterDefined
from flamewire_ledger.domain.usage import RemoveUsageLimit, SetUsageLimit
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.usage_items import ClaimedBatch, NewBatch, key_of
from tests.simulation.broken import Broken
from tests.simulation.roles import Api
from tests.simulation.traffic import Traffic, answer_of

SOURCE = "gateway"
_TRIES_MAX = 8
_CLAIMS_MAX = 3
_LATEST_DAYS = 3


@dataclass(frozen=True)
class Item:
    """One that was sent: so many calls of an account at a time."""

    id: str
    account_id: str
    type: str
    calls: int
    at: datetime

    @property
    def raw(self) -> bytes:
        body: dict[str, Any] = {
            "specversion": "1.0", "id": self.id, "source": SOURCE, "type": self.type,
            "subject": self.account_id, "time": self.at.isoformat(), "data": {"n": self.calls},
        }  # fmt: skip
        return json.dumps(body).encode()


@dataclass
class UsageTraffic:
    """`items` has every item by (merchant, id) as it was sent first, `told` what was said of it last."""

    traffic: Traffic
    apis: list[Api]
    billed: dict[str, str] = field(default_factory=dict)  # by merchant: the meter of plans
    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    told: dict[tuple[str, str], str] = field(default_factory=dict)
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    _meters: dict[str, list[Metered]] = field(default_factory=dict)

    async def open_the_doors(self) -> None:
        for merchant_id in self.traffic.merchants:
            self.billed[merchant_id] = await self._define(merchant_id, "billed", None, "reject")
            for number, (price, what) in enumerate(_PRICES):
                await self._define(merchant_id, f"burning-{number}", price, what)

    async def _define(self, merchant_id: str, type_: str, price: Any, what: Any) -> str:
        now, meter_id = self.traffic.clock.now(), self.traffic.name("me")
        command = DefineMeter(
            meter_id, type_, type_, "sum", now, "n", credit_price=price, on_insufficient=what
        )
        await self.traffic.send("define meter", merchant_id, lambda o: meter.envelope(o, command))
        defined = MeterDefined(
            meter_id, type_, type_, "sum", "n", (), (), price, what, defined_at=now
        )
        self._meters.setdefault(merchant_id, []).append(Metered.of(defined))
        return meter_id

    async def something(self) -> None:
        """A batch, or a limit."""
        if self.traffic.chance.random() < 0.08:
            await self.limit()
            return
        await self.send()

    async def limit(self) -> None:
        it = self.traffic
        merchant_id, account_id = it.chance.choice(it.accounts)
        meter_id = it.chance.choice(self._meters[merchant_id]).defined.meter_id
        period: Any = it.chance.choice(["day", "month"])
        command: SetUsageLimit | RemoveUsageLimit = RemoveUsageLimit(
            account_id, meter_id, period, it.clock.now()
        )
        if it.chance.random() < 0.7:
            soft, hard = Decimal(it.chance.randint(10, 200)), Decimal(it.chance.randint(200, 900))
            command = SetUsageLimit(account_id, meter_id, period, soft, hard, it.clock.now())
        await it.send("limit usage", merchant_id, lambda o: usage.envelope(o, command, answer_of))

    async def send(self) -> None:
        """New items, and some of those of before; until an answer comes."""
        it = self.traffic
        merchant_id = it.chance.choice(it.merchants)
        mine = [account for owner, account in it.accounts if owner == merchant_id]
        sent = [self._new(merchant_id, mine) for _ in range(it.chance.randint(1, 12))]
        before = [item for (owner, _), item in self.items.items() if owner == merchant_id][-60:]
        for item in sent:
            self.items[merchant_id, item.id] = item
        if before:
            sent += it.chance.sample(before, min(len(before), it.chance.choice([0, 0, 2, 5])))
        await self._until_answered(merchant_id, sent)

    def _new(self, merchant_id: str, accounts: list[str]) -> Item:
        it = self.traffic
        late = it.chance.choice([0, 0, 0, 60, 3_600, _LATEST_DAYS * 86_400])
        types = [each.defined.event_type for each in self._meters[merchant_id]]
        return Item(
            id=str(it.next_number()),
            account_id=it.chance.choice(accounts),
            type=it.chance.choice([types[0], types[0], *types]),
            calls=it.chance.randint(1, 20),
            at=it.clock.now() - timedelta(seconds=late),
        )

    async def _until_answered(self, merchant_id: str, sent: list[Item]) -> None:
        chance = self.traffic.chance
        for _ in range(_TRIES_MAX):
            api = chance.choice(self.apis)
            self.attempts.update((merchant_id, item.id) for item in sent)
            try:
                said = await self._post(api, merchant_id, sent)
            except (StoreUnavailable, TimeoutError, UsageNotRecorded):
                await asyncio.sleep(chance.uniform(0.1, 3))
                chance.shuffle(sent)
                continue
            except Exception as error:
                raise Broken("no usage fails", f"{merchant_id}: {error!r}") from error
            if said is None:  # the process died
                await asyncio.sleep(chance.uniform(0.1, 3))
                continue
            for item in sent:
                self._hear(merchant_id, item, said[item.id])
            return
        self.counts["usage: never known"] += 1

    def _hear(self, merchant_id: str, item: Item, said: str) -> None:
        self.counts[f"usage: {said}"] += 1
        before = self.told.get((merchant_id, item.id))
        if before == "accepted" and said == "accepted":
            raise Broken("what is accepted once is a duplicate then", f"{item} was {said} again")
        # Another request may have been refused before, and is heard of later.
        if before != "accepted":
            self.told[merchant_id, item.id] = said

    async def _post(self, api: Api, merchant_id: str, sent: list[Item]) -> dict[str, str] | None:
        """As POST /v1/usage; what each item was told, or None where nobody is there to answer."""
        return await api.alive(self._ingest(api, merchant_id, sent), self._patience())

    def _patience(self) -> float:
        return self.traffic.chance.choice([0.05, 1, 10, 60])

    async def _ingest(self, api: Api, merchant_id: str, sent: list[Item]) -> dict[str, str]:
        said: dict[str, str] = {}
        left = sent
        items = api.usage_items
        for _ in range(_CLAIMS_MAX):
            left = await self._claim(api, merchant_id, left, said) if left else []
            keys = [key_of(merchant_id, SOURCE, item.id) for item in left]
            if not keys or len(await items.counted(keys)) == len(keys):
                break
            await api.recorder.finish(await items.unfinished_of(keys))
        else:
            raise UsageNotRecorded("others send the same items at the same time: send them again")
        for item in left:
            said[item.id] = "duplicate"
        return said

    async def _claim(
        self, api: Api, merchant_id: str, sent: list[Item], said: dict[str, str]
    ) -> list[Item]:
        """Claim and record what nobody has claimed; the rest comes back."""
        meters, now = Meters(self._meters[merchant_id]), self.traffic.clock.now()
        by_account: dict[str, list[Item]] = {}
        for item in sent:
            by_account.setdefault(item.account_id, []).append(item)
        new = {
            UUID(int=self.traffic.chance.getrandbits(128), version=4): items
            for items in by_account.values()
        }
        ids = meters.ids
        taken = await api.usage_items.claim(
            merchant_id,
            now,
            ids,
            [
                NewBatch(
                    id_,
                    items[0].account_id,
                    [key_of(merchant_id, SOURCE, item.id) for item in items],
                    [item.raw for item in items],
                )
                for id_, items in new.items()
            ],
        )
        claimed = []
        for id_, seqs in taken.items():
            raws = [item.raw for item in new[id_]]
            account_id = new[id_][0].account_id
            batch = ClaimedBatch(id_, merchant_id, account_id, now, ids, raws, seqs)
            claimed.append((batch, [(seq, _read(meters, raws[seq])) for seq in seqs]))
        recorded = await api.recorder.record(claimed)
        for id_, outcome in recorded.items():
            _tell(new[id_], taken[id_], outcome, said)
        return [item for item in sent if item.id not in said]


_PRICES: list[tuple[Any, Any]] = [
    ({"model": "standard", "unit_price": "0.05"}, "reject"),
    ({"model": "standard", "unit_price": "0.1"}, "overage"),
    ({"model": "package", "price": "1", "size": "25"}, "record_unpaid"),
]


def _read(meters: Meters, raw: bytes) -> Reading:
    item = read_item(raw)
    reading = meters.read(item)  # type: ignore[arg-type]  # what is sent is well formed
    assert isinstance(reading, Reading), reading
    return reading


def _tell(items: list[Item], seqs: Any, outcome: Recorded, said: dict[str, str]) -> None:
    for seq in seqs:
        said[items[seq].id] = outcome.refused.get(seq, "accepted")
