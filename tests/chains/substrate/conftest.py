"""Worlds on a real node, one for each module because it takes seconds to come up; and nodes that are
scripted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from flamewire_ledger.chains.substrate.chain import SubstrateChain
from tests.chains.substrate.scripted_node import ScriptedChain, ScriptedNode, connect
from tests.chains.substrate.substrate_world import Ground, SubstrateWorld
from tests.services.fixtures import or_skip
from tests.services.substrate import Substrate


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    node = Substrate(tmp_path_factory.mktemp("substrate"))
    with or_skip("substrate"):
        node.start()
    made = Ground.prepare(node)
    yield made
    made.payers.close()
    node.stop()


@pytest.fixture
async def world(ground: Ground) -> AsyncIterator[SubstrateWorld]:
    made = SubstrateWorld(ground)
    yield made
    await made.aclose()


@pytest.fixture
def script() -> ScriptedChain:
    return ScriptedChain()


@pytest.fixture
def node(script: ScriptedChain) -> Iterator[ScriptedNode]:
    made = ScriptedNode(script)
    yield made
    made.close()


@pytest.fixture
def other_node(script: ScriptedChain) -> Iterator[ScriptedNode]:
    """Another one of the same chain."""
    made = ScriptedNode(script)
    yield made
    made.close()


@pytest.fixture
async def chain(script: ScriptedChain, node: ScriptedNode) -> AsyncIterator[SubstrateChain]:
    made = connect(script, node)
    yield made
    await made.aclose()
