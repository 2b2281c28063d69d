"""The simulator catches what is planted: each of these mistakes is one that a ledger can be built with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from flamewire_ledger.chains.follow import Follower
from flamewire_ledger.commands import batch, patience
from flamewire_ledger.domain.payment import transfers
from flamewire_ledger.processes import assignment, reactor, reversal
from flamewire_ledger.processes.identification import Identification, Unclaimed
from flamewire_ledger.processes.watching import Watching
from flamewire_ledger.store import memory
from flamewire_ledger.store.event_store import RecordedCommand
from tests.simulation.broken import Broken
from tests.simulation.world import simulate

# Some mistakes need what seldom happens: whichever seeds it happens in, and these first.
_SEEDS = tuple(dict.fromkeys((1, 2, 4, 20, 18, *range(1, 17))))
_ACTIONS = 600
Plant = Callable[[pytest.MonkeyPatch], None]


def a_writer_that_ignores_fingerprints(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_recorded(recorded: RecordedCommand, envelope: Any) -> Any:
        return batch.Done(recorded.position, recorded.answer, replayed=True)

    monkeypatch.setattr(batch, "_as_recorded", as_recorded)


def a_writer_that_forgets_what_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def find_commands(
        self: Any, partition: int, command_ids: Sequence[UUID]
    ) -> Mapping[UUID, RecordedCommand]:
        return {}

    monkeypatch.setattr(patience.PatientStore, "find_commands", find_commands)


def a_store_that_forgets_command_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    append_one = memory._append_one

    def forgetting(shard: Any, partition: int, append: Any, *rest: Any) -> Any:
        shard.commands.pop(append.command_id, None)
        return append_one(shard, partition, append, *rest)

    monkeypatch.setattr(memory, "_append_one", forgetting)


def a_store_that_ignores_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_moved", lambda *_: ())


def a_reactor_that_begins_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = reactor.Reactor._begin

    async def skipping(self: Any, partition: int) -> Any:
        is_new = partition not in self._progress
        made = await begin(self, partition)
        if is_new:
            head = await self._store.head(partition)
            made.positions = dict.fromkeys(made.positions, head)
        return made

    monkeypatch.setattr(reactor.Reactor, "_begin", skipping)


def a_reactor_that_saves_before_it_reacts(monkeypatch: pytest.MonkeyPatch) -> None:
    react = reactor.Reactor._react

    async def hasty(self: Any, partition: int, tasks: Sequence[Any]) -> None:
        last = max(task.event.position for task in tasks)
        names = self._progress[partition].positions
        await self._checkpoints.save(partition, dict.fromkeys(names, last))
        await react(self, partition, tasks)

    monkeypatch.setattr(reactor.Reactor, "_react", hasty)


def a_reversal_that_leaves_the_credits(monkeypatch: pytest.MonkeyPatch) -> None:
    undo = reversal._undo

    def lenient(fact: Any, past: Any) -> Any:
        return [it for it in undo(fact, past) if not it.name.startswith("reverse_grant")]

    monkeypatch.setattr(reversal, "_undo", lenient)


def a_payment_that_keeps_what_was_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    reorganise = transfers._reorganise

    def keeping(*given: Any) -> Any:
        first, *others = reorganise(*given)
        return replace(first, postings=first.postings[:-1]), *others

    monkeypatch.setattr(transfers, "_reorganise", keeping)


def a_follower_that_never_gives_a_transfer_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Follower, "_is_lost", lambda *_: False)


def a_watcher_that_does_not_wait_for_its_read_model(monkeypatch: pytest.MonkeyPatch) -> None:
    async def caught_up(self: Any) -> None:
        return None

    monkeypatch.setattr(Watching, "_caught_up", caught_up)


def an_assignment_that_is_not_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    react = assignment.Assignment.react

    def lenient(self: Any, fact: Any, past: Any) -> Any:
        return [it for it in react(self, fact, past) if it.name != "drop"]

    monkeypatch.setattr(assignment.Assignment, "react", lenient)


def a_watcher_that_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whose = Identification.whose

    async def careless(self: Any, seen: Any) -> Any:
        found = await whose(self, seen)
        return {key: it for key, it in found.items() if not isinstance(it, Unclaimed)}

    monkeypatch.setattr(Identification, "whose", careless)


PLANTS: list[Plant] = [
    a_writer_that_ignores_fingerprints,
    a_writer_that_forgets_what_was_recorded,
    a_store_that_forgets_command_ids,
    a_store_that_ignores_versions,
    a_reactor_that_begins_at_the_end,
    a_reactor_that_saves_before_it_reacts,
    a_reversal_that_leaves_the_credits,
    a_payment_that_keeps_what_was_taken_back,
    a_follower_that_never_gives_a_transfer_up,
    a_watcher_that_does_not_wait_for_its_read_model,
    an_assignment_that_is_not_taken_back,
    a_watcher_that_holds_nothing,
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_it_catches(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for seed in _SEEDS:
        try:
            simulate(seed, _ACTIONS)
        except Broken as broken:
            print(f"{plant.__name__}: seed {seed}: {broken.rule}")
            return
    pytest.fail(f"{len(_SEEDS)} runs and nobody noticed")
