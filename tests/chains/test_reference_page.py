"""docs/reference/chains.md says of every kind of network what its adapter does: checked where it can be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flamewire_ledger.chains.networks import _KINDS, NetworksFileError, parse_networks
from flamewire_ledger.chains.networks.table import Table
from flamewire_ledger.chains.sandbox.networks import FINALITY_BLOCKS, KINDS, sandbox_network

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "chains.md"
NUMBERS = {3: "three"}
EVERYWHERE = {"name", "kind", "livemode"}
XPUB = "xpub6Ce9NcJvTk372KjsGfWqbcex5DumjpNquQLApoeQUavSCjEc823BV1tb4rXUuPuht8h2hSxkg2EXUaKUJmniJvRZAELxypsCzBFdtosmV76"
SUI_ADDRESS = "0x" + "ab" * 32
# What each kind cannot do without; the ways to tell payments apart that need more, with that.
LEAST: dict[str, dict[str, Any]] = {
    "ethereum": {"chain_id": 1, "rpc_urls": ["https://a.test"], "xpub": XPUB},
    "substrate": {
        "chain_id": "polkadot:2f0555cc76fc2840a25a6ea3b9637146",
        "rpc_urls": ["wss://a.test"],
        "account": "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
    },
    "sui": {
        "chain_id": "sui:35834a8a", "grpc_urls": ["https://a.test"], "address": SUI_ADDRESS
    },
}  # fmt: skip


def sections() -> dict[str, dict[str, str]]:
    """The rows of each kind's table, by what stands before them."""
    found = {}
    for heading, text in re.findall(
        r'^## `kind = "(\w+)"`\n(.*?)(?=^## )', PAGE.read_text(), re.DOTALL | re.MULTILINE
    ):
        found[heading] = dict(re.findall(r"^\| ([\w' ,-]+) \| (.*) \|$", text, re.MULTILINE))
    return found


def codes(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


def test_every_kind_of_the_networks_file_has_its_section_and_no_other_has() -> None:
    assert set(sections()) == set(_KINDS)


@pytest.mark.parametrize("kind", sorted(_KINDS))
def test_every_kind_says_all_there_is_to_say(kind: str) -> None:
    said = sections()[kind]
    rows = [
        "keys", "CAIP-2", "a transfer is", "its name", "assets", "final when", "reorganisations",
        "before its block", "identified by", "not seen", "endpoints", "tried on",
    ]  # fmt: skip
    assert list(said) == rows
    assert all(said.values())


@pytest.mark.parametrize("kind", sorted(_KINDS))
def test_the_keys_are_those_that_are_read(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = codes(sections()[kind]["keys"])
    tables: list[Table] = []
    refuse = Table.refuse_others

    def watched(table: Table) -> None:
        tables.append(table)
        refuse(table)

    monkeypatch.setattr(Table, "refuse_others", watched)
    parse_networks(_document(kind, LEAST[kind]))
    (network,) = [table for table in tables if table.what == "network x"]
    assert network.read - EVERYWHERE <= said
    assert [key for key in said if "is not known" in _refusal(kind, key)] == []


@pytest.mark.parametrize("kind", sorted(_KINDS))
def test_payments_are_identified_as_it_says(kind: str, tmp_path: Path) -> None:
    addresses = tmp_path / "addresses.txt"
    addresses.write_text(SUI_ADDRESS + "\n")
    others: dict[str, list[dict[str, Any]]] = {
        "ethereum": [{}],
        "substrate": [{"identifies_by": each} for each in ("address", "mark", "amount")],
        "sui": [
            {"addresses_file": str(addresses)},
            {"address": SUI_ADDRESS},
            {"address": SUI_ADDRESS, "payment_kit": "0x" + "cd" * 32},
        ],
    }
    least = {key: value for key, value in LEAST[kind].items() if key != "address"}
    ways = {
        parse_networks(_document(kind, {**least, **other}))[0].network.identifies_by
        for other in others[kind]
    }
    said = re.findall(r"`(address|mark|amount)`:", sections()[kind]["identified by"])
    assert set(said) == ways


def test_the_sandbox_is_as_it_says() -> None:
    text = PAGE.read_text().split("## The sandbox")[1]
    assert f"{NUMBERS[FINALITY_BLOCKS]} blocks" in text
    for kind in KINDS:
        assert f"`{kind}`" in text
        for token in sandbox_network(kind).tokens:
            assert token.asset.symbol in text


def _refusal(kind: str, key: str) -> str:
    """What is said of nonsense at a key."""
    try:
        parse_networks(_document(kind, {**LEAST[kind], key: "?"}))
    except NetworksFileError as error:
        return str(error)
    return ""


def _document(kind: str, keys: dict[str, Any]) -> str:
    lines = [
        f"{key} = {_toml(value)}"
        for key, value in {"name": "x", "kind": kind, "livemode": False, **keys}.items()
    ]
    return "[[network]]\n" + "\n".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return str(value) if isinstance(value, int) else f'"{value}"'
