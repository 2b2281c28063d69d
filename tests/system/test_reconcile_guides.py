"""The guides to the books do what they say: their commands are run as they stand, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.running_ledger import RunningLedger, create_payment, payment_with_status
from tests.system.test_guides import blocks
from tests.system.test_several_networks import pay


@pytest.mark.parametrize(
    ("page", "files"),
    [
        ("reconcile.md", ("reconciliation.csv", "reconciliation.pdf")),
        ("reports.md", ("revenue.svg", "funnel.png")),
        ("export-the-books.md", ("books.beancount", "2026.csv")),
        ("record-a-disposal.md", ()),
        ("see-what-is-in-the-wallets.md", ()),
        ("../index.md", ()),
        ("sell-subscriptions.md", ()),  # time passes: it is the last
    ],
)
def test_the_guide_runs_as_it_stands(
    page: str, files: tuple[str, ...], ledger: RunningLedger, tmp_path: Path
) -> None:
    with ledger.client() as client:
        ways = [{"network": "bittensor", "asset": "TAO"}]
        payment = create_payment(client, page, pay_with=ways)
        pay(client, payment["id"], f"{page}-pay")
        paid = payment_with_status(client, payment["id"], "succeeded")
    script = "\n".join(blocks(page, "sh"))
    script = script.replace("fw_test_…", ledger.key).replace("http://127.0.0.1:8700", ledger.url)
    script = re.sub(r"(?m)^flamewire ", f"{sys.executable} -m flamewire_ledger ", script)
    environment = {
        **os.environ,
        "FLAMEWIRE_DATA_DIR": str(ledger.data_dir),
        "KEY": ledger.key,
        "URL": ledger.url,
        "POSITION": str(paid["position"]),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "problem" not in done.stdout, done.stdout
    assert all((tmp_path / name).stat().st_size > 500 for name in files)
