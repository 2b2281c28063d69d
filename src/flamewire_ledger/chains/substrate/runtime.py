"""One version of a chain's runtime: how its events are read, and the constants that matter to us.

An event is read by the runtime that wrote it, which is the one of the block's *parent*: a block
that upgrades the runtime was still executed by the old one. Amounts are as wide as the runtime
says, u64 on Bittensor and u128 on most other chains.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from flamewire_ledger.chains.substrate.scale import Types, Unreadable, compact

# Where events and the time are: twox128 of the pallet's name, then of the value's (`frame_support`).
EVENTS: Final = "0x26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7"
NOW: Final = "0xf0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb"
Phase: TypeAlias = int | str  # the extrinsic's number in the block, or "initialization", …
_RUNTIMES_KEPT: Final = 8
_ASSETS: Final = ["pallet_assets", "pallet", "Event"]
_SIGNED: Final = (0x84, 0x85)  # an extrinsic's first byte: signed, of format 4 or 5
_GENERAL: Final = 0x45  # of format 5, authorised by its extensions alone


@dataclass(frozen=True, slots=True)
class CoinMoved:
    """Balances.Transfer."""

    phase: Phase
    sender: bytes
    receiver: bytes
    units: int


@dataclass(frozen=True, slots=True)
class AssetMoved:
    """Transferred, of a pallet of assets. Assets that live elsewhere are named by a place, as bytes."""

    phase: Phase
    pallet: str
    asset_id: int | bytes
    sender: bytes
    receiver: bytes
    units: int


@dataclass(frozen=True, slots=True)
class Remarked:
    """System.Remarked: the hash of what somebody wrote."""

    phase: Phase
    remark_hash: bytes


Event: TypeAlias = CoinMoved | AssetMoved | Remarked


class Runtime:
    """Reads what one version of the runtime wrote. Raises Unreadable for metadata it cannot use."""

    def __init__(self, metadata: bytes) -> None:
        decoded, self._constants = _decoded(metadata)
        kinds = {each["id"]: each["type"] for each in decoded["types"]["types"]}
        self._types = Types({type_id: kind["def"] for type_id, kind in kinds.items()})
        self._pallets = {pallet["name"]: pallet for pallet in decoded["pallets"]}
        self._record = self._types.fields(self._types.element(self._events_type()))
        self._wanted = self._wanted_events(kinds)
        self._extrinsic = decoded["extrinsic"]
        self._extrinsic_parts = {
            each["name"]: each["type"] for each in kinds[self._extrinsic["ty"]]["params"]
        }

    def constant(self, pallet: str, name: str) -> int | None:
        """A number among a pallet's constants; None where there is none."""
        found = self._constants.get((pallet, name))
        return None if found is None else self._types.number(*found)

    def events(self, data: bytes) -> list[Event]:
        """The events of interest in `System.Events`, in their order. Raises Unreadable."""
        found: list[Event] = []
        try:
            count, at = compact(data, 0)
            for _ in range(count):
                event, at = self._event(data, at)
                if event is not None:
                    found.append(event)
        except (IndexError, RecursionError):
            raise Unreadable("the events of a block are cut off") from None
        if at != len(data):
            raise Unreadable("there is more than the events of a block")
        return found

    def is_mortal(self, extrinsic: bytes) -> bool:
        """Whether the extrinsic says until when it is valid. One that cannot be read does not."""
        parts = self._extrinsic_parts
        try:
            _, at = compact(extrinsic, 0)
            kind, at = extrinsic[at], at + 1
            if kind in _SIGNED:
                at = self._types.end(parts["Address"], extrinsic, at)
                at = self._types.end(parts["Signature"], extrinsic, at)
            elif kind != _GENERAL:
                return False
            if kind != _SIGNED[0]:
                at += 1  # which version of the extensions
            for extension in self._extrinsic["signed_extensions"]:
                if extension["identifier"] in ("CheckMortality", "CheckEra"):
                    return extrinsic[at] != 0
                at = self._types.end(extension["ty"], extrinsic, at)
        except (IndexError, KeyError, RecursionError, Unreadable):
            return False
        return False

    def asset_key(self, asset_id: int) -> str | None:
        """The end of a storage key for an asset of the pallet Assets (`Blake2_128Concat`), in
        hexadecimal digits; None where there is no such pallet, or it has no such number.
        """
        for name, pallet, fields in self._wanted.values():
            if name == "Assets.Transferred" and pallet == "Assets":
                size = self._types.size(fields[0])
                if size is None or asset_id >= 256**size:
                    return None
                encoded = asset_id.to_bytes(size, "little")
                return (hashlib.blake2b(encoded, digest_size=16).digest() + encoded).hex()
        return None

    # Events.

    def _events_type(self) -> int:
        storage = self._pallets.get("System", {}).get("storage") or {"entries": ()}
        for entry in storage["entries"]:
            if entry["name"] == "Events":
                return int(entry["type"]["Plain"])
        raise Unreadable("the runtime does not say where its events are")

    def _wanted_events(
        self, kinds: Mapping[int, Mapping[str, Any]]
    ) -> Mapping[tuple[int, int], tuple[str, str, list[int]]]:
        """By the numbers of the pallet and of the event: their names, and the types of the fields."""
        found: dict[tuple[int, int], tuple[str, str, list[int]]] = {}
        for pallet in self._pallets.values():
            if pallet["event"] is None:
                continue
            type_id = pallet["event"]["ty"]
            is_assets = kinds[type_id]["path"] == _ASSETS
            for event in self._types.variants(type_id):
                name = f"{'Assets' if is_assets else pallet['name']}.{event['name']}"
                if name in ("Balances.Transfer", "Assets.Transferred", "System.Remarked"):
                    fields = [int(field["type"]) for field in event["fields"]]
                    found[pallet["index"], event["index"]] = (name, pallet["name"], fields)
        return found

    def _event(self, data: bytes, at: int) -> tuple[Event | None, int]:
        phase: Phase = ""
        event: Event | None = None
        for field in self._record:
            end = self._types.end(field["type"], data, at)
            match field["name"]:
                case "phase":
                    phase = self._phase(field["type"], data, at)
                case "event":
                    event = self._of_interest(phase, data, at)
                case _:
                    pass
            at = end
        return event, at

    def _phase(self, type_id: int, data: bytes, at: int) -> Phase:
        for variant in self._types.variants(type_id):
            if variant["index"] == data[at]:
                if variant["name"] == "ApplyExtrinsic":
                    return int.from_bytes(data[at + 1 : at + 5], "little")
                return str(variant["name"]).lower()
        raise Unreadable("an event is of no phase")

    def _of_interest(self, phase: Phase, data: bytes, at: int) -> Event | None:
        wanted = self._wanted.get((data[at], data[at + 1]))
        if wanted is None:
            return None
        name, pallet, fields = wanted
        at += 2
        raw: list[bytes] = []
        for type_id in fields:
            end = self._types.end(type_id, data, at)
            raw.append(data[at:end])
            at = end
        match name, raw:
            case "Balances.Transfer", [sender, receiver, amount]:
                return CoinMoved(phase, sender, receiver, self._units(fields[2], amount))
            case "Assets.Transferred", [asset, sender, receiver, amount]:
                number = self._types.number(fields[0], asset)
                asset_id = asset if number is None else number
                units = self._units(fields[3], amount)
                return AssetMoved(phase, pallet, asset_id, sender, receiver, units)
            case "System.Remarked", [_, remark_hash]:
                return Remarked(phase, remark_hash)
            case _:
                raise Unreadable(f"{name} has other fields than it is known to have")

    def _units(self, type_id: int, raw: bytes) -> int:
        units = self._types.number(type_id, raw)
        if units is None:
            raise Unreadable("an amount is no number")
        return units


@lru_cache(maxsize=_RUNTIMES_KEPT)
def runtime_of(metadata: bytes) -> Runtime:
    """The runtime that these metadata describe; it takes seconds to make. Raises Unreadable.

    Nodes that say the same share it, and one that says something else spoils nobody's.
    """
    return Runtime(metadata)


Constants: TypeAlias = Mapping[tuple[str, str], tuple[int, bytes]]


def _decoded(metadata: bytes) -> tuple[Mapping[str, Any], Constants]:
    """The metadata as plain values; and the constants, of which those may make text. Raises Unreadable."""
    from scalecodec.base import RuntimeConfigurationObject, ScaleBytes
    from scalecodec.exceptions import RemainingScaleBytesNotEmptyException
    from scalecodec.type_registry import load_type_registry_preset

    configuration = RuntimeConfigurationObject()
    configuration.update_type_registry(load_type_registry_preset("core"))
    decoder = configuration.create_scale_object("MetadataVersioned", ScaleBytes(metadata))
    try:
        decoder.decode()
        ((version, decoded),) = decoder.value[1].items()
        if "types" not in decoded:
            raise Unreadable(f"metadata {version} is older than this can read: V14 is the first")
        constants = {
            (pallet.value["name"], each.value["name"]): (
                int(each.value["type"]),
                bytes(each.constant_value or b""),
            )
            for pallet in decoder.pallets
            for each in pallet.constants or ()
        }
    except (
        RemainingScaleBytesNotEmptyException, AttributeError, IndexError, KeyError,
        NotImplementedError, TypeError, ValueError,
    ) as error:  # fmt: skip
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("the runtime's metadata cannot be read") from None
    return decoded, constants
