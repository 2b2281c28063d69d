"""A merchant's own reconciliations: one at a time, as two would open every exception twice."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from flamewire_ledger.domain.rejection import NotAllowed
from flamewire_ledger.wiring import reconciliation
from flamewire_ledger.wiring.reconciliation import OwnReconciler


async def test_two_runs_over_the_same_books_do_not_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    may_end = asyncio.Event()

    async def run(*given: Any, **more: Any) -> Any:
        await may_end.wait()
        return SimpleNamespace(reconciliation_id="rc_1", position=7)

    monkeypatch.setattr(reconciliation, "record_run", run)
    monkeypatch.setattr(reconciliation, "chain_called", lambda ledger, name: name)
    reconciler = OwnReconciler(None, None)  # type: ignore[arg-type]
    asked = ("key:a", "chain", None, None)
    first = asyncio.create_task(reconciler.run("mer_1", *asked))
    await asyncio.sleep(0)
    with pytest.raises(NotAllowed):
        await reconciler.run("mer_1", *asked)
    other = asyncio.create_task(reconciler.run("mer_2", *asked))
    may_end.set()
    assert await first == await other == ("rc_1", 7)
    assert await reconciler.run("mer_1", *asked) == ("rc_1", 7)
