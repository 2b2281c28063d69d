"""docs/guides/take-ethereum-payments.md, read by the tests: its files and its commands are what is run."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "take-ethereum-payments.md"
XPUB_PLACE = "YOUR-XPUB"
NODE_URL = "http://127.0.0.1:8545"  # where the guide has its node


def blocks(language: str) -> list[str]:
    """The guide's fenced blocks in this language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


def live_networks_file() -> str:
    """The guide's file for the main network; its xpub and URL are to be filled in."""
    text = blocks("toml")[0]
    assert XPUB_PLACE in text
    return text


def local_xpub() -> str:
    """A public key that is good for tests and nothing else."""
    (found,) = re.findall(r'"(xpub\w{100,})"', blocks("toml")[1])
    return str(found)


def local_networks_file(url: str, *tokens: tuple[str, str]) -> str:
    """The guide's file for a node of one's own, with tokens (symbol, contract) of six decimals."""
    text = blocks("toml")[1]
    assert NODE_URL in text
    entries = ", ".join(
        f'{{ symbol = "{symbol}", contract = "{contract}", decimals = 6 }}'
        for symbol, contract in tokens
    )
    return text.replace(NODE_URL, url) + f"tokens = [{entries}]\n"
