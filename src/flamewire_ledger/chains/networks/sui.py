"""kind = "sui": the keys of a Sui chain in the networks file.

chain_id = "sui:35834a8a"            # the first four bytes of the genesis checkpoint's digest
grpc_urls = ["https://…"]            # the first is preferred, the others step in
graphql_url = "https://…"            # optional: for checkpoints that nodes no longer have
tokens = [{ symbol = "USDC", coin_type = "0xdba3…::usdc::USDC", decimals = 6 }]
addresses_file = "/…/addresses.txt"  # one address a line, each for one payment; or
address = "0x…"                      # one for all: told apart by nonce, or else by amount
payment_kit = "0x…"                  # the package of the Sui Payment Kit whose receipts count
plaintext = false                    # true: http:// to other machines too
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flamewire_ledger.chains.accounts import SUI_ALIASES, caip_19
from flamewire_ledger.chains.addresses import parse_sui
from flamewire_ledger.chains.chain import IdentifiesBy, Network, Token
from flamewire_ledger.chains.networks.endpoint_rules import EndpointRules, read_endpoint_rules
from flamewire_ledger.chains.networks.table import NetworksFileError, Table
from flamewire_ledger.domain.money import DECIMALS_MAX, Asset
from flamewire_ledger.domain.rejection import InvalidAddress

ADDRESSES_MAX: Final = 1_000_000
_LINE_MAX: Final = 1_000  # characters, with a comment
_FILE_BYTES_MAX: Final = 256 * 2**20
_CHAIN_ID: Final = re.compile(r"sui:([0-9a-f]{8})\Z")
_COIN_TYPE: Final = re.compile(r"0x[0-9a-fA-F]{1,64}::[A-Za-z_]\w*::[A-Za-z_]\w*\Z", re.ASCII)
_PACKAGE: Final = re.compile(r"0x[0-9a-fA-F]{1,64}\Z")


class BadAddressesFile(Exception):
    """The file of addresses cannot be used; the message says what to correct, and in which line."""


@dataclass(frozen=True, slots=True)
class SuiSettings:
    """What a Sui adapter needs beside its network. URLs often hold a key: they are not shown."""

    genesis: str  # eight hexadecimal digits: the first bytes of the genesis checkpoint's digest
    grpc_urls: tuple[str, ...] = field(repr=False)
    graphql_url: str | None = field(default=None, repr=False)
    addresses_file: Path | None = None
    address: str | None = None
    payment_kit: str | None = None
    timeout_seconds: float = 10.0
    endpoint_rules: EndpointRules = field(default_factory=EndpointRules)


def read_sui(name: str, given: Table) -> tuple[Network, SuiSettings]:
    """Raises NetworksFileError; the file of addresses is read too, so that it is right from the start."""
    chain_id, genesis = _chain_id(given)
    addresses_file, address = _addresses(given)
    payment_kit = _package(given)
    identifies_by: IdentifiesBy = "address"
    if address is not None:
        identifies_by = "mark" if payment_kit is not None else "amount"
    network = Network(
        name=name,
        chain_id=chain_id,
        livemode=given.flag("livemode"),
        tokens=(
            Token(Asset(f"{name}:SUI", 9), f"{chain_id}/slip44:784"),
            *_tokens(name, chain_id, given),
        ),
        block_seconds=given.number("block_seconds", 1, least=1),
        confirmations_min=1,
        identifies_by=identifies_by,
    )
    allows_plaintext = given.flag("plaintext", False)
    graphql = given.text("graphql_url") if "graphql_url" in given.table else None
    if graphql is not None:
        _refuse_plaintext(given, "graphql_url", (graphql,), allows_plaintext)
    urls = given.urls("grpc_urls", "https", "http")
    _refuse_plaintext(given, "grpc_urls", urls, allows_plaintext)
    settings = SuiSettings(
        genesis=genesis,
        grpc_urls=urls,
        graphql_url=graphql,
        addresses_file=addresses_file,
        address=address,
        payment_kit=payment_kit,
        timeout_seconds=given.number("timeout_seconds", 10, least=1, most=600),
        endpoint_rules=read_endpoint_rules(given, network.tokens, len(urls)),
    )
    return network, settings


def read_addresses(path: Path) -> tuple[str, ...]:
    """The addresses of a file, one a line, # begins a comment. Raises BadAddressesFile."""
    found: dict[str, int] = {}
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise BadAddressesFile(f"{path.name} is larger than {_FILE_BYTES_MAX // 2**20} MB")
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                text = line[:_LINE_MAX].partition("#")[0].strip()
                if text:
                    _take(found, path, number, text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadAddressesFile(f"{path.name} cannot be read: {reason}") from None
    if not found:
        raise BadAddressesFile(f"{path.name} has no address in it")
    return tuple(found)


def _take(found: dict[str, int], path: Path, number: int, text: str) -> None:
    try:
        address = parse_sui(text)
    except InvalidAddress as error:
        raise BadAddressesFile(f"{path.name}, line {number}: {error.detail}") from None
    if address in found:
        raise BadAddressesFile(
            f"{path.name}, line {number}: this address is in line {found[address]} already"
        )
    if len(found) == ADDRESSES_MAX:
        raise BadAddressesFile(f"{path.name} has more than {ADDRESSES_MAX} addresses")
    found[address] = number


def _chain_id(given: Table) -> tuple[str, str]:
    text = given.text("chain_id")
    found = _CHAIN_ID.match(SUI_ALIASES.get(text, text))
    if found is None:
        raise given.wrong("chain_id", "is sui: and eight hexadecimal digits, such as sui:35834a8a")
    return found[0], found[1]


def _addresses(given: Table) -> tuple[Path | None, str | None]:
    if ("addresses_file" in given.table) == ("address" in given.table):
        raise given.wrong(
            "addresses_file", "or address is needed, one of the two: where do payers send to?"
        )
    if "address" in given.table:
        try:
            return None, parse_sui(given.text("address"))
        except InvalidAddress as error:
            raise given.wrong("address", f"is none: {error.detail}") from None
    path = Path(given.text("addresses_file")).expanduser()
    if not path.is_absolute():
        raise given.wrong("addresses_file", "is a path from the root: /…, or ~/…")
    try:
        read_addresses(path)
    except BadAddressesFile as error:
        raise given.wrong("addresses_file", f"is of no use: {error}") from None
    return path, None


def _package(given: Table) -> str | None:
    if "payment_kit" not in given.table:
        return None
    text = given.text("payment_kit")
    if not _PACKAGE.match(text):
        raise given.wrong("payment_kit", "is the id of a package: 0x and hexadecimal digits")
    return f"0x{text[2:].lower():0>64}"


def _tokens(name: str, chain_id: str, given: Table) -> list[Token]:
    tokens: list[Token] = []
    taken = {f"{name}:SUI", f"0x{2:064x}::sui::SUI"}
    for number, table in enumerate(given.typed("tokens", list, "an array of tables", []), start=1):
        if not isinstance(table, dict):
            raise given.wrong("tokens", "is an array of tables")
        one = Table(f"{given.what}, token {number}", table)
        asset = Asset(f"{name}:{one.symbol()}", one.number("decimals", least=0, most=DECIMALS_MAX))
        coin_type = one.text("coin_type")
        if not _COIN_TYPE.match(coin_type):
            raise one.wrong("coin_type", "is written 0x…::module::NAME")
        address, _, rest = coin_type.partition("::")
        spelled = f"0x{address[2:].lower():0>64}::{rest}"
        one.refuse_others()
        if asset.code in taken or spelled in taken:
            raise one.wrong("symbol", "and coin_type are each there once")
        taken |= {asset.code, spelled}
        tokens.append(Token(asset, caip_19(chain_id, "coin", spelled), spelled))
    return tokens


def _refuse_plaintext(
    given: Table, key: str, urls: tuple[str, ...], allows_plaintext: bool
) -> None:
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise given.wrong(key, "starts with https://")
        if parts.scheme == "http" and not allows_plaintext and not _is_loopback(parts.hostname):
            raise given.wrong(
                key, "is https:// for other machines; with plaintext = true, http:// too"
            )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


__all__ = ["BadAddressesFile", "NetworksFileError", "SuiSettings", "read_addresses", "read_sui"]
