"""What some library somewhere takes, for each scheme and as a wallet would write it: numbers at the ends
of their ranges, keys that anybody can sign for, points in a second spelling, flags of nobody.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from coincurve import PrivateKey, PublicKey
from nacl.signing import SigningKey

from flamewire_ledger.chains.addresses import evm_address, read_ss58, ss58_address, sui_address
from flamewire_ledger.signatures.curves import ed25519, secp256k1, secp256r1
from flamewire_ledger.signatures.curves.keccak import keccak256
from flamewire_ledger.signatures.evm.message import personal_digest
from flamewire_ledger.signatures.scheme import Reason
from flamewire_ledger.signatures.sui.intent import blake2b_256, uleb128
from flamewire_ledger.signatures.sui.keys import KEY_KINDS
from tests.api.wallets import Wallet, ethereum, substrate, sui
from tests.signatures.claims import statement, verdict
from tests.signatures.test_edges import SMALL_ORDER

TEXT = "a message that is long enough for everybody " * 4
FIELD = 2**255 - 19


def reason(network: str, address: str, signature: str, scheme: str, **more: Any) -> Reason | None:
    return verdict(
        statement(network, address, signature, TEXT.encode(), scheme=scheme, **more)
    ).reason


@dataclass(frozen=True)
class Ecdsa:
    """A wallet of one of the schemes over ECDSA: where r and s are in what it writes."""

    wallet: Wallet
    curve: Any
    before: int  # bytes before r

    def told(self, r: int | None = None, s: int | None = None) -> Reason | None:
        """The reason when one number of a right signature is another."""
        right = self.wallet.sign(TEXT)
        is_hex = right.startswith("0x")
        data = bytearray(bytes.fromhex(right[2:]) if is_hex else base64.b64decode(right))
        for number, at in ((r, self.before), (s, self.before + 32)):
            if number is not None:
                data[at : at + 32] = number.to_bytes(32, "big")
        written = "0x" + data.hex() if is_hex else base64.b64encode(data).decode()
        it = self.wallet
        return reason(it.network, it.address, written, it.scheme, kind=it.kind)


ECDSA = [
    pytest.param(Ecdsa(ethereum(), secp256k1, 0), id="evm"),
    pytest.param(Ecdsa(substrate("ecdsa"), secp256k1, 1), id="substrate"),
    pytest.param(Ecdsa(sui("secp256k1"), secp256k1, 1), id="sui-secp256k1"),
    pytest.param(Ecdsa(sui("secp256r1"), secp256r1, 1), id="sui-secp256r1"),
]


@pytest.mark.parametrize("it", ECDSA)
def test_r_and_s_are_in_range_and_s_is_low(it: Ecdsa):
    n = it.curve.ORDER
    assert it.told() is None
    for r in (0, n, n + 1, 2**256 - 1):
        assert it.told(r=r) == Reason.R_OUT_OF_RANGE
    for s in (0, n, n + 1, 2**256 - 1):
        assert it.told(s=s) == Reason.S_OUT_OF_RANGE
    for s in (n // 2 + 1, n - 1):
        assert it.told(s=s) == Reason.S_TOO_HIGH
    assert it.told(r=0, s=0) == Reason.R_OUT_OF_RANGE
    for r, s in ((1, 1), (n - 1, 1), (1, n // 2), (n - 1, n // 2), (5, 1)):  # 5: no point's x
        assert it.told(r=r, s=s) in (Reason.SIGNATURE_MISMATCH, Reason.SIGNER_DIFFERS)


def test_a_key_at_infinity_is_nobodys():
    """r ‖ s chosen so that the key that is recovered is no point: R = G and s = the digest."""
    generator = PrivateKey(b"\0" * 31 + b"\1").public_key.format()
    digest, counter = b"", 0
    while not 0 < int.from_bytes(digest or b"\xff" * 32, "big") <= secp256k1.ORDER >> 1:
        message = f"message {counter}".encode()
        digest, counter = personal_digest(message), counter + 1
    for parity in (0, 1):
        signature = "0x" + (generator[1:] + digest + bytes([parity])).hex()
        address = evm_address(keccak256(b"")[12:])
        claimed = statement("ethereum", address, signature, message)
        assert verdict(claimed).reason in (Reason.SIGNATURE_MISMATCH, Reason.SIGNER_DIFFERS)
    # And the accounts that such a key would have, were it written as zeros.
    for account in (bytes(20), keccak256(bytes(64))[12:]):
        claimed = statement("ethereum", evm_address(account), signature, message)
        assert verdict(claimed).reason is not None


@pytest.mark.parametrize(
    ("wallet", "allowed"), [(ethereum(), {0, 1, 27, 28}), (substrate("ecdsa", "message"), {0, 1})]
)
def test_v_is_one_of_four_on_evm_chains_and_one_of_two_on_substrate(
    wallet: Wallet, allowed: set[int]
):
    right = wallet.sign(TEXT)
    for v in set(range(256)) - allowed:
        found = reason(wallet.network, wallet.address, f"{right[:-2]}{v:02x}", wallet.scheme)
        assert found == Reason.RECOVERY_ID_INVALID, v


def _compressed(prefix: int, x: int) -> bytes:
    return bytes([prefix]) + x.to_bytes(32, "big")


K1, R1 = 2**256 - 2**32 - 977, 2**256 - 2**224 + 2**192 + 2**96 - 1  # the fields
NO_POINTS = {
    1: [_compressed(2, 5), _compressed(3, 0), _compressed(2, K1), _compressed(2, K1 + 1)],
    2: [_compressed(2, 1), _compressed(2, R1), _compressed(3, 2**256 - 1)],
}


@pytest.mark.parametrize("flag", [1, 2])
def test_a_key_of_sui_is_a_compressed_point(flag: int):
    """The address is that of the bytes, so that nothing but the key can be what is wrong."""
    scheme, compact = KEY_KINDS[flag].name, (1).to_bytes(32, "big") * 2
    right = PublicKey.from_secret(b"\7" * 32).format()
    keys = [
        *NO_POINTS[flag],
        bytes(33),
        *(bytes([it]) + right[1:] for it in (0, 1, 4, 5, 6, 7, 255)),
    ]
    for key in keys:
        address = sui_address(blake2b_256(bytes([flag]) + key))
        signature = base64.b64encode(bytes([flag]) + compact + key).decode()
        assert reason("sui", address, signature, scheme) == Reason.KEY_INVALID, key.hex()
    whole = PublicKey.from_secret(b"\7" * 32).format(compressed=False)
    address = sui_address(blake2b_256(bytes([flag]) + whole))
    signature = base64.b64encode(bytes([flag]) + compact + whole).decode()
    assert reason("sui", address, signature, scheme) == Reason.SIGNATURE_WRONG_LENGTH


def _of_substrate(scheme: str) -> Callable[[bytes, bytes], Reason | None]:
    def told(key: bytes, signature: bytes) -> Reason | None:
        return reason("bittensor", ss58_address(key, 42), "0x" + signature.hex(), scheme)

    return told


def _of_sui(key: bytes, signature: bytes) -> Reason | None:
    address = sui_address(blake2b_256(b"\0" + key))
    return reason("sui", address, base64.b64encode(b"\0" + signature + key).decode(), "ed25519")


def _of_sui_multisig(key: bytes, signature: bytes) -> Reason | None:
    members = b"\0" + key + b"\1"
    address = sui_address(blake2b_256(b"\3" + b"\1\0" + members))
    serialized = b"\3\1\0" + signature + b"\1\0" + b"\1" + members + b"\1\0"
    return reason("sui", address, base64.b64encode(serialized).decode(), "multisig")


ED25519 = [
    pytest.param(_of_substrate("ed25519"), id="substrate"),
    pytest.param(_of_sui, id="sui"),
    pytest.param(_of_sui_multisig, id="sui-multisig"),
]
OTHER_SPELLINGS = [(FIELD + y).to_bytes(32, "little") for y in range(19)]  # of y = 0…18
OTHER_SPELLINGS += [it[:31] + bytes([it[31] | 0x80]) for it in OTHER_SPELLINGS]


@pytest.mark.parametrize("told", ED25519)
def test_an_ed25519_key_that_anybody_can_sign_for_signs_for_nobody(told: Any):
    for key in [*SMALL_ORDER, *OTHER_SPELLINGS]:
        for r in (*SMALL_ORDER[:3], bytes(32), key):
            assert told(key, r + bytes(32)) == Reason.KEY_INVALID, key.hex()
            assert told(key, r + (1).to_bytes(32, "little")) == Reason.KEY_INVALID, key.hex()


@pytest.mark.parametrize("told", ED25519)
def test_numbers_and_points_of_an_ed25519_signature_have_one_spelling(told: Any):
    wallet = sui("ed25519")
    right = base64.b64decode(wallet.sign(TEXT))
    r, s, key = right[1:33], right[33:65], right[65:]
    number = int.from_bytes(s, "little")
    for other in (ed25519.ORDER, number + ed25519.ORDER, 2**255 - 1, 2**256 - 1):
        if other < 2**256:
            assert told(key, r + other.to_bytes(32, "little")) == Reason.S_OUT_OF_RANGE
    for other in (0, 1, ed25519.ORDER - 1):
        assert told(key, r + other.to_bytes(32, "little")) == Reason.SIGNATURE_MISMATCH
    for point in [*SMALL_ORDER, *OTHER_SPELLINGS, b"\xff" * 32]:
        assert told(key, point + s) == Reason.SIGNATURE_MISMATCH


def test_an_sr25519_key_has_one_spelling_and_is_not_the_identity():
    told = _of_substrate("sr25519")
    wallet = substrate("sr25519", "message")
    right = bytes.fromhex(wallet.sign(TEXT)[2:])
    no_keys = [
        bytes(32),
        (1).to_bytes(32, "little"),  # odd: the negative of one
        (FIELD - 1).to_bytes(32, "little"),
        FIELD.to_bytes(32, "little"),
        (FIELD + 2).to_bytes(32, "little"),
        b"\xff" * 32,
        (2**255).to_bytes(32, "little"),
        *SMALL_ORDER[1:],
    ]
    trivial = bytes(63) + b"\x80"
    for key in no_keys:
        for signature in (right, trivial, bytes(32) + right[32:]):
            assert told(key, signature) == Reason.KEY_INVALID, key.hex()


def test_an_sr25519_signature_has_one_spelling_and_its_mark():
    told = _of_substrate("sr25519")
    wallet = substrate("sr25519", "message")
    key = read_ss58(wallet.address)[1]
    right = bytes.fromhex(wallet.sign(TEXT)[2:])
    assert told(key, right) is None
    assert told(key, right[:63] + bytes([right[63] & 0x7F])) == Reason.MARKER_MISSING
    assert told(key, bytes(64)) == Reason.MARKER_MISSING
    number = int.from_bytes(right[32:63] + bytes([right[63] & 0x7F]), "little")
    for other in (ed25519.ORDER, number + ed25519.ORDER, 2**255 - 1):
        s = bytearray(other.to_bytes(32, "little"))
        s[31] |= 0x80
        assert told(key, right[:32] + bytes(s)) == Reason.S_OUT_OF_RANGE
    for r in (bytes(32), b"\xff" * 32, FIELD.to_bytes(32, "little"), (1).to_bytes(32, "little")):
        assert told(key, r + right[32:]) == Reason.SIGNATURE_MISMATCH
    assert told(key, right[:32] + bytes(31) + b"\x80") == Reason.SIGNATURE_MISMATCH


def test_a_flag_of_nobody_is_refused_on_sui():
    wallet = sui("ed25519")
    right = base64.b64decode(wallet.sign(TEXT))
    for flag in range(256):
        claimed = _b64(bytes([flag]) + right[1:])
        found = verdict(statement("sui", wallet.address, claimed, TEXT.encode())).reason
        assert (found is None) == (flag == 0)
        assert flag <= 3 or found == Reason.SCHEME_UNSUPPORTED


def test_a_tag_of_nobody_is_refused_on_substrate():
    wallet = substrate("ed25519", "message")
    right = wallet.sign(TEXT)
    for tag in range(256):
        claimed = f"0x{tag:02x}{right[4:]}"
        found = verdict(statement("bittensor", wallet.address, claimed, TEXT.encode())).reason
        assert (found is None) == (tag == 0)
        assert tag <= 1 or found == Reason.SCHEME_UNSUPPORTED


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "wallet",
    [ethereum(), *(substrate(it, "message") for it in ("sr25519", "ed25519", "ecdsa"))],
    ids=lambda it: it.scheme,
)
def test_a_signature_of_every_other_length_is_refused(wallet: Wallet):
    right = bytes.fromhex(wallet.sign(TEXT)[2:])
    for length in [*range(200), 8192, 8193]:
        data = (right * 130)[:length]
        if length != len(right):
            claimed = statement(wallet.network, wallet.address, "0x" + data.hex(), TEXT.encode())
            assert verdict(claimed).reason is not None, length


@pytest.mark.parametrize("scheme", ["ed25519", "secp256k1", "secp256r1"])
def test_a_signature_of_every_other_length_is_refused_on_sui(scheme: str):
    wallet = sui(scheme)
    right = base64.b64decode(wallet.sign(TEXT))
    for length in [*range(200), 8192]:
        if length != len(right):
            claimed = statement("sui", wallet.address, _b64((right * 90)[:length]), TEXT.encode())
            assert verdict(claimed).reason is not None, length


def test_a_message_of_sui_is_what_its_length_says():
    """BCS: a length in two spellings would be two messages with one digest, or one with two."""
    wallet, message = sui("ed25519"), TEXT.encode()
    for preimage in (message, uleb128(len(message)) + message, b"\xb0\x81\x00" + message):
        digest = hashlib.blake2b(b"\3\0\0" + preimage, digest_size=32).digest()
        key = SigningKey(hashlib.sha256(b"flamewire wallet one").digest())
        signature = _b64(b"\0" + key.sign(digest).signature + bytes(key.verify_key))
        found = verdict(statement("sui", wallet.address, signature, message)).reason
        assert (found is None) == (preimage[2:] == message)
