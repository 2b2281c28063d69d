"""kind = "ethereum": the keys of an EVM chain in the networks file.

chain_id = 1
rpc_urls = ["https://…"]             # the first is preferred, the others step in
xpub = "xpub…"                       # of an account, or of its external chain; never an xprv
forwarders = { factory = "0x…", treasury = "0x…" }    # instead of xpub: see chains/forwarders.py
holdings = ["0x…"]                   # other addresses of yours that deposits are moved to
block_seconds = 12
finality = "finalized"               # or "confirmations", for chains without that block tag
confirmations = 12                   # used with finality = "confirmations"
coin = { symbol = "POL", slip44 = 966 }
internal_transfers = true            # ETH that contracts pass on; endpoints have to offer trace_block
tokens = [{ symbol = "USDC", contract = "0xA0b8…", decimals = 6 }]

and those of endpoint_rules.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, cast

import base58

from flamewire_ledger.chains.addresses import parse_evm
from flamewire_ledger.chains.chain import Network, Token
from flamewire_ledger.chains.forwarders import Forwarders, factory_of
from flamewire_ledger.chains.networks.endpoint_rules import EndpointRules, read_endpoint_rules
from flamewire_ledger.chains.networks.table import Table
from flamewire_ledger.domain.money import DECIMALS_MAX, Asset
from flamewire_ledger.domain.rejection import InvalidAddress

_XPUB_BYTES: Final = 78  # BIP-32: version, depth, parent, child number, chain code, key
_XPUB_DEPTHS: Final = (3, 4)
Finality: TypeAlias = Literal["finalized", "confirmations"]


@dataclass(frozen=True, slots=True)
class EthereumSettings:
    """What an Ethereum adapter needs beside its network. URLs often hold a key: they are not shown."""

    evm_chain_id: int
    rpc_urls: tuple[str, ...] = field(repr=False)
    # One of the two. An xpub is not secret, but it links all of a merchant's addresses.
    xpub: str | None = field(default=None, repr=False)
    forwarders: Forwarders | None = None
    holdings: tuple[str, ...] = ()  # where what was received may lie, beside where it came to
    finality: Finality = "finalized"
    timeout_seconds: float = 10.0
    uses_mempool: bool = True
    internal_transfers: bool = False
    endpoint_rules: EndpointRules = EndpointRules()


def read_ethereum(name: str, given: Table) -> tuple[Network, EthereumSettings]:
    """Raises NetworksFileError."""
    evm_chain_id = given.number("chain_id", least=1)
    chain_id = f"eip155:{evm_chain_id}"
    finality = given.text("finality", "finalized")
    if finality not in ("finalized", "confirmations"):
        raise given.wrong("finality", 'is "finalized" or "confirmations"')
    if finality == "confirmations" and "confirmations" not in given.table:
        raise given.wrong("confirmations", 'is needed with finality = "confirmations"')
    coin = _coin(name, chain_id, given)
    network = Network(
        name=name,
        chain_id=chain_id,
        livemode=given.flag("livemode"),
        tokens=(coin, *_tokens(name, chain_id, given, coin)),
        block_seconds=given.number("block_seconds", 12, least=1),
        confirmations_min=given.number("confirmations", 12, least=1),
    )
    rpc_urls = given.urls("rpc_urls", "https", "http")
    settings = EthereumSettings(
        evm_chain_id=evm_chain_id,
        rpc_urls=rpc_urls,
        xpub=_xpub(given) if "forwarders" not in given.table else None,
        forwarders=_forwarders(given) if "forwarders" in given.table else None,
        holdings=_holdings(given),
        finality=cast("Finality", finality),
        timeout_seconds=given.number("timeout_seconds", 10, least=1),
        uses_mempool=given.flag("mempool", True),
        internal_transfers=given.flag("internal_transfers", False),
        endpoint_rules=read_endpoint_rules(given, network.tokens, len(rpc_urls)),
    )
    return network, settings


def _coin(name: str, chain_id: str, given: Table) -> Token:
    """The chain's own coin; ETH unless the file says otherwise."""
    coin = Table(f"{given.what}, coin", given.typed("coin", dict, "a table", {}))
    symbol = coin.symbol("ETH")
    decimals = coin.number("decimals", 18, least=0, most=DECIMALS_MAX)
    slip44 = coin.number("slip44", 60, least=0)
    coin.refuse_others()
    return Token(Asset(f"{name}:{symbol}", decimals), f"{chain_id}/slip44:{slip44}")


def _tokens(name: str, chain_id: str, given: Table, coin: Token) -> list[Token]:
    tokens: list[Token] = []
    for number, table in enumerate(given.typed("tokens", list, "an array of tables", []), start=1):
        if not isinstance(table, dict):
            raise given.wrong("tokens", "is an array of tables")
        one = Table(f"{given.what}, token {number}", table)
        symbol = one.symbol()
        contract = _address(one, "contract")
        decimals = one.number("decimals", least=0, most=DECIMALS_MAX)
        one.refuse_others()
        token = Token(Asset(f"{name}:{symbol}", decimals), f"{chain_id}/erc20:{contract}", contract)
        if any(
            token.asset.code == other.asset.code or contract == other.contract
            for other in (coin, *tokens)
        ):
            raise one.wrong("symbol", "and contract are each there once")
        tokens.append(token)
    return tokens


def _address(given: Table, key: str) -> str:
    try:
        return parse_evm(given.text(key))
    except InvalidAddress as error:
        raise given.wrong(key, f"is no address: {error.detail}") from None


def _holdings(given: Table) -> tuple[str, ...]:
    texts = given.typed("holdings", list, "an array of addresses", [])
    try:
        return tuple(parse_evm(str(text)) for text in texts)
    except InvalidAddress as error:
        raise given.wrong("holdings", f"are addresses: {error.detail}") from None


def _forwarders(given: Table) -> Forwarders:
    """The factory says nothing that the treasury does not: it is there to find what is mistyped."""
    if "xpub" in given.table:
        raise given.wrong("xpub", "or forwarders: addresses are made by one of the two")
    one = Table(f"{given.what}, forwarders", given.typed("forwarders", dict, "a table"))
    treasury, factory = _address(one, "treasury"), _address(one, "factory")
    one.refuse_others()
    if int(treasury, 16) == 0:
        raise one.wrong("treasury", "is the address that nobody has")
    if factory != factory_of(treasury):
        raise one.wrong(
            "factory",
            f"is not the factory of this treasury, which is {factory_of(treasury)}: "
            "one of the two is mistyped",
        )
    return Forwarders(factory, treasury)


def _xpub(given: Table) -> str:
    if "xpub" not in given.table:
        raise given.wrong("xpub", "is missing; or give forwarders, which make the addresses then")
    xpub = given.text("xpub")
    if xpub[1:4] == "prv":
        raise given.wrong(
            "xpub", "is a private key: take it out of this file, put the public one in"
        )
    try:
        raw = base58.b58decode_check(xpub)
    except ValueError:
        raw = b""
    if xpub[1:4] != "pub" or len(raw) != _XPUB_BYTES:
        raise given.wrong("xpub", "is no extended public key (xpub…), or it is mistyped")
    if raw[4] not in _XPUB_DEPTHS:
        raise given.wrong("xpub", "is that of an account (m/44'/60'/0') or of its external chain")
    return xpub
