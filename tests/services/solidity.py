"""Contracts compiled offline with the solc that npm has locked; each input once a checkout."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import Any

from tests.services.node import installed
from tests.services.place import PLACE, ServiceMissing, locked

_PROGRAM = """
const solc = require("solc");
const output = JSON.parse(solc.compile(require("fs").readFileSync(0, "utf8")));
process.stdout.write(JSON.stringify({ version: solc.version(), output }));
"""


def compiled(source: str, settings: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The compiler's version, and each contract's ABI and code by its name.

    `settings` are those of solc's standard JSON, without `outputSelection`.
    """
    wanted = ["abi", "evm.bytecode.object"]
    text = json.dumps(
        {
            "language": "Solidity",
            "sources": {"it.sol": {"content": source}},
            "settings": {**settings, "outputSelection": {"it.sol": {"*": wanted}}},
        }
    )
    folder = PLACE / "node" / "compiled"
    kept = folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    with locked(PLACE / "node" / "compiled.mutex"):
        if not kept.exists():
            answer = _solc(text)
            folder.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(answer))
    answer = json.loads(kept.read_text())
    errors = [it for it in answer["output"].get("errors", ()) if it["severity"] != "info"]
    assert not errors, "".join(it["formattedMessage"] for it in errors)
    contracts = {
        name: {"abi": it["abi"], "bytecode": "0x" + it["evm"]["bytecode"]["object"]}
        for name, it in answer["output"]["contracts"]["it.sol"].items()
    }
    return answer["version"], contracts


def _solc(text: str) -> dict[str, Any]:
    done = subprocess.run(
        ["node", "-e", _PROGRAM],
        cwd=installed("ethereum"), input=text, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise ServiceMissing(f"solc did not run: {done.stderr.strip()[-500:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
