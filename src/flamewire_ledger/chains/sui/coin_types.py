"""Coin types of Sui: Move types such as `0x2::sui::SUI`, of which one has many spellings.

Nodes write addresses with 64 digits, people and packages with as few as will do, and the Payment
Kit without 0x. All are one here. What nobody configured is named by its whole type, with dots for
its colons: the symbol of an asset is what follows the last colon, and a coin that calls itself
USDC shall not look like the one that is.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

SUI_COIN: Final = f"0x{2:064x}::sui::SUI"
_TYPE_MAX: Final = 4096  # characters; longer ones are told apart by their digest only
_CODE_MAX: Final = 128  # characters of an asset's code
_ADDRESS: Final = re.compile(r"(?<![^<,])(?:0x)?([0-9a-fA-F]{1,64})(?=::)")
_STRUCT: Final = re.compile(r"0x[0-9a-f]{64}::[A-Za-z_]\w*::[A-Za-z_]\w*(<[\w:<>,]+>)?\Z", re.ASCII)


class BadCoinType(ValueError):
    """It is no Move type of a coin."""


def coin_type(text: str) -> str:
    """The one spelling: 64 lower-case digits an address, and no spaces. Raises BadCoinType."""
    if len(text) > _TYPE_MAX:
        raise BadCoinType("a coin type is not that long")
    spelled = _ADDRESS.sub(lambda found: f"0x{found[1].lower():0>64}", text.replace(" ", ""))
    if not _STRUCT.match(spelled) or spelled.count("<") != spelled.count(">"):
        raise BadCoinType("a coin type is written address::module::NAME")
    return spelled


@lru_cache(maxsize=20_000)
def told_apart(text: str) -> str:
    """As `coin_type`, for what is on the chain already: what cannot be read stands for itself."""
    try:
        return coin_type(text)
    except BadCoinType:
        return text


def unlisted_code(network: str, spelled: str) -> str:
    """The code of a coin that nobody configured: `sui:0x….module.NAME`, or its digest if too long."""
    code = f"{network}:{spelled.replace('::', '.')}"
    if len(code) <= _CODE_MAX and _STRUCT.match(spelled):
        return code
    digest = hashlib.blake2b(spelled.encode("utf-8", "replace"), digest_size=32).hexdigest()
    return f"{network}:type-{digest}"
