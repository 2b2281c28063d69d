"""Follow and rescan in any order, and the books are the same."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from flamewire_ledger.chains.progress import MemoryFollowerState
from tests.chains.conformance.following import follower
from tests.chains.conformance.till import DUE_UNITS, open_till
from tests.chains.sandbox_world import SandboxWorld
from tests.processes.rescans import Paid

Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.integers(1, DUE_UNITS * 2)),
        st.tuples(st.sampled_from(("pay for now", "pay and come back")), st.integers(1, DUE_UNITS)),
        st.tuples(st.just("mine"), st.integers(1, 6)),
        st.tuples(st.just("follow"), st.just(0)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.sampled_from(("rescan", "rescan and follow")), st.integers(0, 12)),
    ),
    max_size=25,
)


async def _play(steps: Sequence[Step], *, starts_late: bool) -> None:
    world = SandboxWorld("ethereum")
    first = (await world.chain.heads()).finalized_height
    async with open_till(world) as till, open_till(world) as other:
        paid, state = Paid(world, till), MemoryFollowerState()
        following = follower(world, till, state)
        if not starts_late:
            await following.catch_up()
        for what, number in steps:
            match what:
                case "pay":
                    await world.pay(paid.address, number)
                case "pay for now":
                    await world.pay_for_now(paid.address, number)
                case "pay and come back":
                    await world.play(paid.address, number, "reorg_and_back")
                case "mine":
                    await world.mine(number)
                case "follow":
                    await following.step()
                case "restart":
                    following = follower(world, till, state)
                case "rescan":
                    final = await paid.final()
                    await paid.rescan(max(first, final - number), final)
                case _:
                    final = await paid.final()
                    rescan = paid.rescan(max(first, final - number), final)
                    await asyncio.gather(rescan, following.step())
        await world.mine(10)
        await following.catch_up()
        await world.mine()
        await following.catch_up()
        await paid.rescan(first, await paid.final())
        before = await till.store.head(0)
        await paid.rescan(first, await paid.final())
        assert await till.store.head(0) == before

        await follower(world, other, start_height=first).catch_up()
        assert await paid.books() == await Paid(world, other).books()


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, starts_late=st.booleans())
def test_follow_and_rescan_in_any_order_leave_the_same_books(
    steps: list[Step], starts_late: bool
) -> None:
    asyncio.run(_play(steps, starts_late=starts_late))
