"""The guides do what they say: their commands are run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.system.running_ledger import RunningLedger

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", (GUIDES / page).read_text(), re.DOTALL)
    assert found, f"{page} shows no {language}"
    return [str(block) for block in found]


def test_a_projection_is_rebuilt_as_the_guide_says(ledger: RunningLedger):
    commands = "".join(blocks("rebuild-a-projection.md", "sh")).splitlines()
    assert "flamewire projection rebuild account_balance" in commands
    for command in commands:
        ledger.flamewire(*command.split()[1:])


def test_the_store_is_used_from_eventsourcing_as_the_guide_says(database_url: str):
    (program,) = blocks("use-the-store-from-eventsourcing.md", "python")
    shown = "postgresql://user:password@127.0.0.1:5432/database"
    assert shown in program
    done = subprocess.run(
        [sys.executable, "-c", program.replace(shown, database_url)],
        env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
