"""Given, when, then: a rule of an aggregate as a sentence that runs.

`given` takes commands (decided one after the other, as they would be) or bare facts; `when` one command;
`then` the facts that follow, as classes or as `fact(Class, field=value)` where the fields are the point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flamewire_ledger.domain.rejection import Rejection


@dataclass(frozen=True)
class ExpectedFact:
    kind: type
    fields: dict[str, Any]

    def check(self, event: object) -> None:
        assert type(event) is self.kind
        found = {name: getattr(event, name) for name in self.fields}
        assert found == self.fields


def fact(kind: type, **fields: Any) -> ExpectedFact:
    """A fact of this class with these fields; the others are not looked at."""
    return ExpectedFact(kind, fields)


class Spec:
    """One story of one aggregate. `events` has everything that happened in it, in order."""

    def __init__(
        self, decide: Callable[[Any, Any], Sequence[Any]], evolve: Callable[[Any, Any], Any]
    ) -> None:
        self._decide = decide
        self._evolve = evolve
        self.state: Any = None
        self.events: list[Any] = []
        self.outcome: list[Any] | Rejection = []

    def given(self, *history: Any) -> Spec:
        for step in history:
            if hasattr(step, "type"):
                self._happened([step])
            else:
                self._happened(self._decide(self.state, step))
        return self

    def when(self, command: Any) -> Spec:
        try:
            self.outcome = list(self._decide(self.state, command))
        except Rejection as refusal:
            self.outcome = refusal
        else:
            self._happened(self.outcome)
        return self

    def then(self, *expected: Any) -> Spec:
        assert not isinstance(self.outcome, Rejection), f"refused: {self.outcome!r}"
        kinds = [each.kind if isinstance(each, ExpectedFact) else each for each in expected]
        assert [type(event) for event in self.outcome] == kinds
        for event, each in zip(self.outcome, expected, strict=True):
            if isinstance(each, ExpectedFact):
                each.check(event)
        return self

    def then_nothing_new(self) -> Spec:
        return self.then()

    def then_refused(self, kind: type[Rejection]) -> Rejection:
        assert isinstance(self.outcome, Rejection), f"not refused: {self.outcome}"
        assert type(self.outcome) is kind
        return self.outcome

    def _happened(self, events: Sequence[Any]) -> None:
        for event in events:
            self.state = self._evolve(self.state, event)
            self.events.append(event)
