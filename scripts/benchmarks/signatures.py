"""Signatures verified on one core, by scheme, beside the libraries alone: the same arithmetic and the
hashes it needs, without a single check.

Both are measured in turn, in short stretches of processor time, so that a machine that is busy with
something else slows both down. The value is the rate of `Scheme.verify`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from scripts.benchmarks.figure import BenchmarkFailed, Figure
from scripts.benchmarks.options import Options
from tests.signatures import claims

RATIO_TARGET: Final = 0.8
_STRETCH_SECONDS: Final = 0.02
_SECONDS: Final = 3.0  # of each scheme, half of it the library's


@dataclass(frozen=True, slots=True)
class Case:
    """One valid signature: how it is verified here, and what the library alone is asked."""

    name: str
    verify: Callable[[], Awaitable[None]]
    bare: Callable[[], object]
    bare_name: str
    rate_min: float | None = None  # a second


def run(options: Options) -> list[Figure]:
    seconds = options.lasting(_SECONDS).measured_seconds
    return [_figure(case, seconds) for case in _cases()]


def _figure(case: Case, seconds: float) -> Figure:
    rounds = max(3, round(seconds / 2 / _STRETCH_SECONDS))
    pairs = [(_rate(_ours(case)), _rate(_theirs(case))) for _ in range(rounds + 1)][1:]
    return Figure(
        f"{case.name} verified",
        statistics.median(ours for ours, _ in pairs),
        "/s",
        statistics.median(theirs for _, theirs in pairs),
        case.bare_name,
        target=case.rate_min,
        ratio_target=RATIO_TARGET,
    )


def _rate(repeat: Callable[[int], None]) -> float:
    """How often a second of processor time."""
    count, took = 32, 0.0
    while took < _STRETCH_SECONDS:
        count *= 2
        began = time.process_time()
        repeat(count)
        took = time.process_time() - began
    return count / took


def _ours(case: Case) -> Callable[[int], None]:
    async def repeat(count: int) -> None:
        verify = case.verify
        for _ in range(count):
            await verify()

    return lambda count: asyncio.run(repeat(count))


def _theirs(case: Case) -> Callable[[int], None]:
    def repeat(count: int) -> None:
        bare = case.bare
        for _ in range(count):
            bare()

    return repeat


def _cases() -> list[Case]:
    return [_sr25519(), _eip_191(), _substrate_ed25519(), *map(_sui, _SUI_BARE)]


def _vector(file: str, **wanted: Any) -> Mapping[str, Any]:
    for vector in claims.vectors(file)["vectors"]:
        if vector["valid"] and all(vector.get(name) == value for name, value in wanted.items()):
            found: Mapping[str, Any] = vector
            return found
    raise BenchmarkFailed(f"tests/vectors/{file}.json has no vector for this")


def _case(
    name: str, claimed: Any, bare: Callable[[], object], bare_name: str, rate_min: float | None
) -> Case:
    """A case of a statement; it has to be valid, here and by the library."""
    scheme, claim = claims.scheme_and_claim(claimed)
    asyncio.run(scheme.verify(claim))
    if bare() is False:
        raise BenchmarkFailed(f"{bare_name} refuses the vector")
    return Case(name, lambda: scheme.verify(claim), bare, bare_name, rate_min)


def _sr25519() -> Case:
    import sr25519

    vector = _vector("substrate", note="raw ascii")
    message, signature = (claims.unhex(vector[it]) for it in ("message_hex", "signature_hex"))
    key = claims.unhex(vector["public_key_hex"])

    def bare() -> object:
        return sr25519.verify(signature, message, key)

    return _case("sr25519", claims.substrate_statement(vector), bare, "py-sr25519-bindings", 10_000)


def _eip_191() -> Case:
    from coincurve import PublicKey
    from Crypto.Hash import keccak

    vector = _vector("ethereum", id="eth-001")
    signature = claims.unhex(vector["signature"])
    recoverable = signature[:64] + bytes([signature[64] - 27])
    signed = b"\x19Ethereum Signed Message:\n5hello"

    def bare() -> object:
        digest = keccak.new(digest_bits=256, data=signed).digest()
        key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
        return keccak.new(digest_bits=256, data=key.format(compressed=False)[1:]).digest()

    statement = claims.ethereum_statement(vector)
    return _case("secp256k1 (EIP-191)", statement, bare, "coincurve, pycryptodome", 12_000)


def _substrate_ed25519() -> Case:
    from nacl.signing import VerifyKey

    vector = _vector("substrate", scheme="ed25519")
    message, signature = (claims.unhex(vector[it]) for it in ("message_hex", "signature_hex"))
    key = claims.unhex(vector["public_key_hex"])

    def bare() -> object:
        return VerifyKey(key).verify(message, signature)

    return _case("Ed25519", claims.substrate_statement(vector), bare, "PyNaCl", 4_000)


def _bare_ed25519(digest: bytes, signature: bytes, key: bytes) -> Callable[[], object]:
    from nacl.signing import VerifyKey

    return lambda: VerifyKey(key).verify(digest, signature)


def _bare_secp256k1(digest: bytes, signature: bytes, key: bytes) -> Callable[[], object]:
    from coincurve import verify_signature

    der = _der(signature)
    return lambda: verify_signature(der, digest, key)  # it hashes with SHA-256 itself


def _bare_secp256r1(digest: bytes, signature: bytes, key: bytes) -> Callable[[], object]:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    der, curve, algorithm = _der(signature), ec.SECP256R1(), ec.ECDSA(SHA256())

    def bare() -> object:
        public_key = ec.EllipticCurvePublicKey.from_encoded_point(curve, key)
        return public_key.verify(der, digest, algorithm)

    return bare


def _der(signature: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    return encode_dss_signature(
        int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    )


_SUI_BARE: Final[Mapping[str, tuple[Callable[..., Callable[[], object]], str]]] = {
    "ed25519": (_bare_ed25519, "PyNaCl"),
    "secp256k1": (_bare_secp256k1, "coincurve"),
    "secp256r1": (_bare_secp256r1, "cryptography"),
}


def _sui(scheme: str) -> Case:
    """A personal message; the library alone is given its digest."""
    vector = _vector("sui", scheme=scheme, kind="personal_message", note="personal message")
    message = base64.b64decode(vector["message_b64"])
    signature = base64.b64decode(vector["signature_b64"])
    intent = bytes((3, 0, 0, len(message)))
    digest = hashlib.blake2b(intent + message, digest_size=32).digest()
    make, name = _SUI_BARE[scheme]
    bare = make(digest, signature[1:65], signature[65:])
    return _case(f"Sui {scheme}", claims.sui_statement(vector), bare, name, None)
