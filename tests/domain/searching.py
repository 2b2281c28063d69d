"""How hard the random tests of the domain look: seconds for the suite, and a way back to what they found.

A failure prints the steps, the blob for `@reproduce_failure`, and the seed for `--hypothesis-seed`.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

STORIES = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
