"""The guides of EVM networks other than Ethereum, read by the tests: what they show is what is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.system.running_ledger import RunningLedger

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
ANOTHER_CHAIN = "take-payments-on-another-evm-chain.md"
WITHOUT_KEYS = "deposit-addresses-without-keys.md"
NODE_URL = "http://127.0.0.1:8546"  # where the guides have their second node
API_URL = "http://127.0.0.1:8700"
CHAIN_ID = 84531
NODE = f"anvil --chain-id {CHAIN_ID} --port 8546 --slots-in-an-epoch 4\n"
START = "FLAMEWIRE_NETWORKS_FILE=networks.toml .venv/bin/flamewire up\n"


def blocks(page: str, language: str) -> list[str]:
    """A guide's fenced blocks in this language, in their order."""
    text = (GUIDES / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def network_with_an_xpub(url: str) -> str:
    _, table = blocks(ANOTHER_CHAIN, "toml")
    return _at(table, url)


def network_with_forwarders(url: str, factory: str) -> str:
    (table,) = blocks(WITHOUT_KEYS, "toml")
    assert '"FACTORY"' in table
    return _at(table.replace("FACTORY", factory), url)


def treasury() -> str:
    (table,) = blocks(WITHOUT_KEYS, "toml")
    (found,) = re.findall(r'treasury = "(0x\w{40})"', table)
    return str(found)


def tokens(**contracts: str) -> str:
    """A line of tokens of six decimals for the end of a table."""
    entries = ", ".join(
        f'{{ symbol = "{symbol}", contract = "{contract}", decimals = 6 }}'
        for symbol, contract in contracts.items()
    )
    return f"tokens = [{entries}]\n"


def run(
    ledger: RunningLedger, folder: Path, commands: Sequence[str], places: Mapping[str, str]
) -> str:
    """Run a guide's commands in one shell with our places for theirs; what they print."""
    script = "\n".join(commands)
    programs = {
        "python3 send.py": f"{sys.executable} send.py",
        ".venv/bin/flamewire": f"{sys.executable} -m flamewire_ledger",
    }
    for theirs, ours in {**programs, **places}.items():
        script = script.replace(theirs, ours)
    environment = {
        **os.environ,
        "KEY": ledger.key,
        "FLAMEWIRE_DATA_DIR": str(ledger.data_dir),
        "FLAMEWIRE_NETWORKS_FILE": str(folder / "networks.toml"),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _at(table: str, url: str) -> str:
    assert NODE_URL in table
    return table.replace(NODE_URL, url)
