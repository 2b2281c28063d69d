"""Currencies: what an amount may be in, by the name a request calls it.

Money that lives nowhere has its ISO 4217 code; credits are `CREDIT`; what lives on a chain is named
by its symbol, by `network:SYMBOL` or by CAIP-19. A symbol that lives on two of the caller's
networks is no name until a network is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from flamewire_ledger.chains.accounts import SUI_ALIASES
from flamewire_ledger.chains.chain import Chain, Token
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.money import Amount, Asset, MoneyError
from flamewire_ledger.domain.rejection import InvalidAmount, UnknownAsset, UnknownNetwork

_EVM: Final = "eip155:"
UNITS_BITS_MAX: Final = 128  # sums and conversions of amounts that came in stay far from 256 bits

# ISO 4217, those with other than two decimals first.
_DECIMALS: Final = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(
        [
            "AED",
            "AUD",
            "BDT",
            "BGN",
            "BRL",
            "CAD",
            "CHF",
            "CNY",
            "COP",
            "CZK",
            "DKK",
            "EGP",
            "EUR",
            "GBP",
            "GEL",
            "HKD",
            "HUF",
            "IDR",
            "ILS",
            "INR",
            "KES",
            "KZT",
            "LKR",
            "MAD",
            "MXN",
            "MYR",
            "NGN",
            "NOK",
            "NZD",
            "PEN",
            "PHP",
            "PKR",
            "PLN",
            "QAR",
            "RON",
            "RSD",
            "SAR",
            "SEK",
            "SGD",
            "THB",
            "TRY",
            "TWD",
            "UAH",
            "USD",
            "UYU",
            "UZS",
            "ZAR",
        ],
        2,
    ),
}
FIAT: Final = {code: Asset(code, decimals) for code, decimals in _DECIMALS.items()}
USD: Final = FIAT["USD"]


def find_chain(chains: Sequence[Chain], name: str, pointer: str) -> Chain:
    """The chain by its alias or its CAIP-2 id, among those the caller may see."""
    chain_id = SUI_ALIASES.get(name, name)
    for chain in chains:
        network = chain.network
        if name == network.name or chain_id == network.chain_id:
            return chain
    known = ", ".join(chain.network.name for chain in chains) or "none"
    raise UnknownNetwork(f"there is no such network here; there is {known}", pointer=pointer)


def find_token(chain: Chain, name: str, pointer: str) -> Token:
    """The token by its symbol, `network:SYMBOL` or CAIP-19, on one chain."""
    found = tokens_named(chain.network.tokens, name)
    if len(found) == 1:  # else it is none of them just so: which was meant is not guessed
        return found[0]
    known = ", ".join(token.asset.symbol for token in chain.network.tokens)
    raise UnknownAsset(
        f"{chain.network.name} has no such asset here; it has {known}", pointer=pointer
    )


def tokens_named(tokens: Iterable[Token], name: str) -> list[Token]:
    """Those of that name. Symbols are read without regard to case, unless one is spelled just so: some
    tokens have small letters in theirs.
    """
    tokens = list(tokens)
    just_so = [it for it in tokens if name == it.asset.symbol or _is_named(it, name)]
    return just_so or [it for it in tokens if name.upper() == it.asset.symbol.upper()]


def _is_named(token: Token, name: str) -> bool:
    """By `network:SYMBOL` or CAIP-19. A contract on an EVM chain may be in small letters alone, as the
    profile of CAIP-19 for these chains writes it; a coin type of Sui as Sui writes it.
    """
    asset_id = token.asset_id
    if name in (token.asset.code, asset_id, unquote(asset_id)):
        return True
    return asset_id.startswith(_EVM) and name == asset_id.lower()


def find_currency(
    chains: Sequence[Chain], name: str, pointer: str, network: Chain | None = None
) -> Asset:
    """What the request is denominated in. Fiat and symbols are read without regard to case; of a
    symbol that lives on several networks, the one on `network` is meant.
    """
    upper = name.upper()
    if upper == CREDIT.code:
        return CREDIT
    if upper in FIAT:
        return FIAT[upper]
    tokens = (token for chain in chains for token in chain.network.tokens)
    found = [token.asset for token in tokens_named(tokens, name)]
    if len(found) > 1 and network is not None:
        found = [asset for asset in found if asset.network == network.network.name] or found
    if len(found) == 1:
        return found[0]
    if found:
        places = " and ".join(asset.network or "" for asset in found)
        raise UnknownAsset(
            f"{name} lives on {places}: say which, such as {found[0].code}",
            pointer=pointer,
        )
    raise UnknownAsset(
        "no such currency here: an ISO 4217 code, CREDIT, a symbol such as TAO, or CAIP-19",
        pointer=pointer,
    )


def asset_id_of(chains: Sequence[Chain], asset_code: str) -> str | None:
    """CAIP-19 of what lives on one of these chains; None for money that lives nowhere."""
    if asset_code in FIAT:
        return None
    for chain in chains:
        for token in chain.network.tokens:
            if token.asset.code == asset_code:
                return token.asset_id
    return None


# The same amounts are asked for again and again: what a call costs, what a plan costs.
_parsed: Final = lru_cache(maxsize=10_000)(Amount.parse)


def read_amount(text: str, asset: Asset, pointer: str = "/amount", *, zero: bool = False) -> Amount:
    """An amount of this asset, or InvalidAmount that says what would be one."""
    try:
        amount = _parsed(text, asset)
    except MoneyError as error:
        raise InvalidAmount(str(error), pointer=pointer) from None
    if amount.is_zero and not zero:
        raise InvalidAmount("the amount is more than zero", pointer=pointer)
    if amount.units.bit_length() > UNITS_BITS_MAX:
        raise InvalidAmount("the amount is more than there is of anything", pointer=pointer)
    return amount
