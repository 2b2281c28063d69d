"""What a text can be: an address, a transaction id or a payment URI, and on which networks.

Texts of different chains look alike: 0x and 64 digits are an address on Sui and a transaction on
Ethereum. All that it can be is listed, each with why; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qs

import base58

from flamewire_ledger.chains import addresses
from flamewire_ledger.chains.accounts import Family, Realm, within
from flamewire_ledger.domain.rejection import InvalidAddress

TEXT_MAX: Final = 2048
What: TypeAlias = Literal["address", "transaction_id", "payment_uri"]
_HASH: Final = re.compile(r"0x[0-9a-fA-F]{64}\Z")
_EVM: Final = re.compile(r"0x[0-9a-fA-F]{40}\Z")
_BASE58_HASH: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}\Z")
_BASE58_ADDRESS: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{46,50}\Z")
_EXTRINSIC: Final = re.compile(r"(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,5})\Z", re.ASCII)
_EIP_681: Final = re.compile(
    r"ethereum:(?:pay-)?(0x[0-9a-fA-F]{40})(?:@([1-9][0-9]{0,30}))?(?:/[A-Za-z0-9_]+)?(?:\?.*)?\Z",
    re.ASCII,
)
_TOKEN_CALL: Final = re.compile(r"/transfer(?:\?(.*))?\Z", re.ASCII)
_CAIP_10: Final = re.compile(r"((?:eip155|polkadot|sui|sandbox):[-_a-zA-Z0-9]{1,32}):[^:]+\Z")
_PAYMENT_KIT: Final = re.compile(r"sui:pay\?(?:.*&)?receiver=([^&]*)(?:&.*)?\Z")
_URI: Final = re.compile(r"([a-z][a-z0-9+.:-]*?)[:/](?://)?([1-9A-Za-z0]{32,70})(?:\?.*)?\Z")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that a text can be."""

    what: What
    network: str
    chain_id: str | None  # CAIP-2; None: the text does not say which chain of this kind
    canonical: str  # the one spelling of it
    reason: str


@dataclass(frozen=True, slots=True)
class Detection:
    """Every candidate; `reason` sums them up, and says why when there is none."""

    candidates: tuple[Candidate, ...]
    reason: str

    @property
    def is_ambiguous(self) -> bool:
        return len(self.candidates) > 1


def detect(text: str, realms: Sequence[Realm]) -> Detection:
    """What it can be on these networks."""
    if len(text) > TEXT_MAX:
        return Detection((), "no address, transaction id or payment URI is that long")
    try:
        candidates = tuple(_candidates(text, realms))
    except InvalidAddress as error:
        return Detection((), error.detail)
    if not candidates:
        return Detection((), _nothing(text))
    if len(candidates) == 1:
        return Detection(candidates, candidates[0].reason)
    networks = ", ".join(dict.fromkeys(each.network for each in candidates))
    return Detection(
        candidates, f"ambiguous: it can be any of {len(candidates)} things, on {networks}"
    )


def _candidates(text: str, realms: Sequence[Realm]) -> Iterator[Candidate]:
    """Raises InvalidAddress when it is meant to be an address and is mistyped."""
    if _EVM.match(text):
        spelled = addresses.parse_evm(text)
        for realm in _of("evm", realms):
            yield _candidate(
                "address", realm, spelled, "0x and 40 digits: an address on EVM chains"
            )
    elif _HASH.match(text):
        yield from _hash(text.lower(), realms)
    elif _BASE58_ADDRESS.match(text):
        yield from _ss58(text, realms)
    elif _BASE58_HASH.match(text) and len(base58.b58decode(text)) == 32:
        for realm in _of("sui", realms):
            yield _candidate("transaction_id", realm, text, "base58 of 32 bytes: Sui's digests")
    elif found := _EXTRINSIC.match(text):
        reason = f"extrinsic {found[2]} of block {found[1]}"
        for realm in _of("substrate", realms):
            yield _candidate("transaction_id", realm, text, reason)
    elif ":" in text:
        yield from _with_colon(text, realms)


def _of(family: Family, realms: Sequence[Realm]) -> list[Realm]:
    return [realm for realm in realms if realm.family == family]


def _candidate(what: What, realm: Realm, canonical: str, reason: str) -> Candidate:
    return Candidate(what, realm.name, realm.chain_id, canonical, reason)


def _hash(text: str, realms: Sequence[Realm]) -> Iterator[Candidate]:
    """0x and 64 digits."""
    for realm in _of("sui", realms):
        yield _candidate("address", realm, text, "0x and 64 digits: an address on Sui")
    for realm in _of("evm", realms):
        yield _candidate(
            "transaction_id", realm, text, "0x and 64 digits: a transaction's hash on EVM chains"
        )
    for realm in _of("substrate", realms):
        yield _candidate(
            "transaction_id", realm, text, "0x and 64 digits: an extrinsic's hash on Substrate"
        )


def _ss58(text: str, realms: Sequence[Realm]) -> Iterator[Candidate]:
    """Raises InvalidAddress for a wrong checksum, and for a network that is none of these."""
    prefix, _ = addresses.read_ss58(text)
    is_known = False
    for realm in _of("substrate", realms):
        try:
            spelled = realm.canonical(text)
        except InvalidAddress:
            continue
        is_known = True
        yield _candidate("address", realm, spelled, f"SS58 with prefix {prefix}, this network's")
    if not is_known:
        raise InvalidAddress(f"an SS58 address of prefix {prefix}: no network here has it")


def _with_colon(text: str, realms: Sequence[Realm]) -> Iterator[Candidate]:
    """A CAIP-10 account or a payment URI, whose scheme may be in capitals, as in a QR code."""
    scheme, _, rest = text.partition(":")
    text = f"{scheme.lower()}:{rest}"
    if found := _EIP_681.match(text):
        yield from _eip_681(found[1], found[2], text, realms)
        return
    if found := _PAYMENT_KIT.match(text):
        addresses.parse_sui(found[1])
        for realm in _of("sui", realms):
            yield _candidate("payment_uri", realm, text, "a payment by the Sui Payment Kit")
        return
    if found := _CAIP_10.match(text):
        yield _account(found[1], text, realms)
        return
    yield from _plain_uri(text, realms)


def _account(chain_id: str, text: str, realms: Sequence[Realm]) -> Candidate:
    """A CAIP-10 account. Raises InvalidAddress, and where its chain is none of these."""
    for realm in realms:
        try:
            named, address = within(realm, text)
        except InvalidAddress:
            continue
        of = realm.sandbox_id if chain_id == realm.sandbox_id else named.chain_id
        canonical = f"{of}:{named.canonical(address)}"
        return Candidate("address", named.name, of, canonical, "a CAIP-10 account of this chain")
    raise InvalidAddress(f"a CAIP-10 account of {chain_id}, which is no network here")


def _eip_681(
    address: str, number: str | None, text: str, realms: Sequence[Realm]
) -> Iterator[Candidate]:
    addresses.parse_evm(address)
    if call := _TOKEN_CALL.search(text):
        receivers = parse_qs(call[1] or "").get("address", [])
        if not receivers:
            raise InvalidAddress("EIP-681 for a token that names no receiver: it has no address=")
        addresses.parse_evm(receivers[0])
    if number is None:
        reason = "EIP-681 without a chain: a payment on any EVM chain"
        for realm in _of("evm", realms):
            yield _candidate("payment_uri", realm, text, reason)
        return
    chain_id = f"eip155:{number}"
    exact = [realm for realm in realms if realm.chain_id == chain_id]
    found = exact or [realm for realm in _of("evm", realms) if realm.chain_id is None]
    if not found:
        raise InvalidAddress(f"EIP-681 for {chain_id}, which is no network here")
    for realm in found:
        reason = f"EIP-681: a payment on {chain_id}"
        yield Candidate("payment_uri", realm.name, chain_id, text, reason)


def _plain_uri(text: str, realms: Sequence[Realm]) -> Iterator[Candidate]:
    """network:address, and the sandbox's own, with what is asked for behind a question mark."""
    found = _URI.match(text)
    if found is None:
        return
    for realm in realms:
        if found[1] not in (realm.name, realm.chain_id, realm.sandbox_id, realm.family):
            continue  # wallets of Sui write sui:, and of Substrate substrate:, on whichever network
        realm.canonical(found[2])
        chain_id = realm.sandbox_id if found[1] == realm.sandbox_id else realm.chain_id
        reason = f"a payment to an address on {realm.name}"
        yield Candidate("payment_uri", realm.name, chain_id, text, reason)


def _nothing(text: str) -> str:
    if text != text.strip():
        return "there are spaces around it: it is none as it stands"
    if re.fullmatch(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}", text):
        return "hexadecimal digits are written with 0x before them"
    return "it looks like no address, transaction id or payment URI of these networks"
