"""How addresses are spelled on each kind of chain: EIP-55, SS58, and Sui's hex.

What is no address raises InvalidAddress with the reason. Nothing here knows a network; which SS58
prefix is right is the caller's to say.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

import base58
from Crypto.Hash import keccak

from flamewire_ledger.domain.rejection import InvalidAddress

_EVM = re.compile(r"0x[0-9a-fA-F]{40}\Z")
_SUI = re.compile(r"0x[0-9a-fA-F]{64}\Z")
_BASE58_TEXT = re.compile(r"[1-9A-HJ-NP-Za-km-z]+\Z")
_SS58_CHECKSUM: Final = b"SS58PRE"
_TEXT_MAX: Final = 128  # longer than any address; keeps base58 from being fed megabytes


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


# By byte: what turns a hexadecimal letter into a capital, and whether the checksum asks for one.
_CAPITAL: Final = bytes(0x20 if chr(byte) in "abcdef" else 0 for byte in range(256))
_ASKED: Final = bytes(0x20 if chr(byte) in "89abcdef" else 0 for byte in range(256))


def evm_address(account: bytes) -> str:
    """EIP-55: the case of the letters is a checksum. All forty are set at once, in a third of the
    time that it takes one by one.
    """
    plain = account.hex().encode()
    digest = keccak256(plain).hex().encode()[: len(plain)]
    capitals = _number(plain.translate(_CAPITAL)) & _number(digest.translate(_ASKED))
    return "0x" + (_number(plain) - capitals).to_bytes(len(plain), "big").decode()


def _number(text: bytes) -> int:
    return int.from_bytes(text, "big")


def parse_evm(text: str) -> str:
    """The EIP-55 spelling. Mixed case has to be right; one case alone carries no checksum."""
    if not _EVM.match(text):
        raise InvalidAddress("an Ethereum address is 0x and 40 hexadecimal digits")
    spelled = evm_address(bytes.fromhex(text[2:]))
    if text[2:] not in (text[2:].lower(), text[2:].upper()) and text != spelled:
        raise InvalidAddress("the checksum of the Ethereum address (EIP-55) is wrong")
    return spelled


def ss58_address(account: bytes, prefix: int) -> str:
    """SS58 of a 32-byte account. Prefixes 0 to 63 take one byte, up to 16 383 two."""
    body = _ss58_prefix(prefix) + account
    return spell_base58(body + _ss58_checksum(body))


_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PAIRS: Final = [first + second for first in _BASE58 for second in _BASE58]
_1: Final = len(_PAIRS)
_2, _4 = _1**2, _1**4


def spell_base58(data: bytes) -> str:
    """Bytes in Bitcoin's alphabet, as base58.b58encode spells them, in a third of its time: each
    payment has such an address.

    Eight letters are cut off at once, so that the long number is divided seldom, and looked up in
    pairs.
    """
    number = int.from_bytes(data, "big")
    spelled = ""
    while number:
        number, eight = divmod(number, _4)
        high, low = divmod(eight, _2)
        spelled = (
            f"{_PAIRS[high // _1]}{_PAIRS[high % _1]}{_PAIRS[low // _1]}{_PAIRS[low % _1]}{spelled}"
        )
    zeros = len(data) - len(data.lstrip(b"\0"))
    return _BASE58[0] * zeros + spelled.lstrip(_BASE58[0])


def parse_ss58(text: str, prefix: int) -> str:
    """The SS58 spelling under `prefix`, from an address under this prefix only."""
    account = ss58_account(text, prefix)
    return ss58_address(account, prefix)


def ss58_account(text: str, prefix: int) -> bytes:
    """The 32 bytes of the account."""
    found, account = read_ss58(text)
    if found != prefix:
        raise InvalidAddress(f"this SS58 address is of another network than prefix {prefix}")
    return account


def read_ss58(text: str) -> tuple[int, bytes]:
    """The prefix and the 32 bytes of the account, of whichever network."""
    if len(text) > _TEXT_MAX:
        raise InvalidAddress("the SS58 address is too long")
    if not _BASE58_TEXT.match(text):  # the library would drop spaces from the end
        raise InvalidAddress("an SS58 address is written in base58")
    raw = base58.b58decode(text)
    if len(raw) not in (35, 36) or raw[-2:] != _ss58_checksum(raw[:-2]):
        raise InvalidAddress("the SS58 address is mistyped: its checksum does not match")
    prefix = raw[0]
    if prefix >= 64:
        prefix = (raw[0] & 0x3F) << 2 | raw[1] >> 6 | (raw[1] & 0x3F) << 8
    head = _ss58_prefix(prefix) if raw[0] < 128 else b""
    if not raw.startswith(head) or len(raw) != len(head) + 34:
        raise InvalidAddress("the SS58 address has a prefix that is not written as it should be")
    return prefix, raw[len(head) : -2]


def _ss58_prefix(prefix: int) -> bytes:
    if not 0 <= prefix < 16_384:
        raise ValueError("an SS58 prefix is 0 to 16383")
    if prefix < 64:
        return bytes([prefix])
    return bytes([(prefix & 0xFC) >> 2 | 0x40, prefix >> 8 | (prefix & 3) << 6])


def _ss58_checksum(body: bytes) -> bytes:
    return hashlib.blake2b(_SS58_CHECKSUM + body, digest_size=64).digest()[:2]


def sui_address(account: bytes) -> str:
    return "0x" + account.hex()


def parse_sui(text: str) -> str:
    """Lower case. All 64 digits are asked for: a short form may be one that was cut off."""
    if not _SUI.match(text):
        raise InvalidAddress("a Sui address is 0x and 64 hexadecimal digits")
    return text.lower()


def is_zero(spelled: str) -> bool:
    """Whether an address, in the one spelling of its chain, is that of the account of zeros: nobody has
    its key.
    """
    account = bytes.fromhex(spelled[2:]) if spelled.startswith("0x") else read_ss58(spelled)[1]
    return not any(account)
