"""TransactionData of Sui in BCS, as far as the model executes it: coins split, transferred and paid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class ObjectRef:
    id: str
    version: int
    digest: bytes


@dataclass(frozen=True)
class Pure:
    value: bytes


@dataclass(frozen=True)
class Shared:
    id: str


Input: TypeAlias = Pure | ObjectRef | Shared
# ("gas",), ("input", n) or ("result", command, place)
Argument: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True)
class Call:
    package: str
    module: str
    function: str
    types: tuple[str, ...]
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Give:
    coins: tuple[Argument, ...]
    to: Argument


@dataclass(frozen=True)
class Split:
    coin: Argument
    amounts: tuple[Argument, ...]


@dataclass(frozen=True)
class Merge:
    into: Argument
    coins: tuple[Argument, ...]


Command: TypeAlias = Call | Give | Split | Merge


@dataclass(frozen=True)
class TransactionData:
    inputs: tuple[Input, ...]
    commands: tuple[Command, ...]
    sender: str
    gas: tuple[ObjectRef, ...]
    gas_owner: str


class Reader:
    """BCS from the front. Raises ValueError on what the model does not execute."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        self._at += count
        if self._at > len(self._data):
            raise ValueError("the transaction ends too early")
        return self._data[self._at - count : self._at]

    def number(self, bytes_: int) -> int:
        return int.from_bytes(self.take(bytes_), "little")

    def count(self) -> int:
        value = shift = 0
        while (byte := self.number(1)) >= 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def blob(self) -> bytes:
        return self.take(self.count())

    def text(self) -> str:
        return self.blob().decode()

    def address(self) -> str:
        return "0x" + self.take(32).hex()

    def ref(self) -> ObjectRef:
        return ObjectRef(self.address(), self.number(8), self.blob())

    def input(self) -> Input:
        match self.number(1), self:
            case 0, _:
                return Pure(self.blob())
            case 1, _:
                return self._object()
        raise ValueError("the model knows pure inputs and objects")

    def _object(self) -> Input:
        kind = self.number(1)
        if kind == 0:
            return self.ref()
        if kind == 1:
            shared = Shared(self.address())
            self.take(9)  # the first version, and whether it is changed
            return shared
        raise ValueError("the model knows owned and shared objects")

    def argument(self) -> Argument:
        kind = self.number(1)
        if kind == 0:
            return ("gas", 0, 0)
        if kind == 1:
            return ("input", self.number(2), 0)
        return ("result", self.number(2), self.number(2) if kind == 3 else 0)

    def arguments(self) -> tuple[Argument, ...]:
        return tuple(self.argument() for _ in range(self.count()))

    def type_tag(self) -> str:
        if self.number(1) != 7:
            raise ValueError("the model knows struct types")
        name = f"{self.address()}::{self.text()}::{self.text()}"
        parameters = [self.type_tag() for _ in range(self.count())]
        return f"{name}<{','.join(parameters)}>" if parameters else name

    def command(self) -> Command:
        kind = self.number(1)
        if kind == 0:
            package, module, function = self.address(), self.text(), self.text()
            types = tuple(self.type_tag() for _ in range(self.count()))
            return Call(package, module, function, types, self.arguments())
        if kind == 1:
            return Give(self.arguments(), self.argument())
        if kind == 2:
            return Split(self.argument(), self.arguments())
        if kind == 3:
            return Merge(self.argument(), self.arguments())
        raise ValueError(f"the model knows no command {kind}")


def read_transaction(data: bytes) -> TransactionData:
    source = Reader(data)
    if source.number(1) != 0 or source.number(1) != 0:
        raise ValueError("the model knows programmable transactions")
    inputs = tuple(source.input() for _ in range(source.count()))
    commands = tuple(source.command() for _ in range(source.count()))
    sender = source.address()
    gas = tuple(source.ref() for _ in range(source.count()))
    return TransactionData(inputs, commands, sender, gas, source.address())
