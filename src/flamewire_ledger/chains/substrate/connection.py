"""One endpoint of a Substrate chain: a thread of its own, and in it a line that is opened when it is
needed, checked to be of the chain that is configured, and opened again after a fault.

What a node says of itself is compared with the networks file before anything it says is believed:
the genesis block, how addresses are written, the coin's name and decimals, and how little of it an
account may hold. So another Substrate chain is a matter of configuration.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from flamewire_ledger.chains.chain import ChainUnavailable, WrongChain
from flamewire_ledger.chains.pace import Pace
from flamewire_ledger.chains.substrate.runtime import NOW, Runtime, Runtimes
from flamewire_ledger.chains.substrate.scale import Unreadable

if TYPE_CHECKING:
    from flamewire_ledger.chains.substrate.line import Line

T = TypeVar("T")
# A call is some rounds of questions, each with a deadline of its own, and the reading of what came:
# after so many deadlines the thread is told to give up, whatever it does.
_ROUNDS_MAX: Final = 10
_RUNTIMES_KEPT: Final = 8


@dataclass(frozen=True, slots=True)
class Expected:
    """What a node of the right chain says of itself."""

    chain_id: str  # CAIP-2
    ss58_prefix: int
    symbol: str
    decimals: int
    existential_deposit: int


class Node:
    """The node at the other end of an open line, with what is known of its runtimes. It blocks."""

    def __init__(self, line: Line, runtimes: Runtimes, known: dict[int, Runtime]) -> None:
        self._line = line
        self._runtimes = runtimes
        self._known = known  # by spec version
        self.keeps_all_states = True

    def ask(self, *questions: tuple[str, list[Any]]) -> list[Any]:
        """The answers, in order. Raises ChainUnavailable."""
        return self._line.ask(questions)

    def spec_versions(self, hashes: list[str]) -> list[int]:
        """Of the runtimes that are in force behind these blocks, which follow one another.

        Versions only grow: where the first and the last have the same, so have all between them.
        """
        if not hashes:
            return []
        ends = self._versions([hashes[0], hashes[-1]])
        if ends[0] == ends[1]:
            return [ends[0]] * len(hashes)
        return self._versions(hashes)

    def _versions(self, hashes: list[str]) -> list[int]:
        answers = self.ask(*[("state_getRuntimeVersion", [each]) for each in hashes])
        try:
            return [int(answer["specVersion"]) for answer in answers]
        except (KeyError, TypeError, ValueError):
            raise ChainUnavailable("the node's runtime has no version") from None

    def runtime(self, spec_version: int, block_hash: str) -> Runtime:
        """The runtime of this version, which is in force behind this block."""
        found = self._known.get(spec_version)
        if found is not None:
            return found
        (metadata,) = self.ask(("state_getMetadata", [block_hash]))
        try:
            found = self._runtimes.of(bytes.fromhex(metadata.removeprefix("0x")))
        except (AttributeError, ValueError) as error:
            why = str(error) if isinstance(error, Unreadable) else "its metadata are no bytes"
            raise ChainUnavailable(f"runtime {spec_version} cannot be used: {why}") from None
        if len(self._known) >= _RUNTIMES_KEPT:
            del self._known[next(iter(self._known))]
        self._known[spec_version] = found
        return found


class Connection:
    """One endpoint, by its number in the networks file. Use it from one event loop."""

    def __init__(
        self,
        number: int,
        url: str,
        expected: Expected,
        runtimes: Runtimes,
        *,
        timeout_seconds: float = 10.0,
        requests_per_second: int | None = None,
    ) -> None:
        self.number = number
        self._url = url
        self._expected = expected
        self._runtimes = runtimes
        self._known: dict[int, Runtime] = {}
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
        except NodeRefused:
            raise  # the line is as good as before
        except (ChainUnavailable, WrongChain):
            self._cut()
            raise

    def _open_node(self) -> Node:
        if self._node is None:
            # The library takes half a second to import, and only who follows such a chain needs it.
            from flamewire_ledger.chains.substrate.line import Line

            self._line = Line(self._url, self._timeout_seconds)
            node = Node(self._line, self._runtimes, self._known)
            self._check(node)
            self._node = node
        return self._node

    def _check(self, node: Node) -> None:
        """Raises WrongChain with a sentence that says what to correct."""
        expected = self._expected
        genesis, head, properties = node.ask(
            ("chain_getBlockHash", [0]), ("chain_getBlockHash", []), ("system_properties", [])
        )
        chain_id = f"polkadot:{str(genesis).removeprefix('0x')[:32]}"
        if chain_id != expected.chain_id:
            raise self._wrong(f"of {chain_id}, not {expected.chain_id}", "rpc_urls or chain_id")
        (version,) = node.spec_versions([head])
        runtime = node.runtime(version, head)
        told = properties if isinstance(properties, dict) else {}
        prefixes = {told.get("ss58Format"), told.get("SS58Prefix")}
        prefixes |= {runtime.constant("System", "SS58Prefix")}
        prefixes -= {None}
        if prefixes and expected.ss58_prefix not in prefixes:
            said = " or ".join(str(prefix) for prefix in sorted(prefixes))
            raise self._wrong(
                f"of a chain whose addresses have the prefix {said}, not {expected.ss58_prefix}",
                "ss58_prefix and account",
            )
        coins = list(
            zip(_all(told.get("tokenSymbol")), _all(told.get("tokenDecimals")), strict=False)
        )
        if coins and (expected.symbol, expected.decimals) not in coins:
            said = " or ".join(f"{symbol} with {decimals} decimals" for symbol, decimals in coins)
            raise self._wrong(
                f"of a chain whose coin is {said}, not {expected.symbol} with {expected.decimals}",
                "coin",
            )
        least = runtime.constant("Balances", "ExistentialDeposit")
        if least is not None and least > expected.existential_deposit:
            raise self._wrong(
                f"of a chain where an account holds {least} units at least, "
                f"not {expected.existential_deposit}",
                f"existential_deposit: write {least},",
            )

        node.keeps_all_states = _keeps_all_states(node)

    def _wrong(self, said: str, keys: str) -> WrongChain:
        return WrongChain(f"endpoint {self.number} is {said}: correct {keys} in the networks file")


def _keeps_all_states(node: Node) -> bool:
    """Whether it is an archive node. Another refuses the state of the first block, which is old."""
    from flamewire_ledger.chains.substrate.line import NodeRefused

    (first,) = node.ask(("chain_getBlockHash", [1]))
    if first is None:
        return True  # there is none yet
    try:
        node.ask(("state_getStorage", [NOW, first]))
    except NodeRefused:
        return False
    return True


def _all(value: Any) -> list[Any]:
    """Chains with several coins have lists of them."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
