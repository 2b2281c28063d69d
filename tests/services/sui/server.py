"""A node of the model's chain: sui.rpc.v2 over gRPC, by the stubs of pysui, on a free port of 127.0.0.1.

It runs in a thread of its own, so that a test may block. What it can do wrong is set on it while it
runs. Read masks are honoured: a field that is not asked for is not there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server, Stream
from pysui.sui.sui_grpc.suimsgs.sui.rpc import v2

from tests.services.place import free_port
from tests.services.sui.model import COMPUTATION, REBATE, STORAGE, Checkpoint, Model, Refused

_POLL_SECONDS = 0.01
_START_SECONDS_MAX = 10


class Raw:
    """Bytes that go out as they are, whatever they should have been."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def SerializeToString(self) -> bytes:  # noqa: N802 - grpclib calls it so
        return self._data


class _Server(Server):
    """One whose lines can be cut."""

    def __init__(self, handlers: Sequence[Any]) -> None:
        super().__init__(handlers)
        self._lines: list[asyncio.Transport] = []

    def _protocol_factory(self) -> Any:
        protocol = super()._protocol_factory()
        opened = protocol.connection_made

        def remember(line: asyncio.Transport) -> None:
            self._lines.append(line)
            opened(line)

        protocol.connection_made = remember
        return protocol

    def cut(self) -> None:
        for line in self._lines:
            line.abort()


class SuiServer:
    """One node. Its faults: change them at any time."""

    def __init__(self, model: Model, port: int | None = None) -> None:
        self.model = model
        self.port = port or free_port()
        self.asked: list[str] = []  # what was asked, in order: the method, or "checkpoint 7"
        self.lowest = 0  # below it checkpoints are gone
        self.behind = 0  # how many of the newest it does not know of
        self.lies: dict[int, str] = {}  # other digests, by height
        self.status: Status | None = None  # every question is refused with it
        self.is_stalled = False  # nothing is answered
        self.subscribes = True
        self.answers: bytes | None = None  # to GetCheckpoint, instead of an answer
        self.spoils: Callable[[v2.Checkpoint], None] | None = None
        self.genesis: str | None = None  # of another chain; empty: it does not say
        self._subscriptions: set[asyncio.Task[Any]] = set()
        self._dropped = 0
        self._loop = asyncio.new_event_loop()
        self._server: Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def subscriptions(self) -> int:
        return len(self._subscriptions)

    def start(self) -> None:
        self._in_loop(self._start())

    def stop(self) -> None:
        """As if it was killed: every line is cut. start() brings it back on the same port."""
        self._in_loop(self._stop())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS_MAX)
        self._loop.close()

    def drop_subscriptions(self) -> None:
        """As a node does that goes away."""
        self._dropped += 1

    async def _start(self) -> None:
        self._server = _Server([self])
        await self._server.start("127.0.0.1", self.port)

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server.cut()
            await self._server.wait_closed()
            self._server = None

    def _in_loop(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_SECONDS_MAX)

    def __mapping__(self) -> dict[str, Handler]:
        unary, stream = Cardinality.UNARY_UNARY, Cardinality.UNARY_STREAM
        ledger, execution = "/sui.rpc.v2.LedgerService", "/sui.rpc.v2.TransactionExecutionService"
        return {
            f"{ledger}/GetServiceInfo": Handler(
                self._service_info, unary, v2.GetServiceInfoRequest, object
            ),
            f"{ledger}/GetCheckpoint": Handler(
                self._checkpoint, unary, v2.GetCheckpointRequest, object
            ),
            "/sui.rpc.v2.SubscriptionService/SubscribeCheckpoints": Handler(
                self._subscribed, stream, v2.SubscribeCheckpointsRequest, object
            ),
            f"{execution}/ExecuteTransaction": Handler(
                self._execute, unary, v2.ExecuteTransactionRequest, object
            ),
        }

    # What it is asked.

    async def _service_info(self, stream: Stream[Any, Any]) -> None:
        await stream.recv_message()
        await self._admit("service info")
        told = v2.GetServiceInfoResponse(
            chain_id=self.model.checkpoints[0].digest if self.genesis is None else self.genesis,
            chain="ours",
            checkpoint_height=self._height,
            lowest_available_checkpoint=self.lowest,
        )
        await stream.send_message(told)

    async def _checkpoint(self, stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        assert request is not None
        height = self._height if request.sequence_number is None else request.sequence_number
        await self._admit(f"checkpoint {height}")
        if self.answers is not None:
            await stream.send_message(Raw(self.answers))
            return
        if not self.lowest <= height <= self._height:
            raise GRPCError(Status.NOT_FOUND, f"checkpoint {height} not found")
        told = self._message(height, request.read_mask)
        await stream.send_message(v2.GetCheckpointResponse(checkpoint=told))

    async def _subscribed(self, stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        assert request is not None
        await self._admit("subscription")
        if not self.subscribes:
            raise GRPCError(Status.UNIMPLEMENTED, "no subscriptions here")
        task = asyncio.current_task()
        assert task is not None
        self._subscriptions.add(task)
        height, dropped = self._height, self._dropped
        try:
            while dropped == self._dropped:
                while height <= self._height and not self.is_stalled:
                    told = self._message(height, request.read_mask)
                    frame = v2.SubscribeCheckpointsResponse(cursor=height, checkpoint=told)
                    await stream.send_message(frame)
                    height += 1
                await asyncio.sleep(_POLL_SECONDS)
            raise GRPCError(Status.UNAVAILABLE, "going away")
        finally:
            self._subscriptions.discard(task)

    async def _execute(self, stream: Stream[Any, Any]) -> None:
        request = await stream.recv_message()
        assert request is not None
        await self._admit("execution")
        try:
            done = self.model.execute(
                request.transaction.bcs.value, [each.bcs.value for each in request.signatures]
            )
        except Refused as error:
            raise GRPCError(Status.INVALID_ARGUMENT, str(error)) from error
        told = v2.ExecutedTransaction(
            digest=done.digest,
            effects=v2.TransactionEffects(status=v2.ExecutionStatus(success=done.has_succeeded)),
        )
        await stream.send_message(v2.ExecuteTransactionResponse(transaction=told))

    async def _admit(self, asked: str) -> None:
        self.asked.append(asked)
        while self.is_stalled:
            await asyncio.sleep(_POLL_SECONDS)
        if self.status is not None:
            raise GRPCError(self.status, "at http://secret.example/key")

    @property
    def _height(self) -> int:
        return max(0, self.model.height - self.behind)

    def _message(self, height: int, mask: Any) -> v2.Checkpoint:
        whole = message_of(self.model.checkpoints[height])
        whole.digest = self.lies.get(height, whole.digest)
        if whole.summary is not None and height - 1 in self.lies:
            whole.summary.previous_digest = self.lies[height - 1]
        if self.spoils is not None:
            self.spoils(whole)
        paths = mask.paths if mask is not None else ["sequence_number", "digest"]
        told: v2.Checkpoint = masked(whole, [path.split(".") for path in paths])
        return told


def message_of(checkpoint: Checkpoint) -> v2.Checkpoint:
    """All that the model knows of a checkpoint."""
    return v2.Checkpoint(
        sequence_number=checkpoint.height,
        digest=checkpoint.digest,
        summary=v2.CheckpointSummary(
            sequence_number=checkpoint.height,
            digest=checkpoint.digest,
            previous_digest=checkpoint.previous_digest,
            timestamp=checkpoint.at,
        ),
        transactions=[_transaction(each) for each in checkpoint.executed],
    )


def _transaction(executed: Any) -> v2.ExecutedTransaction:
    costs = v2.GasCostSummary(
        computation_cost=COMPUTATION, storage_cost=STORAGE, storage_rebate=REBATE
    )
    events = [
        v2.Event(event_type=name, contents=v2.Bcs(value=contents))
        for name, contents in executed.events
    ]
    return v2.ExecutedTransaction(
        digest=executed.digest,
        transaction=v2.Transaction(
            sender=executed.sender, gas_payment=v2.GasPayment(owner=executed.sender)
        ),
        effects=v2.TransactionEffects(
            status=v2.ExecutionStatus(success=executed.has_succeeded), gas_used=costs
        ),
        events=v2.TransactionEvents(events=events) if events else None,
        balance_changes=[
            v2.BalanceChange(address=address, coin_type=coin_type, amount=str(units))
            for address, coin_type, units in executed.changes
        ],
    )


def masked(message: Any, paths: Sequence[Sequence[str]]) -> Any:
    """A message with the fields of these paths only; a path that ends takes all that is below it."""
    kept = type(message)()
    for name in {path[0] for path in paths}:
        value = getattr(message, name)
        below = [path[1:] for path in paths if path[0] == name]
        if value is None or not all(below):
            setattr(kept, name, value)
        elif isinstance(value, list):
            setattr(kept, name, [masked(each, below) for each in value])
        else:
            setattr(kept, name, masked(value, below))
    return kept
