"""docs/guides/take-bittensor-payments.md, read by the tests: its files and its commands are what is run."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "take-bittensor-payments.md"
ACCOUNT_PLACE = "YOUR-ACCOUNT"
NODE_URL = "ws://127.0.0.1:8000"  # where the guide has its node


def blocks(language: str) -> list[str]:
    """The guide's fenced blocks in this language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


def live_networks_file() -> str:
    """The guide's file for Bittensor; its account and URL are to be filled in."""
    text = blocks("toml")[0]
    assert ACCOUNT_PLACE in text
    return text


def local_networks_file(url: str, *more: str) -> str:
    """The guide's file for a node of one's own, with more lines."""
    text = blocks("toml")[1]
    assert NODE_URL in text
    return text.replace(NODE_URL, url) + "".join(f"{line}\n" for line in more)
