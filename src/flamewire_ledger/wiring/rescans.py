"""A rescan of one chain, put together as its follower is: the same listener, the same prices, and a
writer beside those that run.
"""

from __future__ import annotations

import time

from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.domain.rejection import UnknownNetwork
from flamewire_ledger.processes.books import Books
from flamewire_ledger.processes.rescanning import NotingWriter, Progress, Rescan, Rescanned
from flamewire_ledger.wiring.ledger import Ledger
from flamewire_ledger.wiring.watchers import listener, names_alike


def chain_called(ledger: Ledger, name: str) -> Chain:
    """By its name or its CAIP-2 id. Raises UnknownNetwork, also when two have the name."""
    found = [each for each in ledger.chains if name in (each.network.name, each.network.chain_id)]
    if len(found) == 1:
        return found[0]
    ids = ", ".join(each.network.chain_id for each in found or ledger.chains)
    if found:
        raise UnknownNetwork(f"two networks are called {name}: say {ids}")
    raise UnknownNetwork(f"no network is called {name}: the chains of this ledger are {ids}")


async def rescan(
    ledger: Ledger, chain: Chain, first: int, last: int, progress: Progress
) -> Rescanned:
    """Read blocks again and book what is missing. Raises what processes.rescanning.Rescan raises."""
    async with ledger.writing() as writer:
        news = NotingWriter(writer)
        names = (chain.network.name, *names_alike(ledger, chain.network))
        scan = Rescan(
            chain,
            listener(ledger, chain, news, told_by="rescan"),
            news,
            Books(chain.network, ledger.store, ledger.reads, names),
            epoch=-time.time_ns(),
        )
        return await scan.run(first, last, progress)
