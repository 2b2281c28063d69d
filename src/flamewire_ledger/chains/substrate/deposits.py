"""Where a payer sends to, on a chain whose transfers say nothing: an account of its own, a remark
beside the transfer, or an amount like no other. No secret is here to be lost.

An account of its own is a soft child (`SECRET/7` in every wallet) of an sr25519 account, derived
from its public key alone. The other two share the account itself, which may then be of any kind:
a multisig account, say.
"""

from __future__ import annotations

import hashlib
from typing import Final

from flamewire_ledger.chains.addresses import ss58_address
from flamewire_ledger.chains.chain import Deposit, IdentifiesBy
from flamewire_ledger.chains.networks.table import NetworksFileError

INDEX_MAX: Final = 2**53 - 1  # what wallets in JavaScript read as a number in a path
# So many payments in a row differ in their amounts: by at most so many base units.
AMOUNTS: Final = 10_000
_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: none that is taken for another
_CHECK_LETTERS: Final = 4  # one slip in a million of a hand that copies is somebody else's memo


class BadAccount(NetworksFileError):
    """The account cannot be used like this. The message never holds it."""


class DepositAddresses:
    """The deposits of one account: its public key, 32 bytes. Raises BadAccount."""

    def __init__(self, account: bytes, ss58_prefix: int, identifies_by: IdentifiesBy) -> None:
        self._account = account
        self._prefix = ss58_prefix
        self._identifies_by = identifies_by
        self._name = account[:4].hex()  # by which a derivation says whose child it is
        self._shared = ss58_address(account, ss58_prefix)
        if identifies_by == "address":
            soft_child(account, 0)  # before the first payer is sent anywhere

    def deposit(self, index: int) -> Deposit:
        """The nth deposit; its derivation begins with the first 8 digits of the public key."""
        if not 0 <= index <= INDEX_MAX:
            raise ValueError(f"a deposit has a number from 0 to {INDEX_MAX}")
        match self._identifies_by:
            case "address":
                address = ss58_address(soft_child(self._account, index), self._prefix)
                return Deposit(address, f"{self._name}/{index}")
            case "mark":
                text = memo(self._account, index)
                return Deposit(self._shared, self._name, memo=text, mark=remark_hash(text.encode()))
            case "amount":
                return Deposit(self._shared, self._name, adds_units=index % AMOUNTS)


def soft_child(account: bytes, index: int) -> bytes:
    """The public key of the soft junction /index, as polkadot-js derives it (schnorrkel's HDKD): the
    chain code is the number, SCALE-encoded and filled up with zeros to 32 bytes.
    """
    try:
        import sr25519  # a library of a curve: only who gives out addresses needs it
    except ModuleNotFoundError:
        raise BadAccount(
            "its libraries are not installed: install flamewire-ledger[bittensor]"
        ) from None
    if not any(account):
        raise BadAccount("account is all zeros: everybody could spend from it")
    try:
        child = sr25519.derive_pubkey((index.to_bytes(32, "little"), account), b"")[1]
    except ValueError:
        raise BadAccount(
            "account has no children: only an sr25519 account has; "
            'take one, or write identifies_by = "mark"'
        ) from None
    return bytes(child)


def memo(account: bytes, index: int) -> str:
    """A short text for a payer to attach: the number, and letters that no other number has by a slip."""
    digest = hashlib.blake2b(account + index.to_bytes(8, "little"), digest_size=8).digest()
    check = int.from_bytes(digest, "big") % len(_LETTERS) ** _CHECK_LETTERS
    return f"{_letters(index)}-{_letters(check, _CHECK_LETTERS)}"


def remark_hash(remark: bytes) -> str:
    """What `System.Remarked` says of a remark: its blake2b-256."""
    return "0x" + hashlib.blake2b(remark, digest_size=32).hexdigest()


def _letters(number: int, least: int = 1) -> str:
    """The number in base 32, in so many letters at least."""
    text = ""
    while number or len(text) < least:
        number, rest = divmod(number, len(_LETTERS))
        text = _LETTERS[rest] + text
    return text
