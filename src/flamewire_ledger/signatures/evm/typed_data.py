"""EIP-712: typed data and the digest that is signed.

The document is read strictly: what is there is signed, and what is signed is there. A field that
is missing, one that no type names, a number out of its range or an address with a wrong checksum
is refused, where wallets and libraries each guess something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from flamewire_ledger.domain.rejection import InvalidAddress
from flamewire_ledger.signatures.curves.keccak import keccak256
from flamewire_ledger.signatures.scheme import MESSAGE_BYTES_MAX, Invalid, Reason
from flamewire_ledger.signatures.text import read_hex

TYPES_MAX: Final = 64
FIELDS_MAX: Final = 256  # of all types
VALUES_MAX: Final = 2048  # in all of the document
# Of all types that are hashed, each with those it names: types that all name each other are many.
TYPES_BYTES_MAX: Final = 512 * 1024
DEPTH_MAX: Final = 16
_DOMAIN: Final = "EIP712Domain"
# In the order of the standard; a domain has those it names.
_DOMAIN_FIELDS: Final = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
    "salt": "bytes32",
}
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,127}\Z")
_TYPE: Final = re.compile(r"([A-Za-z_$][A-Za-z0-9_$]{0,127})((?:\[(?:[1-9][0-9]{0,3})?\])*)\Z")
_LAST_ARRAY: Final = re.compile(r"(.*)\[([0-9]*)\]\Z")
_NUMBER: Final = re.compile(r"(u?)int([1-9][0-9]{0,2})\Z")
_BYTES: Final = re.compile(r"bytes([1-9]|[12][0-9]|3[0-2])\Z")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,77})\Z", re.ASCII)
_HEX_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]{1,64}\Z")
_ATOMS: Final = {"address", "bool", "bytes", "string"}

Types = Mapping[str, Sequence[tuple[str, str]]]  # (field, type) in order, by the type's name


def digest_of_typed_data(
    document: Mapping[str, Any],
    evm_chain_id: int | None,
    read_account: Callable[[str], bytes],
) -> bytes:
    """keccak256(19 01 ‖ hash of the domain ‖ hash of the message). Raises Invalid.

    With `evm_chain_id`, a domain that names another chain is refused.
    """
    if set(document) != {"types", "primaryType", "domain", "message"}:
        raise _malformed()
    domain, primary = document["domain"], document["primaryType"]
    if not isinstance(domain, dict) or not isinstance(primary, str):
        raise _malformed()
    types = _types(document["types"], domain)
    if primary not in types or primary == _DOMAIN:
        raise _malformed()
    encoder = _Encoder(types, read_account)
    separator = encoder.struct(_DOMAIN, domain, 0)
    named = _number("uint256", domain["chainId"]) if "chainId" in domain else evm_chain_id
    if evm_chain_id is not None and named != evm_chain_id:
        raise Invalid(Reason.OTHER_CHAIN)
    return keccak256(b"\x19\x01" + separator + encoder.struct(primary, document["message"], 0))


def _malformed() -> Invalid:
    return Invalid(Reason.TYPED_DATA_MALFORMED)


def _too_large() -> Invalid:
    return Invalid(Reason.TYPED_DATA_TOO_LARGE)


def _types(given: Any, domain: Mapping[str, Any]) -> Types:
    """The types, the domain's own among them: as the document has it, else as its fields say."""
    if not isinstance(given, dict):
        raise _malformed()
    if len(given) > TYPES_MAX:
        raise _too_large()
    if not all(_NAME.match(name) and not _is_atom(name) for name in given):
        raise _malformed()
    types = {name: _fields(fields) for name, fields in given.items()}
    if sum(map(len, types.values())) > FIELDS_MAX:
        raise _too_large()
    if not set(domain) <= set(_DOMAIN_FIELDS):
        raise _malformed()
    usual = [(name, kind) for name, kind in _DOMAIN_FIELDS.items() if name in domain]
    if sorted(types.setdefault(_DOMAIN, usual)) != sorted(usual):
        raise _malformed()
    used = {_base(kind) for fields in types.values() for _, kind in fields}
    if not all(name in types or _is_atom(name) for name in used):
        raise _malformed()
    return types


def _fields(given: Any) -> list[tuple[str, str]]:
    if not isinstance(given, list):
        raise _malformed()
    if len(given) > FIELDS_MAX:
        raise _too_large()
    fields = []
    for one in given:
        match one:
            case {"name": str(name), "type": str(kind), **rest} if not rest and _NAME.match(name):
                fields.append((name, kind))
            case _:
                raise _malformed()
    if len({name for name, _ in fields}) != len(fields):
        raise _malformed()
    return fields


def _base(kind: str) -> str:
    """The type without its arrays."""
    found = _TYPE.match(kind)
    if found is None:
        raise _malformed()
    if found[2].count("[") > DEPTH_MAX:
        raise _too_large()
    return found[1]


def _is_atom(name: str) -> bool:
    number = _NUMBER.match(name)
    if number is not None:
        return int(number[2]) % 8 == 0 and int(number[2]) <= 256
    return name in _ATOMS or _BYTES.match(name) is not None


class _Encoder:
    """encodeData and hashStruct of EIP-712, over the types of one document."""

    def __init__(self, types: Types, read_account: Callable[[str], bytes]) -> None:
        self._types = types
        self._read_account = read_account
        self._bases = {name: [_base(kind) for _, kind in types[name]] for name in types}
        self._type_hashes: dict[str, bytes] = {}
        self._values_left = VALUES_MAX
        self._bytes_left = MESSAGE_BYTES_MAX
        self._types_bytes_left = TYPES_BYTES_MAX

    def struct(self, name: str, value: Any, depth: int) -> bytes:
        fields = self._types[name]
        if not isinstance(value, dict) or len(value) != len(fields):
            raise _malformed()
        if depth > DEPTH_MAX:
            raise _too_large()
        encoded = [self._type_hash(name)]
        for field, kind in fields:
            if field not in value:
                raise _malformed()
            encoded.append(self._value(kind, value[field], depth + 1))
        return keccak256(b"".join(encoded))

    def _value(self, kind: str, value: Any, depth: int) -> bytes:
        self._values_left -= 1
        if self._values_left < 0:
            raise _too_large()
        if kind.endswith("]"):
            return self._array(kind, value, depth)
        if kind in self._types:
            return self.struct(kind, value, depth)
        match kind:
            case "string":
                return keccak256(self._counted(_text(value)))
            case "bytes":
                return keccak256(self._counted(_bytes(value)))
            case "bool" if isinstance(value, bool):
                return value.to_bytes(32, "big")
            case "address":
                return self._address(value).rjust(32, b"\0")
            case _ if (fixed := _BYTES.match(kind)) is not None:
                data = _bytes(value)
                if len(data) != int(fixed[1]):
                    raise _malformed()
                return data.ljust(32, b"\0")
            case _ if _NUMBER.match(kind):
                return (_number(kind, value) % 2**256).to_bytes(32, "big")
            case _:
                raise _malformed()

    def _array(self, kind: str, value: Any, depth: int) -> bytes:
        found = _LAST_ARRAY.match(kind)
        assert found is not None, "types were read before"
        if not isinstance(value, list) or (found[2] and len(value) != int(found[2])):
            raise _malformed()
        if depth > DEPTH_MAX:
            raise _too_large()
        return keccak256(b"".join(self._value(found[1], one, depth + 1) for one in value))

    def _address(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise _malformed()
        try:
            return self._read_account(value)
        except InvalidAddress:
            raise _malformed() from None

    def _counted(self, data: bytes) -> bytes:
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise _too_large()
        return data

    def _type_hash(self, name: str) -> bytes:
        known = self._type_hashes.get(name)
        if known is None:
            first, *others = self._with_others(name)
            spelled = "".join(map(self._spelled, [first, *sorted(others)])).encode()
            self._types_bytes_left -= len(spelled)
            if self._types_bytes_left < 0:
                raise _too_large()
            known = self._type_hashes[name] = keccak256(spelled)
        return known

    def _with_others(self, name: str) -> list[str]:
        """The type, and every type that can be reached from it."""
        found, new = {name: None}, [name]
        while new:
            for other in self._bases[new.pop()]:
                if other in self._types and other not in found:
                    found[other] = None
                    new.append(other)
        return list(found)

    def _spelled(self, name: str) -> str:
        fields = ",".join(f"{kind} {field}" for field, kind in self._types[name])
        return f"{name}({fields})"


def _text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _malformed()
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise _malformed() from None


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _malformed()
    try:
        return read_hex(value)
    except ValueError:
        raise _malformed() from None


def _number(kind: str, value: Any) -> int:
    """A JSON integer, or a text in decimal or hexadecimal, within the range of its type."""
    found = _NUMBER.match(kind)
    assert found is not None, "types were read before"
    if isinstance(value, str) and _DECIMAL.match(value):
        number = int(value)
    elif isinstance(value, str) and _HEX_NUMBER.match(value):
        number = int(value, 16)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        raise _malformed()
    bits = int(found[2])
    least, most = (0, 2**bits) if found[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    if not least <= number < most:
        raise _malformed()
    return number
