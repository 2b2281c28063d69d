"""docs/guides/take-sui-payments.md, read by the tests: its files and its commands are what is run."""

from __future__ import annotations

import re
from pathlib import Path

from tests.services.sui.model import CHAIN_ID, KIT

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "take-sui-payments.md"
NODE_URL = "http://127.0.0.1:9000"  # where the guide has its node
ADDRESSES_PLACE = "/YOUR/PATH/sui-addresses.txt"


def blocks(language: str) -> list[str]:
    """The guide's fenced blocks in this language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


def live_networks_file(addresses_file: Path) -> str:
    """The guide's file for the main network."""
    text = blocks("toml")[0]
    assert ADDRESSES_PLACE in text
    return text.replace(ADDRESSES_PLACE, str(addresses_file))


def local_networks_file(url: str, addresses_file: Path) -> str:
    """The guide's file for a node of one's own."""
    text = blocks("toml")[1]
    assert NODE_URL in text
    assert CHAIN_ID in text
    assert ADDRESSES_PLACE in text
    return text.replace(NODE_URL, url).replace(ADDRESSES_PLACE, str(addresses_file))


def shared_networks_file(url: str, address: str) -> str:
    """The same with one address for all, and receipts of the Payment Kit."""
    text = blocks("toml")[1].replace(NODE_URL, url)
    line = f'addresses_file = "{ADDRESSES_PLACE}"\n'
    assert line in text
    return text.replace(line, f'address = "{address}"\npayment_kit = "{KIT}"\n')
