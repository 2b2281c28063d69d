"""Which tests of a whole run share a worker, and which come first.

Workers take tests from one queue. What a module sets up for all of its tests, a running ledger say, would
be set up by each of them: such a module is a group, and one worker's. And what takes long is not left for
the end, when one worker would have a minute of work and the others none.
"""

from __future__ import annotations

from typing import Final

import pytest

# What needs no server comes first: they start meanwhile. Then what starts processes or waits for them.
# All others are a matter of milliseconds, and fill up the end, in the order they are found in.
FIRST: Final = (
    "tests/domain/",
    "tests/signatures/",
    "tests/system/",
    "tests/relay/",
    "tests/benchmarks/",
    "tests/simulation/",
    "tests/chains/substrate/",
    "tests/projector/",
    "tests/processes/",
    "tests/architecture/",
)


@pytest.hookimpl(tryfirst=True)  # before the names of groups are read
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each module with fixtures of its own a group, and put them in an order."""
    if not hasattr(config, "workerinput"):
        return  # in one process the order they are found in is the best
    for item in items:
        if item.get_closest_marker("xdist_group") is None and _shares_a_fixture(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=_turn)


def _shares_a_fixture(item: pytest.Item) -> bool:
    """Whether the test asks for something that is set up once a module."""
    assert isinstance(item, pytest.Function)
    found = item._fixtureinfo.name2fixturedefs.values()
    return any(definitions[-1].scope == "module" for definitions in found)


def _turn(item: pytest.Item) -> int:
    turns = (turn for turn, folder in enumerate(FIRST) if item.nodeid.startswith(folder))
    return next(turns, len(FIRST))
