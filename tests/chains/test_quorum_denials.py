"""When enough endpoints say that a final block does not hold a transfer, and when nobody can tell."""

from __future__ import annotations

import pytest

from flamewire_ledger.domain.transfer import Block
from tests.chains.scripted_chain import NOON
from tests.chains.test_quorum import SENT, Court


@pytest.mark.parametrize(
    ("nodes", "has", "down", "is_denied"),
    [
        (3, [1], [], True),
        (3, [1], [3], False),  # one against one: nobody can tell
        (3, [1], [1], True),  # the liar is away, and two of three deny it
        (2, [1], [], False),
        (2, [], [], True),  # the liar has thought better of it
        (5, [1], [4, 5], False),  # two of five are not most of them
        (5, [1, 2], [], False),  # two say so, and two are enough
        (1, [], [], False),
    ],
)
async def test_only_what_most_of_all_endpoints_deny_is_denied(
    nodes: int, has: list[int], down: list[int], is_denied: bool
) -> None:
    court = Court(nodes)
    court.put(5, SENT, on=has)
    for number in down:
        court.nodes[number - 1].is_down = True
    block = Block(5, "5a", NOON)
    assert not court.quorum.denied(SENT, block), "nobody was asked yet"
    await court.attested(SENT)
    assert court.quorum.denied(SENT, block) is is_denied
    assert not court.quorum.denied(SENT, Block(5, "5b", NOON)), "that is another block"


async def test_a_block_of_another_hash_denies_nothing() -> None:
    court = Court(3)
    for node in court.nodes:
        node.branch = ["b"] * 1000
    await court.attested(SENT)
    assert not court.quorum.denied(SENT, Block(5, "5a", NOON))
