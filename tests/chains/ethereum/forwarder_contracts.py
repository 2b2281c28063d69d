"""forwarders.sol compiled: what src/flamewire_ledger/chains/forwarders.json has to hold.

`python -m tests.chains.ethereum.forwarder_contracts` writes it anew. Every address that was ever
given out follows from these bytes: after a release they do not change.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from tests.services.place import ROOT
from tests.services.solidity import compiled

SOURCE: Final = ROOT / "src" / "flamewire_ledger" / "chains" / "forwarders.sol"
ARTIFACT: Final = SOURCE.with_suffix(".json")
# Paris: no opcode that a younger or a slower chain may lack. No metadata: the code depends on what
# it does, and not on a comment.
SETTINGS: Final[dict[str, Any]] = {
    "evmVersion": "paris",
    "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
    "optimizer": {"enabled": True, "runs": 200},
    "viaIR": False,
}


def artifact() -> dict[str, Any]:
    source = SOURCE.read_text()
    version, contracts = compiled(source, SETTINGS)
    return {
        "source": SOURCE.name,
        "source_sha256": hashlib.sha256(source.encode()).hexdigest(),
        "compiler": f"solc {version}",
        "settings": SETTINGS,
        "contracts": {
            name: {
                "bytecode_sha256": hashlib.sha256(bytes.fromhex(it["bytecode"][2:])).hexdigest(),
                **it,
            }
            for name, it in sorted(contracts.items())
        },
    }


if __name__ == "__main__":
    ARTIFACT.write_text(json.dumps(artifact(), indent=1) + "\n")
