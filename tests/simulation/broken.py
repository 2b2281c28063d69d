"""What a run ends with when something that must be true is not."""

from __future__ import annotations


class Broken(Exception):
    """The rule that does not hold, what shows it, and what was recorded about that: a line each."""

    def __init__(self, rule: str, shown_by: str) -> None:
        super().__init__(f"{rule}: {shown_by}")
        self.rule = rule
        self.shown_by = shown_by
        self.history: list[str] = []
