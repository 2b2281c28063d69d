"""The guides to the books do what they say: their commands are run as they stand, in an empty folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.system.running_ledger import (
    RunningLedger,
    create_payment,
    eventually,
    payment_with_status,
)
from tests.system.test_guides import blocks
from tests.system.test_several_networks import pay

CHECKOUT = Path(__file__).parents[2]


def test_the_parts_of_the_gateway_run_as_its_readme_says(
    ledger: RunningLedger, tmp_path: Path
) -> None:
    page = (CHECKOUT / "examples/rpc_gateway/README.md").read_text()
    lines = [
        line
        for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
        for line in block.splitlines()
    ]
    part = {line.rpartition(" ")[2]: line for line in lines if line.startswith(".venv/bin/python")}
    sign_up, call, top_up, account = (line for line in lines if line.startswith("curl"))
    at = f" --ledger {ledger.url}"
    with serving(part["upstream"], ledger.key) as nodes:
        subprocess.run(typed(part["publish"] + at), cwd=CHECKOUT, env=keyed(ledger.key), check=True)
        options = f" --upstream {nodes} --data {tmp_path}"
        with serving(part["gateway"] + at + options, ledger.key) as door:

            def said(line: str, key: str = "") -> dict[str, Any]:
                command = line.replace("localhost:8701", door)
                environment = {**os.environ, "GATEWAY_KEY": key}
                return dict(
                    json.loads(subprocess.check_output(["bash", "-c", command], env=environment))
                )

            key = said(sign_up)["key"]
            assert said(call, key)["result"].startswith("0x")
            ledger.flamewire("sandbox", "pay", said(top_up, key)["id"])
            # 500 of the plan and 20 that were bought, less one for the call.
            eventually(lambda: said(account, key)["credits_left"] == "519.000000")


def typed(line: str) -> list[str]:
    return line.replace(".venv/bin/python", sys.executable).split()


def keyed(key: str) -> dict[str, str]:
    return {**os.environ, "LEDGER_KEY": key}


@contextmanager
def serving(line: str, key: str) -> Iterator[str]:
    """A part that runs; where it serves."""
    command = [*typed(line), "--port", "0"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=keyed(key), stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline().strip()
        finally:
            running.terminate()


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
