"""Payers on the model's chain: keys, transactions signed with @mysten/sui, submitted over gRPC.

One long-lived Node process signs for everybody. Node itself comes from npm too: the library needs
22 or later, whatever is installed.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import queue
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import base58

from tests.services.node import installed
from tests.services.place import ServiceMissing
from tests.services.sui.model import GAS, KIT, SUI, Coin, Executed, Model

_ANSWER_SECONDS_MAX = 60  # the first one compiles the library
ENDOWMENT = 10**15


@dataclass(frozen=True)
class Move:
    """So many units of a coin to an address; with a nonce through the Payment Kit."""

    to: str
    units: int
    coin_type: str = SUI
    nonce: str | None = None


class Signer:
    """The Node process."""

    def __init__(self) -> None:
        folder = installed("sui")
        self._ids = itertools.count(1)
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [str(_node(folder)), "wallet.mjs"],
            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        with self._lock:
            number = next(self._ids)
            self._process.stdin.write(json.dumps({"id": number, **question}) + "\n")
            self._process.stdin.flush()
            try:
                line = self._lines.get(timeout=_ANSWER_SECONDS_MAX)
            except queue.Empty:
                raise ServiceMissing("the Node process that signs does not answer") from None
        if line is None:
            raise ServiceMissing("the Node process that signs has ended")
        answer: dict[str, Any] = json.loads(line)
        if answer["id"] != number or "error" in answer:
            raise RuntimeError(answer.get("error", "an answer to another question"))
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)


class Wallet:
    """One payer, with SUI and other coins. Signs against the model's objects, and submits to it."""

    def __init__(self, model: Model, signer: Signer, name: str = "payer") -> None:
        self._model = model
        self._signer = signer
        self._secret = hashlib.blake2b(name.encode(), digest_size=32).hexdigest()
        self.address: str = signer.ask({"secret": self._secret})["address"]

    def endow(self, *coin_types: str, units: int = ENDOWMENT) -> None:
        for coin_type in (SUI, *coin_types):
            self._model.endow(self.address, coin_type, units)

    def sign(self, *moves: Move) -> tuple[bytes, bytes]:
        """The bytes of one transaction that makes these moves, and its signature."""
        sources = {each.coin_type for each in moves} - {SUI}
        asked = {
            "secret": self._secret,
            "gas": _ref(self._model.largest(self.address, SUI)),
            "sources": {name: _ref(self._model.largest(self.address, name)) for name in sources},
            "moves": [_move(each) for each in moves],
        }
        answer = self._signer.ask(asked)
        return base64.b64decode(answer["bytes"]), base64.b64decode(answer["signature"])

    def pay(self, *moves: Move) -> Executed:
        """Sign and have it executed; the next checkpoint holds it."""
        data, signature = self.sign(*moves)
        return self._model.execute(data, [signature])

    def pay_in_vain(self, to: str, units: int) -> Executed:
        """A transaction that fails at its second command: it asks for more than there is."""
        everything = self._model.largest(self.address, SUI).units
        return self.pay(Move(to, units), Move(to, everything + GAS))


def _move(move: Move) -> dict[str, Any]:
    receipt = None
    if move.nonce is not None:
        receipt = {"package": KIT, "nonce": move.nonce, "coinType": move.coin_type}
    source = None if move.coin_type == SUI else move.coin_type
    return {"to": move.to, "units": move.units, "source": source, "receipt": receipt}


def _ref(coin: Coin) -> dict[str, Any]:
    digest = base58.b58encode(coin.digest).decode()
    return {"objectId": coin.id, "version": str(coin.version), "digest": digest}


def _node(folder: Path) -> Path:
    found: Sequence[Path] = sorted(folder.glob("node_modules/node-*/bin/node"))
    if not found:
        raise ServiceMissing("npm has no Node.js 24 for this platform")
    return found[0]
