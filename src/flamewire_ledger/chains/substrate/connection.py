"""One endpoint of a Substrate chain: a thread of its own, and in it a line that is opened when it is
needed, checked to be of the chain that is configured, and opened again after a fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from flamewire_ledger.chains.chain import ChainUnavailable, WrongChain
from flamewire_ledger.chains.pace import Pace
from flamewire_ledger.chains.substrate.checking import Expected, check
from flamewire_ledger.chains.substrate.node import Node

if TYPE_CHECKING:
    from flamewire_ledger.chains.substrate.line import Line

T = TypeVar("T")
# A call is some rounds of questions, each with a deadline of its own, and the reading of what came:
# after so many deadlines the thread is told to give up, whatever it does.
_ROUNDS_MAX: Final = 10


class Connection:
    """One endpoint, by its number in the networks file. Use it from one event loop."""

    def __init__(
        self,
        number: int,
        url: str,
        expected: Expected,
        *,
        timeout_seconds: float = 10.0,
        requests_per_second: int | None = None,
    ) -> None:
        self.number = number
        self._url = url
        self._expected = expected
        self._timeout_seconds = timeout_seconds
        self._pace = Pace(requests_per_second)
        self._thread = ThreadPoolExecutor(1, f"substrate-endpoint-{number}")
        self._line: Line | None = None
        self._node: Node | None = None

    async def ask(self, question: Callable[[Node], T], *, requests: int) -> T:
        """What the question, which blocks, finds out of the node by about so many requests.

        Raises ChainUnavailable, WrongChain.
        """
        await self._pace.wait(requests)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_seconds * _ROUNDS_MAX):
                return await loop.run_in_executor(self._thread, self._asked, question)
        except TimeoutError:
            self._cut()
            raise ChainUnavailable("a node did not answer in time") from None
        except asyncio.CancelledError:
            self._cut()  # nobody waits for the answer: the thread need not either
            raise

    async def aclose(self) -> None:
        self._cut()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _cut(self) -> None:
        line, self._line, self._node = self._line, None, None
        if line is not None:
            line.cut()

    # In the thread.

    def _asked(self, question: Callable[[Node], T]) -> T:
        from flamewire_ledger.chains.substrate.line import NodeRefused

        try:
            return question(self._open_node())
        except (ChainUnavailable, WrongChain) as error:
            if not isinstance(error, NodeRefused) or self._node is None:
                self._cut()  # else the line is as good as before
            raise

    def _open_node(self) -> Node:
        if self._node is None:
            # The library takes half a second to import, and only who follows such a chain needs it.
            from flamewire_ledger.chains.substrate.line import Line

            self._line = Line(self._url, self._timeout_seconds)
            node = Node(self._line)
            check(node, self.number, self._expected)
            self._node = node
        return self._node
