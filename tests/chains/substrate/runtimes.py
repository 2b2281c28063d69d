"""Runtimes made by hand: metadata with balances of any width, and events that they would write.

The bytes are encoded by scalecodec and by the few lines here, not by the code that reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from scalecodec.base import RuntimeConfigurationObject
from scalecodec.type_registry import load_type_registry_preset

# What the types are called below is their number in the registry.
(U8, U32, BALANCE, HASH, ACCOUNT, PHASE, TEXT, NOTHING, HASHES, BALANCES, SYSTEM, SUBTENSOR, ASSETS,
 EVENT, RECORD, RECORDS, COMPACT, BITS, TREE, TREES, ADDRESS, SIGNATURE, BYTES, EXTRINSIC, ERA,
 NONCE, BYTES_64, U16) = range(28)  # fmt: skip


@cache
def metadata(*, balance: str, balances_index: int = 5, existential_deposit: int = 500) -> bytes:
    """Metadata V14 of a runtime with Balances, System, Assets, and a pallet of many kinds of fields."""
    width = {"u64": 8, "u128": 16}[balance]
    constants = [
        _constant("ExistentialDeposit", BALANCE, existential_deposit.to_bytes(width, "little"))
    ]
    events = {"name": "Events", "modifier": "Default", "type": {"Plain": RECORDS},
              "default": "0x00", "documentation": []}  # fmt: skip
    document = {
        "types": {"types": _types(balance, balances_index)},
        "pallets": [
            _pallet("System", 0, SYSTEM, [_constant("SS58Prefix", U16, b"\x2a\x00")], [events]),
            _pallet("Balances", balances_index, BALANCES, constants),
            _pallet("SubtensorModule", 7, SUBTENSOR),
            _pallet("Assets", 8, ASSETS),
        ],
        "extrinsic": {
            "ty": EXTRINSIC,
            "version": 4,
            "signed_extensions": [
                {"identifier": "CheckGenesis", "ty": NOTHING, "additional_signed": HASH},
                {"identifier": "CheckMortality", "ty": ERA, "additional_signed": HASH},
                {"identifier": "CheckNonce", "ty": NONCE, "additional_signed": NOTHING},
            ],
        },
        "runtime_type": NOTHING,
    }
    configuration = RuntimeConfigurationObject()
    configuration.update_type_registry(load_type_registry_preset("core"))
    encoder = configuration.create_scale_object("MetadataVersioned")
    return bytes(encoder.encode(("0x6d657461", {"V14": document})).data)


def _pallet(
    name: str, index: int, event: int, constants: Sequence[Any] = (), storage: Sequence[Any] = ()
) -> dict[str, Any]:
    return {
        "name": name,
        "storage": {"prefix": name, "entries": list(storage)} if storage else None,
        "calls": None,
        "event": {"ty": event},
        "constants": list(constants),
        "error": None,
        "index": index,
    }


def _constant(name: str, type_id: int, value: bytes) -> dict[str, Any]:
    return {"name": name, "type": type_id, "value": value, "documentation": []}


Definitions = dict[int, tuple[str, dict[str, Any]]]


def _types(balance: str, balances_index: int) -> list[dict[str, Any]]:
    definitions = {**_values(balance), **_events(balances_index), **_extrinsics()}
    return [
        {
            "id": type_id,
            "type": {
                "path": path.split("::") if path else [],
                "params": _EXTRINSIC_PARTS if type_id == EXTRINSIC else [],
                "def": definition,
                "docs": [],
            },
        }
        for type_id, (path, definition) in sorted(definitions.items())
    ]


def _values(balance: str) -> Definitions:
    return {
        U8: ("", {"primitive": "u8"}),
        U16: ("", {"primitive": "u16"}),
        U32: ("", {"primitive": "u32"}),
        BALANCE: ("", {"primitive": balance}),
        TEXT: ("", {"primitive": "str"}),
        HASH: ("primitive_types::H256", _struct(("", BYTES))),
        BYTES: ("", {"array": {"len": 32, "type": U8}}),
        BYTES_64: ("", {"array": {"len": 64, "type": U8}}),
        ACCOUNT: ("sp_core::crypto::AccountId32", _struct(("", BYTES))),
        NOTHING: ("", {"tuple": []}),
        HASHES: ("", {"sequence": {"type": HASH}}),
        COMPACT: ("", {"compact": {"type": U32}}),
        NONCE: ("", {"compact": {"type": U32}}),
        BITS: ("", {"bitsequence": {"bit_store_type": U8, "bit_order_type": NOTHING}}),
        # A type that holds itself, as calls do.
        TREE: ("", _enum((0, "Leaf", [("", U8)]), (1, "Branch", [("", TREES)]))),
        TREES: ("", {"sequence": {"type": TREE}}),
    }  # fmt: skip


def _events(balances_index: int) -> Definitions:
    return {
        PHASE: ("frame_system::Phase", _enum(
            (0, "ApplyExtrinsic", [("", U32)]), (1, "Finalization", []), (2, "Initialization", []),
        )),
        BALANCES: ("pallet_balances::pallet::Event", _enum(
            (0, "Endowed", [("account", ACCOUNT), ("free_balance", BALANCE)]),
            (2, "Transfer", [("from", ACCOUNT), ("to", ACCOUNT), ("amount", BALANCE)]),
        )),
        SYSTEM: ("frame_system::pallet::Event", _enum(
            (0, "ExtrinsicSuccess", []), (1, "ExtrinsicFailed", [("error", U8)]),
            (5, "Remarked", [("sender", ACCOUNT), ("hash", HASH)]),
        )),
        SUBTENSOR: ("pallet_subtensor::pallet::Event", _enum(
            (3, "ManyKinds", [("", TEXT), ("", COMPACT), ("", BITS), ("", TREE), ("", NOTHING)]),
        )),
        ASSETS: ("pallet_assets::pallet::Event", _enum(
            (2, "Transferred",
             [("asset_id", U32), ("from", ACCOUNT), ("to", ACCOUNT), ("amount", BALANCE)]),
        )),
        EVENT: ("node_subtensor_runtime::RuntimeEvent", _enum(
            (0, "System", [("", SYSTEM)]), (balances_index, "Balances", [("", BALANCES)]),
            (7, "SubtensorModule", [("", SUBTENSOR)]), (8, "Assets", [("", ASSETS)]),
        )),
        RECORD: ("frame_system::EventRecord", _struct(
            ("phase", PHASE), ("event", EVENT), ("topics", HASHES)
        )),
        RECORDS: ("", {"sequence": {"type": RECORD}}),
    }  # fmt: skip


def _extrinsics() -> Definitions:
    return {
        ADDRESS: ("sp_runtime::multiaddress::MultiAddress", _enum((0, "Id", [("", ACCOUNT)]))),
        SIGNATURE: ("sp_runtime::MultiSignature", _enum((1, "Sr25519", [("", BYTES_64)]))),
        ERA: ("sp_runtime::generic::era::Era", _enum(
            (0, "Immortal", []), *((n, f"Mortal{n}", [("", U8)]) for n in range(1, 256)),
        )),
        EXTRINSIC: ("sp_runtime::generic::unchecked_extrinsic::UncheckedExtrinsic",
                    {"sequence": {"type": U8}}),
    }  # fmt: skip


_EXTRINSIC_PARTS = [
    {"name": "Address", "type": ADDRESS},
    {"name": "Call", "type": TREE},
    {"name": "Signature", "type": SIGNATURE},
    {"name": "Extra", "type": NOTHING},
]


def _fields(fields: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    return [
        {"name": name or None, "type": type_id, "typeName": None, "docs": []}
        for name, type_id in fields
    ]


def _struct(*fields: tuple[str, int]) -> dict[str, Any]:
    return {"composite": {"fields": _fields(fields)}}


def _enum(*variants: tuple[int, str, Sequence[tuple[str, int]]]) -> dict[str, Any]:
    return {
        "variant": {
            "variants": [
                {"name": name, "fields": _fields(fields), "index": index, "docs": []}
                for index, name, fields in variants
            ]
        }
    }


class Writer:
    """Writes `System.Events` as such a runtime does."""

    def __init__(self, *, balance: str, balances_index: int = 5) -> None:
        self._width = {"u64": 8, "u128": 16}[balance]
        self._balances = balances_index
        self._records: list[bytes] = []

    def transfer(self, phase: bytes, sender: bytes, receiver: bytes, units: int) -> None:
        body = sender + receiver + units.to_bytes(self._width, "little")
        self._record(phase, bytes([self._balances, 2]) + body)

    def asset(
        self, phase: bytes, asset_id: int, sender: bytes, receiver: bytes, units: int
    ) -> None:
        body = asset_id.to_bytes(4, "little") + sender + receiver
        self._record(phase, b"\x08\x02" + body + units.to_bytes(self._width, "little"))

    def remark(self, phase: bytes, sender: bytes, remark_hash: bytes) -> None:
        self._record(phase, b"\x00\x05" + sender + remark_hash)

    def many_kinds(self, phase: bytes) -> None:
        """Text, a compact number of four bytes, eleven bits, and a tree with two leaves in a branch."""
        text = bytes([5 << 2]) + b"hello"
        tree = b"\x01" + bytes([2 << 2]) + b"\x00\x07" + b"\x01" + bytes([1 << 2]) + b"\x00\x09"
        number = (2**20 << 2 | 2).to_bytes(4, "little")
        bits = bytes([11 << 2]) + b"\xff\x07"
        self._record(phase, b"\x07\x03" + text + number + bits + tree)

    def success(self, phase: bytes) -> None:
        self._record(phase, b"\x00\x00", topics=2)

    def written(self) -> bytes:
        assert len(self._records) < 64
        return bytes([len(self._records) << 2]) + b"".join(self._records)

    def _record(self, phase: bytes, event: bytes, topics: int = 0) -> None:
        self._records.append(phase + event + bytes([topics << 2]) + bytes(32 * topics))


def extrinsic(number: int) -> bytes:
    """The phase of an extrinsic."""
    return b"\x00" + number.to_bytes(4, "little")


FINALIZATION, INITIALIZATION = b"\x01", b"\x02"
