"""One Sui node over gRPC, `sui.rpc.v2`, by the stubs that pysui ships: what it says, checked for sense.

Every question has a deadline, every answer a greatest size, and bytes that are no protobuf, or
protobuf that is no checkpoint, are unavailability and no crash. pysui takes a second to import:
this module is imported by the first question.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import base58
from grpclib.client import Channel, Stream
from grpclib.const import Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from h2.exceptions import H2Error
from pysui.sui.sui_grpc.suimsgs.google.protobuf import FieldMask
from pysui.sui.sui_grpc.suimsgs.sui.rpc import v2

from flamewire_ledger.chains.chain import ChainUnavailable, Throttled, WrongChain
from flamewire_ledger.chains.pace import Pace
from flamewire_ledger.chains.sui.messages import Nonsense, checkpoint_of, digest_of, summary_of
from flamewire_ledger.chains.sui.transfers import Checkpoint

MESSAGE_BYTES_MAX: Final = 32 * 2**20
_QUIET_SECONDS_MAX: Final = 15.0  # a chain makes several checkpoints a second
_SAID_MAX: Final = 120  # characters of what a node says of itself that are worth repeating
_SUMMARY: Final = ("sequence_number", "digest", "summary.previous_digest", "summary.timestamp")
_TRANSACTIONS: Final = (
    "transactions.digest",
    "transactions.transaction.gas_payment",
    "transactions.effects.status",
    "transactions.effects.gas_used",
    "transactions.balance_changes",
)
_EVENTS: Final = ("transactions.events.events.event_type", "transactions.events.events.contents")
# What grpclib, h2 and betterproto2 raise when a line fails, or on bytes that are not what they should be.
_FAULTS: Final = (
    GRPCError, StreamTerminatedError, ProtocolError, H2Error, OSError, TimeoutError, EOFError,
    AssertionError, AttributeError, NotImplementedError, RecursionError, ArithmeticError, LookupError,
    TypeError, ValueError, struct.error,
)  # fmt: skip
T = TypeVar("T")


class _NotThere(ChainUnavailable):
    """The node does not know the method at all."""


class _BoundedStream(Stream[Any, Any]):
    """A call whose answers have a greatest size: grpclib itself would wait for 4 GB."""

    async def send_request(self, *, end: bool = False) -> None:
        await super().send_request(end=end)
        buffer = self._stream.buffer
        read = buffer.read

        async def bounded(size: int) -> bytes:
            if size > MESSAGE_BYTES_MAX:
                raise ValueError(f"an answer of {size} bytes")
            return await read(size)

        buffer.read = bounded  # type: ignore[method-assign]


class _BoundedChannel(Channel):
    def request(self, *given: Any, **named: Any) -> Stream[Any, Any]:
        call = super().request(*given, **named)
        call.__class__ = _BoundedStream
        return call


class Node:
    """The line to one endpoint. Use it from one event loop.

    Raises Throttled when it is to be asked less, WrongChain when it is of another chain, otherwise
    ChainUnavailable: another endpoint may do better.
    """

    def __init__(
        self,
        url: str,
        genesis: str,
        timeout_seconds: float,
        *,
        with_events: bool,
        requests_per_second: int | None = None,
    ) -> None:
        """`genesis`: the first four bytes of the genesis checkpoint's digest, in hexadecimal."""
        parts = urlsplit(url)
        self._is_secret = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port or (443 if self._is_secret else 80)
        self._genesis = genesis
        self._timeout_seconds = timeout_seconds
        self._mask = FieldMask(paths=[*_SUMMARY, *_TRANSACTIONS, *(_EVENTS if with_events else ())])
        self._pace = Pace(requests_per_second)
        self._channel: Channel | None = None
        self.is_checked = False
        self.lowest_height = 0  # below it the node has nothing any more, when it was first asked

    async def check(self) -> None:
        """Whether it is of the configured chain: asked once, by whatever is asked first."""
        if self.is_checked:
            return
        await self._pace.wait()
        info = await self._within(self._ledger().get_service_info(timeout=self._timeout_seconds))
        digest = info.chain_id
        if not digest:
            genesis = await self._get(0, FieldMask(paths=["digest"]))
            digest = genesis.digest if genesis is not None else None
        found = _first_bytes(digest)
        if found != self._genesis:
            raise WrongChain(
                f"an endpoint is of chain sui:{found}, not sui:{self._genesis}: "
                "correct grpc_urls or chain_id in the networks file"
            )
        lowest = info.lowest_available_checkpoint
        self.lowest_height = lowest if isinstance(lowest, int) else 0
        self.is_checked = True

    async def latest(self) -> Checkpoint:
        """The newest checkpoint, without its transactions."""
        await self.check()
        found = await self._get(None, FieldMask(paths=list(_SUMMARY)))
        if found is None:
            raise ChainUnavailable("the node has no checkpoint yet")
        return _sensible(summary_of, found)

    async def summary(self, height: int) -> Checkpoint | None:
        """One checkpoint without its transactions; None if the node does not have it (any more)."""
        await self.check()
        found = await self._get(height, FieldMask(paths=list(_SUMMARY)))
        return None if found is None else _at(height, _sensible(summary_of, found))

    async def checkpoint(self, height: int) -> Checkpoint | None:
        """One checkpoint with what its transactions did; None if the node does not have it."""
        await self.check()
        found = await self._get(height, self._mask)
        return None if found is None else _at(height, _sensible(checkpoint_of, found))

    async def subscription(self) -> AsyncGenerator[Checkpoint, None] | None:
        """Checkpoints from now on, as they are made. It begins at the tip and ends with a fault only.

        The first one is there when this returns. None: this node has no subscriptions.
        """
        await self.check()
        await self._pace.wait()
        stub = v2.SubscriptionServiceStub(self._open())
        request = v2.SubscribeCheckpointsRequest(read_mask=self._mask)
        frames = cast("AsyncGenerator[Any, None]", stub.subscribe_checkpoints(request))
        try:
            first = await self._next(frames)
        except _NotThere:
            return None
        return self._from(first, frames)

    async def aclose(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    # Asking.

    async def _from(
        self, first: Checkpoint, frames: AsyncGenerator[Any, None]
    ) -> AsyncGenerator[Checkpoint, None]:
        try:
            yield first
            while True:
                yield await self._next(frames, _QUIET_SECONDS_MAX)
        finally:
            await frames.aclose()

    async def _next(self, frames: AsyncIterator[Any], seconds: float | None = None) -> Checkpoint:
        try:
            async with asyncio.timeout(seconds or self._timeout_seconds):
                frame = await anext(frames)
        except StopAsyncIteration:
            raise ChainUnavailable("the node has ended its subscription") from None
        except _FAULTS as error:
            raise _unavailable(error) from None
        if frame.checkpoint is None:
            raise ChainUnavailable("the node's subscription has nothing in it")
        return _sensible(checkpoint_of, frame.checkpoint)

    async def _get(self, height: int | None, mask: FieldMask) -> Any:
        """The message; None when the node does not have it."""
        await self._pace.wait()
        request = v2.GetCheckpointRequest(sequence_number=height, read_mask=mask)
        try:
            asked = self._ledger().get_checkpoint(request, timeout=self._timeout_seconds)
            return (await asked).checkpoint
        except GRPCError as error:
            if error.status is Status.NOT_FOUND:
                return None
            raise _unavailable(error) from None
        except _FAULTS as error:
            raise _unavailable(error) from None

    async def _within(self, asked: Awaitable[T]) -> T:
        try:
            return await asked
        except _FAULTS as error:
            raise _unavailable(error) from None

    def _ledger(self) -> v2.LedgerServiceStub:
        return v2.LedgerServiceStub(self._open())

    def _open(self) -> Channel:
        if self._channel is None:
            self._channel = _BoundedChannel(
                self._host, self._port, ssl=True if self._is_secret else None
            )
        return self._channel


def _sensible(read: Callable[[Any], Checkpoint], message: Any) -> Checkpoint:
    """A hostile message may have numbers where its fields should be messages: betterproto2 lets them."""
    try:
        return read(message)
    except Nonsense as error:
        raise ChainUnavailable(f"the node's checkpoint makes no sense: {error}") from None
    except (AttributeError, TypeError, ValueError, ArithmeticError, OSError) as error:
        name = type(error).__name__
        raise ChainUnavailable(f"the node's checkpoint makes no sense: {name}") from None


def _at(height: int, found: Checkpoint) -> Checkpoint:
    if found.height != height:
        raise ChainUnavailable("the node answers with another checkpoint than it was asked for")
    return found


def _first_bytes(digest: Any) -> str:
    try:
        return base58.b58decode(digest_of(digest))[:4].hex()
    except ValueError:
        return ""


def _unavailable(error: BaseException) -> ChainUnavailable:
    """In words without a URL: what the system says of a connection may hold the name of a host."""
    if isinstance(error, GRPCError):
        said = (error.message or "")[:_SAID_MAX]
        if error.status is Status.RESOURCE_EXHAUSTED or "'429'" in said:
            return Throttled("a node wants to be asked less")
        kind = _NotThere if error.status is Status.UNIMPLEMENTED else ChainUnavailable
        return kind(f"a node refuses: {error.status.name}")
    return ChainUnavailable(f"a node did not answer: {type(error).__name__}")
