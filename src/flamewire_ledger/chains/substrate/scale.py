"""SCALE, read by the types of a runtime: where a value ends, and the numbers in it.

A type is what the runtime's metadata says it is (scale-info's portable registry). Nothing is built
from the bytes that are passed over: a block has hundreds of events, of which a few are of interest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

Definition: TypeAlias = Mapping[str, Any]  # {"composite": {"fields": […]}}, {"primitive": "u32"}, …
_Skip: TypeAlias = Callable[[bytes, int], int]

_PRIMITIVE_BYTES: Final = {
    "bool": 1, "char": 4, "u8": 1, "u16": 2, "u32": 4, "u64": 8, "u128": 16, "u256": 32,
    "i8": 1, "i16": 2, "i32": 4, "i64": 8, "i128": 16, "i256": 32,
}  # fmt: skip
_WRAPPERS_MAX: Final = 16  # a number in a struct in a struct …


class Unreadable(ValueError):
    """Bytes that are not of their type, or a type that says nothing."""


def compact(data: bytes, at: int) -> tuple[int, int]:
    """A compact number, and where it ends."""
    first = data[at]
    match first & 3:
        case 0:
            return first >> 2, at + 1
        case 1:
            return int.from_bytes(data[at : at + 2], "little") >> 2, at + 2
        case 2:
            return int.from_bytes(data[at : at + 4], "little") >> 2, at + 4
        case _:
            end = at + 5 + (first >> 2)
            return int.from_bytes(data[at + 1 : end], "little"), end


class Types:
    """The types of one runtime. Bytes that end too soon raise Unreadable or IndexError."""

    def __init__(self, definitions: Mapping[int, Definition]) -> None:
        self._definitions = definitions
        self._sizes: dict[int, int | None] = {}
        self._skips: dict[int, _Skip] = {}

    def definition(self, type_id: int) -> Definition:
        try:
            return self._definitions[type_id]
        except KeyError:
            raise Unreadable(f"the runtime does not say what type {type_id} is") from None

    def fields(self, type_id: int) -> Sequence[Mapping[str, Any]]:
        """Of a struct, in their order; of a tuple, without names."""
        match self.definition(type_id):
            case {"composite": {"fields": fields}}:
                return list(fields)
            case {"tuple": members}:
                return [{"name": None, "type": member} for member in members]
            case _:
                raise Unreadable(f"type {type_id} has no fields")

    def variants(self, type_id: int) -> Sequence[Mapping[str, Any]]:
        match self.definition(type_id):
            case {"variant": {"variants": variants}}:
                return list(variants)
            case _:
                raise Unreadable(f"type {type_id} has no variants")

    def element(self, type_id: int) -> int:
        """The type of a sequence's elements, however it is wrapped."""
        match self._unwrapped(type_id):
            case {"sequence": {"type": element}}:
                return int(element)
            case _:
                raise Unreadable(f"type {type_id} is no sequence")

    def number(self, type_id: int, raw: bytes) -> int | None:
        """The number that is all there is in `raw`, of whichever width; None if the type is no number."""
        match self._unwrapped(type_id):
            case {"primitive": str(name)} if name[0] == "u" and name in _PRIMITIVE_BYTES:
                return int.from_bytes(raw, "little")
            case {"compact": _}:
                return compact(raw, 0)[0]
            case _:
                return None

    def _unwrapped(self, type_id: int) -> Definition:
        for _ in range(_WRAPPERS_MAX):
            definition = self.definition(type_id)
            match definition:
                case {"composite": {"fields": [{"type": inner}]}} | {"tuple": [inner]}:
                    type_id = inner
                case _:
                    return definition
        raise Unreadable(f"type {type_id} is wrapped too often")

    def size(self, type_id: int) -> int | None:
        """How many bytes every value of this type has; None when they differ."""
        return self._size(type_id, ())

    # Where a value ends.

    def end(self, type_id: int, data: bytes, at: int) -> int:
        """Where the value of this type that begins at `at` ends; raises when the data end before."""
        end = self._skip(type_id)(data, at)
        if end > len(data):
            raise Unreadable(f"a value of type {type_id} is cut off")
        return end

    def _skip(self, type_id: int) -> _Skip:
        found = self._skips.get(type_id)
        if found is None:
            size = self._size(type_id, ())
            # Types may hold themselves: what a part is made of is asked when it is met.
            found = self._varying(self.definition(type_id)) if size is None else _fixed(size)
            self._skips[type_id] = found
        return found

    def _size(self, type_id: int, within: tuple[int, ...]) -> int | None:
        """How many bytes every value has; None when they differ."""
        if type_id in self._sizes:
            return self._sizes[type_id]
        if type_id in within:
            return None
        size: int | None
        match self.definition(type_id):
            case {"primitive": str(name)}:
                size = _PRIMITIVE_BYTES.get(name)
            case {"array": {"len": count, "type": element}}:
                one = self._size(element, (*within, type_id))
                size = None if one is None else one * int(count)
            case {"composite": _} | {"tuple": _}:
                sizes = [self._size(f["type"], (*within, type_id)) for f in self.fields(type_id)]
                size = None if None in sizes else sum(each or 0 for each in sizes)
            case _:
                size = None  # as long as what is in it
        self._sizes[type_id] = size
        return size

    def _varying(self, definition: Definition) -> _Skip:
        match definition:
            case {"primitive": "str"}:
                return _skip_text
            case {"compact": _}:
                return lambda data, at: compact(data, at)[1]
            case {"sequence": {"type": element}}:
                return self._sequence(int(element))
            case {"array": {"len": count, "type": element}}:
                return self._all_of([int(element)] * int(count))
            case {"composite": {"fields": fields}}:
                return self._all_of([int(field["type"]) for field in fields])
            case {"tuple": members}:
                return self._all_of([int(member) for member in members])
            case {"variant": {"variants": variants}}:
                return self._variant(variants)
            case {"bitsequence": {"bit_store_type": store}}:
                return self._bits(int(store))
            case _:
                raise Unreadable(f"the runtime has a kind of type nobody knows: {set(definition)}")

    def _all_of(self, members: Sequence[int]) -> _Skip:
        def skip(data: bytes, at: int) -> int:
            for member in members:
                at = self._skip(member)(data, at)
            return at

        return skip

    def _sequence(self, element: int) -> _Skip:
        size = self._size(element, ())

        def skip(data: bytes, at: int) -> int:
            count, at = compact(data, at)
            if size is not None:
                return at + count * size
            one = self._skip(element)
            for _ in range(count):  # each takes a byte at least: it ends with the data
                at = one(data, at)
            return at

        return skip

    def _variant(self, variants: Sequence[Mapping[str, Any]]) -> _Skip:
        bodies = {
            int(each["index"]): self._all_of([int(field["type"]) for field in each["fields"]])
            for each in variants
        }

        def skip(data: bytes, at: int) -> int:
            body = bodies.get(data[at])
            if body is None:
                raise Unreadable(f"no variant has the index {data[at]}")
            return body(data, at + 1)

        return skip

    def _bits(self, store: int) -> _Skip:
        size = self._size(store, ()) or 1

        def skip(data: bytes, at: int) -> int:
            count, at = compact(data, at)
            return at + -(-count // (8 * size)) * size

        return skip


def _fixed(size: int) -> _Skip:
    return lambda data, at: at + size


def _skip_text(data: bytes, at: int) -> int:
    count, at = compact(data, at)
    return at + count
