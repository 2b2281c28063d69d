"""Wallets of every chain, signing by the chains' own libraries: what a payer would do with a message."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import sr25519
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_account import Account
from eth_account.messages import encode_defunct
from nacl.signing import SigningKey

from flamewire_ledger.chains.addresses import ss58_address, sui_address
from flamewire_ledger.signatures.curves import secp256r1


@dataclass(frozen=True, slots=True)
class Wallet:
    """`sign` takes the text as it is shown, and gives the signature as it is written on this chain."""

    network: str
    scheme: str
    address: str
    sign: Callable[[str], str]
    kind: str = "personal_message"


def _seed(label: str) -> bytes:
    return hashlib.sha256(f"flamewire wallet {label}".encode()).digest()


def _blake2b(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


def _hex(data: bytes) -> str:
    return "0x" + bytes(data).hex()


def ethereum(label: str = "one") -> Wallet:
    account = Account.from_key(_seed(label))

    def sign(text: str) -> str:
        return _hex(account.sign_message(encode_defunct(text=text)).signature)

    return Wallet("ethereum", "secp256k1", account.address, sign)


def substrate(scheme: str, kind: str = "personal_message", label: str = "one") -> Wallet:
    """Wallets in a browser wrap what they sign, command lines do not."""
    account, of_payload = _SUBSTRATE[scheme](_seed(label))

    def sign(text: str) -> str:
        payload = text.encode()
        return _hex(
            of_payload(b"<Bytes>" + payload + b"</Bytes>" if kind != "message" else payload)
        )

    return Wallet("bittensor", scheme, ss58_address(account, 42), sign, kind)


def _sr25519(seed: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    public, secret = sr25519.pair_from_seed(seed)
    return public, lambda payload: sr25519.sign((public, secret), payload)


def _ed25519(seed: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    key = SigningKey(seed)
    return bytes(key.verify_key), lambda payload: b"\0" + key.sign(payload).signature


def _ecdsa(seed: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    key = PrivateKey(seed)

    def sign(payload: bytes) -> bytes:
        return b"\2" + key.sign_recoverable(_blake2b(payload), hasher=None)

    return _blake2b(key.public_key.format()), sign


_SUBSTRATE: Final = {"sr25519": _sr25519, "ed25519": _ed25519, "ecdsa": _ecdsa}


def sui(scheme: str, label: str = "one") -> Wallet:
    flag, key, of_digest = _SUI[scheme](_seed(label))

    def sign(text: str) -> str:
        signed = of_digest(personal_digest(text.encode()))
        return base64.b64encode(bytes([flag]) + signed + key).decode()

    return Wallet("sui", scheme, sui_address(_blake2b(bytes([flag]) + key)), sign)


def personal_digest(message: bytes) -> bytes:
    """Sui's: the intent, and the message in BCS, whose length here is that of two digits."""
    assert 128 <= len(message) < 16_384
    length = bytes([len(message) & 0x7F | 0x80, len(message) >> 7])
    return _blake2b(b"\3\0\0" + length + message)


_SuiKey = tuple[int, bytes, Callable[[bytes], bytes]]


def _sui_ed25519(seed: bytes) -> _SuiKey:
    key = SigningKey(seed)
    return 0, bytes(key.verify_key), lambda digest: key.sign(digest).signature


def _sui_secp256k1(seed: bytes) -> _SuiKey:
    key = PrivateKey(seed)
    return 1, key.public_key.format(), lambda digest: key.sign_recoverable(digest)[:64]


def _sui_secp256r1(seed: bytes) -> _SuiKey:
    key = ec.derive_private_key(int.from_bytes(seed, "big"), ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    def sign(digest: bytes) -> bytes:
        prehashed = hashlib.sha256(digest).digest()
        r, s = decode_dss_signature(key.sign(prehashed, ec.ECDSA(Prehashed(SHA256()))))
        return r.to_bytes(32, "big") + min(s, secp256r1.ORDER - s).to_bytes(32, "big")

    return 2, public, sign


_SUI: Final = {
    "ed25519": _sui_ed25519,
    "secp256k1": _sui_secp256k1,
    "secp256r1": _sui_secp256r1,
}


def sui_multisig() -> Wallet:
    """Two of three keys, one of each scheme, sign together."""
    members = [_SUI[scheme](_seed(scheme)) for scheme in ("ed25519", "secp256k1", "secp256r1")]
    threshold = (2).to_bytes(2, "little")
    account = b"\3" + threshold
    for flag, key, _ in members:
        account += bytes([flag]) + key + b"\1"

    def sign(text: str) -> str:
        digest = personal_digest(text.encode())
        signed = [bytes([flag]) + of_digest(digest) for flag, _, of_digest in members[:2]]
        keys = b"".join(bytes([flag]) + key + b"\1" for flag, key, _ in members)
        bitmap = (0b011).to_bytes(2, "little")
        serialized = b"\3\2" + b"".join(signed) + bitmap + b"\3" + keys + threshold
        return base64.b64encode(serialized).decode()

    return Wallet("sui", "multisig", sui_address(_blake2b(account)), sign)


WALLETS: Final = (
    ethereum(),
    *(substrate(scheme, kind) for scheme in _SUBSTRATE for kind in ("personal_message", "message")),
    *map(sui, _SUI),
    sui_multisig(),
)
