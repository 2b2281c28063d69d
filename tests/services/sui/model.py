"""The chain: coins that have owners, transactions that move them, checkpoints that hold transactions.

Transactions are executed when they come, in the order they come, as Sui does; the next checkpoint
holds them. Signatures are verified, object versions checked; a command that fails leaves its gas
paid and nothing moved.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import base58
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from tests.chains.sui.bcs import receipt
from tests.services.sui.transaction import (
    Argument,
    Call,
    Give,
    Merge,
    ObjectRef,
    Pure,
    Split,
    TransactionData,
    read_transaction,
)

SUI = f"0x{2:064x}::sui::SUI"
COMPUTATION, STORAGE, REBATE = 1_000_000, 988_000, 978_120
GAS = COMPUTATION + STORAGE - REBATE
GENESIS_DIGEST = hashlib.blake2b(b"a genesis of ours", digest_size=32).digest()
CHAIN_ID = f"sui:{GENESIS_DIGEST[:4].hex()}"
KIT = "0x" + "17" * 32


class Refused(Exception):
    """A transaction that no validator would sign."""


class Failed(Exception):
    """A command that aborts."""


@dataclass(frozen=True)
class Coin:
    id: str
    owner: str  # "": of the transaction that is being executed
    coin_type: str
    units: int
    version: int

    @property
    def digest(self) -> bytes:
        return _hash(repr(self).encode())

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(self.id, self.version, self.digest)


@dataclass(frozen=True)
class Executed:
    digest: str
    sender: str
    has_succeeded: bool
    changes: tuple[tuple[str, str, int], ...]
    events: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Checkpoint:
    height: int
    digest: str
    previous_digest: str | None
    at: datetime
    executed: tuple[Executed, ...]


class Model:
    """One chain, of which any number of servers may tell. Safe to use from several threads."""

    def __init__(self, heights: int = 4) -> None:
        self.lock = threading.RLock()
        self._coins: dict[str, Coin] = {}
        self._waiting: list[Executed] = []
        started = datetime.now(UTC) - timedelta(seconds=60)
        genesis = Checkpoint(0, base58.b58encode(GENESIS_DIGEST).decode(), None, started, ())
        self.checkpoints = [genesis]
        self.make_checkpoint(heights)

    # What a test does.

    def endow(self, owner: str, coin_type: str, units: int) -> Coin:
        with self.lock:
            name = _hash(f"{owner}/{coin_type}/{len(self._coins)}".encode())
            coin = Coin("0x" + name.hex(), owner, coin_type, units, 1)
            self._coins[coin.id] = coin
            return coin

    def largest(self, owner: str, coin_type: str) -> Coin:
        with self.lock:
            owned = [
                c for c in self._coins.values() if (c.owner, c.coin_type) == (owner, coin_type)
            ]
            return max(owned, key=lambda coin: coin.units)

    def held(self, owner: str, coin_type: str) -> int:
        with self.lock:
            return self._balances()[owner, coin_type]

    def make_checkpoint(self, count: int = 1) -> None:
        """The first of them holds what waits."""
        with self.lock:
            for _ in range(count):
                before = self.checkpoints[-1]
                at = max(before.at, datetime.now(UTC).replace(microsecond=0))
                executed, self._waiting = tuple(self._waiting), []
                content = f"{before.digest}/{before.height + 1}/{at}/{executed}"
                digest = base58.b58encode(_hash(content.encode())).decode()
                self.checkpoints.append(
                    Checkpoint(before.height + 1, digest, before.digest, at, executed)
                )

    @property
    def height(self) -> int:
        return self.checkpoints[-1].height

    # Executing.

    def execute(self, data: bytes, signatures: list[bytes]) -> Executed:
        """Raises Refused."""
        try:
            transaction = read_transaction(data)
        except ValueError as error:
            raise Refused(str(error)) from error
        _verify(data, transaction.sender, signatures)
        digest = base58.b58encode(_hash(b"TransactionData::" + data)).decode()
        with self.lock:
            self._check_objects(transaction)
            done = self._run(transaction, digest)
            self._waiting.append(done)
            return done

    def _check_objects(self, transaction: TransactionData) -> None:
        used = [each for each in transaction.inputs if isinstance(each, ObjectRef)]
        for ref in (*used, *transaction.gas):
            coin = self._coins.get(ref.id)
            if coin is None or coin.ref != ref:
                raise Refused(f"object {ref.id} is not as it was")
            if coin.owner != transaction.sender:
                raise Refused(f"object {ref.id} is another's")
        if transaction.gas_owner != transaction.sender or len(transaction.gas) != 1:
            raise Refused("the model takes the gas from one coin of the sender's")
        if self._coins[transaction.gas[0].id].units < GAS:
            raise Refused("the gas coin is too small")

    def _run(self, transaction: TransactionData, digest: str) -> Executed:
        before, coins = self._balances(), dict(self._coins)
        execution = Execution(transaction, digest, self._coins)
        try:
            execution.run()
            has_succeeded = True
        except Failed:
            self._coins = coins
            execution.events.clear()
            has_succeeded = False
        gas = self._coins[transaction.gas[0].id]
        self._coins[gas.id] = replace(gas, units=gas.units - GAS, version=gas.version + 1)
        for ref in transaction.inputs:
            if isinstance(ref, ObjectRef) and ref.id in self._coins:
                coin = self._coins[ref.id]
                self._coins[ref.id] = replace(coin, version=coin.version + 1)
        after = self._balances()
        changes = tuple(
            (*key, after[key] - before[key])
            for key in sorted(before.keys() | after.keys())
            if after[key] != before[key]
        )
        return Executed(digest, transaction.sender, has_succeeded, changes, tuple(execution.events))

    def _balances(self) -> Counter[tuple[str, str]]:
        sums: Counter[tuple[str, str]] = Counter()
        for coin in self._coins.values():
            sums[coin.owner, coin.coin_type] += coin.units
        return sums


class Execution:
    """The commands of one transaction, one after the other. Raises Failed."""

    def __init__(self, transaction: TransactionData, digest: str, coins: dict[str, Coin]) -> None:
        self._transaction = transaction
        self._digest = digest
        self._coins = coins
        self._results: list[list[str]] = []
        self.events: list[tuple[str, bytes]] = []

    def run(self) -> None:
        for command in self._transaction.commands:
            match command:
                case Split():
                    self._results.append(self._split(command))
                case Give():
                    to = "0x" + self._pure(command.to).hex()
                    for coin in command.coins:
                        self._move(self._coin(coin), to)
                    self._results.append([])
                case Merge():
                    self._merge(command)
                case Call():
                    self._call(command)
        if any(not coin.owner for coin in self._coins.values()):
            raise Failed("a coin is left without an owner")
        if self._coins[self._transaction.gas[0].id].units < GAS:
            raise Failed("nothing is left for the gas")

    def _split(self, command: Split) -> list[str]:
        made = []
        for amount in command.amounts:
            source = self._coin(command.coin)
            units = int.from_bytes(self._pure(amount), "little")
            if units > source.units:
                raise Failed("InsufficientCoinBalance")
            self._coins[source.id] = replace(source, units=source.units - units)
            name = _hash(f"{self._digest}/{len(self._coins)}".encode())
            coin = Coin("0x" + name.hex(), "", source.coin_type, units, 1)
            self._coins[coin.id] = coin
            made.append(coin.id)
        return made

    def _merge(self, command: Merge) -> None:
        for argument in command.coins:
            coin, into = self._coin(argument), self._coin(command.into)
            self._coins[into.id] = replace(into, units=into.units + coin.units)
            del self._coins[coin.id]
        self._results.append([])

    def _call(self, call: Call) -> None:
        """The Payment Kit, without a registry: nothing else can be called here."""
        if (call.package, call.module, call.function) != (
            KIT, "payment_kit", "process_ephemeral_payment",
        ):  # fmt: skip
            raise Failed("there is no such function")
        nonce, amount, coin_argument, receiver, _ = call.arguments
        coin, units = self._coin(coin_argument), int.from_bytes(self._pure(amount), "little")
        name = self._pure(nonce)[1:].decode()
        if coin.units != units or call.types != (coin.coin_type,) or not 0 < len(name) <= 36:
            raise Failed("EIncorrectAmount, or EInvalidNonce")
        to = "0x" + self._pure(receiver).hex()
        self._move(coin, to)
        contents = receipt(name, units, to, coin.coin_type.removeprefix("0x"))
        self.events.append((f"{KIT}::payment_kit::PaymentReceipt", contents))
        self._results.append([])

    def _move(self, coin: Coin, to: str) -> None:
        self._coins[coin.id] = replace(coin, owner=to)

    def _coin(self, argument: Argument) -> Coin:
        kind, first, second = argument
        if kind == "gas":
            return self._coins[self._transaction.gas[0].id]
        if kind == "result":
            return self._coins[self._results[first][second]]
        found = self._transaction.inputs[first]
        if not isinstance(found, ObjectRef):
            raise Failed("this is no coin")
        return self._coins[found.id]

    def _pure(self, argument: Argument) -> bytes:
        found = self._transaction.inputs[argument[1]]
        if argument[0] != "input" or not isinstance(found, Pure):
            raise Failed("this is no plain value")
        return found.value


def _verify(data: bytes, sender: str, signatures: list[bytes]) -> None:
    """One Ed25519 signature of the sender's: flag ‖ 64 bytes ‖ key, over intent and transaction."""
    if len(signatures) != 1 or len(signatures[0]) != 97 or signatures[0][0] != 0:
        raise Refused("the model takes one Ed25519 signature")
    signature, key = signatures[0][1:65], signatures[0][65:]
    if "0x" + _hash(b"\0" + key).hex() != sender:
        raise Refused("the signature is another's")
    try:
        VerifyKey(key).verify(_hash(b"\0\0\0" + data), signature)
    except BadSignatureError as error:
        raise Refused("the signature is wrong") from error


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()
