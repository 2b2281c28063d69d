"""A Sui chain of one's own to try the ledger with: `python -m tests.services.sui`, until Ctrl-C.

A node speaks gRPC on port 9000, and a payer with plenty waits at a counter on port 9001:

    curl "http://127.0.0.1:9001/pay?to=0x…&units=1000"     and &coin_type=…, &nonce=…

A checkpoint is made every second.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.services.sui.model import CHAIN_ID, KIT, SUI, Model
from tests.services.sui.server import SuiServer
from tests.services.sui.wallet import Move, Signer, Wallet

NODE_PORT, COUNTER_PORT = 9000, 9001
USDC = f"0x{'db' * 32}::usdc::USDC"


class Counter:
    """Pays for whoever asks over HTTP."""

    def __init__(self, wallet: Wallet, port: int = 0) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = {
                    name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()
                }
                done = wallet.pay(
                    Move(
                        asked["to"],
                        int(asked["units"]),
                        asked.get("coin_type", SUI),
                        asked.get("nonce"),
                    )
                )
                body = json.dumps({"digest": done.digest, "has_succeeded": done.has_succeeded})
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body.encode() + b"\n")

            def log_message(self, *_: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def main() -> None:
    model = Model()
    signer = Signer()
    wallet = Wallet(model, signer)
    wallet.endow(USDC)
    node = SuiServer(model, NODE_PORT)
    counter = Counter(wallet, COUNTER_PORT)
    print(f"{CHAIN_ID} at {node.url}, the payer at {counter.url}", file=sys.stderr)
    print(f"USDC is {USDC}, the Payment Kit {KIT}. Ctrl-C ends it.", file=sys.stderr)
    try:
        while True:
            time.sleep(1)
            model.make_checkpoint()
    except KeyboardInterrupt:
        counter.close()
        node.close()
        signer.close()


if __name__ == "__main__":
    main()
