"""A ledger is opened in an order in which a mistake is said alone, and nothing is left behind."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

import pytest

from flamewire_ledger.chains.networks import NetworksFileError
from flamewire_ledger.settings import Settings
from flamewire_ledger.wiring import open_ledger
from flamewire_ledger.wiring.chains import check_networks
from tests.system import substrate_guide

NOBODY_LISTENS = "postgresql://nobody@127.0.0.1:1/none"
ALL_ZEROS = "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM"


@pytest.fixture
def mistaken(tmp_path: Path) -> Settings:
    networks = tmp_path / "networks.toml"
    text = substrate_guide.live_networks_file()
    networks.write_text(text.replace(substrate_guide.ACCOUNT_PLACE, ALL_ZEROS))
    return Settings(data_dir=tmp_path, networks_file=networks)


async def test_a_mistake_in_the_networks_file_is_said_before_anything_is_connected(
    mistaken: Settings,
) -> None:
    with pytest.raises(NetworksFileError, match="all zeros"):
        async with open_ledger(mistaken, NOBODY_LISTENS):
            pass


def test_networks_are_checked_without_a_ledger(mistaken: Settings) -> None:
    with pytest.raises(NetworksFileError, match="network bittensor in the networks file"):
        check_networks(mistaken)
    check_networks(mistaken.model_copy(update={"networks_file": None}))


async def test_whoever_is_stopped_while_it_opens_leaves_nothing_and_says_nothing(
    ledger_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A pool whose connecting is cancelled logs that as an error, and tries again for ever."""
    settings = Settings(data_dir=tmp_path)
    ours = asyncio.current_task()
    caplog.set_level(logging.WARNING)

    async def opened() -> None:
        async with open_ledger(settings, ledger_url):
            pass

    for milliseconds in range(1, 60, 4):
        opening = asyncio.create_task(opened())
        await asyncio.sleep(milliseconds / 1000)
        opening.cancel()
        with suppress(asyncio.CancelledError):
            async with asyncio.timeout(10):
                await opening
        assert asyncio.all_tasks() <= {ours}
    assert [each.getMessage() for each in caplog.records if "pool" in each.name] == []
