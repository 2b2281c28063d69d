"""Old shapes of events to the newest, one function a step. What is recorded is never changed; it is
lifted when read.

To give `payment.requested.v1` a new shape: write the class as `payment.requested.v2`, write a
function from the old JSON to the new, and enter it under the old name in STEPS. Steps chain: v1 is
lifted to v2, and that to v3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

Data: TypeAlias = dict[str, Any]  # the JSON of an event, decoded
Step: TypeAlias = Callable[[Data], Data]

# By the type that is lifted; the result has the next version. Nothing is released yet, so nothing
# is old yet.
STEPS: Final[Mapping[str, Step]] = {}


def lift(event_type: str, data: Data, steps: Mapping[str, Step]) -> tuple[str, Data]:
    """The newest type that the steps lead to, and the data in its shape."""
    while (step := steps.get(event_type)) is not None:
        data = step(data)
        event_type = next_version(event_type)
    return event_type, data


def next_version(event_type: str) -> str:
    """`payment.requested.v1` → `payment.requested.v2`."""
    name, _, version = event_type.rpartition(".v")
    return f"{name}.v{int(version) + 1}"
