"""The model's chain over GraphQL, with the part of Sui's schema that the ledger's questions touch.

Questions are checked against that schema, so a field that does not exist is an error as it would be
there. Pages are short on purpose.
"""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from graphql import build_schema, graphql_sync

from tests.services.sui.model import COMPUTATION, REBATE, STORAGE, Checkpoint, Executed, Model

# From crates/sui-indexer-alt-graphql/schema.graphql of MystenLabs/sui.
_SCHEMA = """
scalar UInt53  scalar BigInt  scalar Base64  scalar DateTime  scalar JSON  scalar SuiAddress
enum ExecutionStatus { SUCCESS FAILURE }
type Query {
  chainIdentifier: String!
  checkpoint(sequenceNumber: UInt53): Checkpoint
  transactionEffects(digest: String!): TransactionEffects
}
type Checkpoint {
  sequenceNumber: UInt53!
  digest: String
  previousCheckpointDigest: String
  timestamp: DateTime
  transactions(first: Int, after: String, last: Int, before: String): TransactionConnection
}
type PageInfo { hasPreviousPage: Boolean! hasNextPage: Boolean! startCursor: String endCursor: String }
type TransactionConnection { pageInfo: PageInfo! nodes: [Transaction!]! }
type Transaction { digest: String! gasInput: GasInput effects: TransactionEffects }
type GasInput { gasSponsor: Address }
type Address { address: SuiAddress! }
type TransactionEffects {
  status: ExecutionStatus
  balanceChangesJson: JSON
  gasEffects: GasEffects
  events(first: Int, after: String, last: Int, before: String): EventConnection
}
type GasEffects { gasSummary: GasCostSummary }
type GasCostSummary { computationCost: UInt53 storageCost: UInt53 storageRebate: UInt53 }
type EventConnection { pageInfo: PageInfo! nodes: [Event!]! }
type Event { contents: MoveValue }
type MoveValue { bcs: Base64 type: MoveType }
type MoveType { repr: String! }
"""
PAGE_MAX = 2


class SuiArchive:
    """A GraphQL service on a free port of 127.0.0.1. Its faults: change them at any time."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.body: bytes | None = None  # instead of an answer
        self.identifier = model.checkpoints[0].digest
        self._schema = build_schema(_SCHEMA)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = outer.answer(question)
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/secret-key"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def answer(self, question: dict[str, Any]) -> bytes:
        self.asked.append(question["variables"])
        if self.body is not None:
            return self.body
        root = {
            "chainIdentifier": self.identifier,
            "checkpoint": lambda _, sequenceNumber: self._checkpoint(sequenceNumber),  # noqa: N803
            "transactionEffects": lambda _, digest: self._effects(self._executed(digest)),
        }
        done = graphql_sync(
            self._schema, question["query"], root, variable_values=question["variables"]
        )
        return json.dumps(done.formatted).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _checkpoint(self, height: int) -> dict[str, Any] | None:
        if not 0 <= height <= self.model.height:
            return None
        told: Checkpoint = self.model.checkpoints[height]
        nodes = [self._transaction(each) for each in told.executed]
        return {
            "sequenceNumber": told.height,
            "digest": told.digest,
            "previousCheckpointDigest": told.previous_digest,
            "timestamp": told.at.isoformat().replace("+00:00", "Z"),
            "transactions": lambda _, **page: _page(nodes, **page),
        }

    def _executed(self, digest: str) -> Executed:
        every = (each for told in self.model.checkpoints for each in told.executed)
        return next(each for each in every if each.digest == digest)

    def _transaction(self, executed: Executed) -> dict[str, Any]:
        return {
            "digest": executed.digest,
            "gasInput": {"gasSponsor": {"address": executed.sender}},
            "effects": self._effects(executed),
        }

    def _effects(self, executed: Executed) -> dict[str, Any]:
        events = [
            {"contents": {"bcs": base64.b64encode(contents).decode(), "type": {"repr": name}}}
            for name, contents in executed.events
        ]
        return {
            "status": "SUCCESS" if executed.has_succeeded else "FAILURE",
            "balanceChangesJson": [
                {"address": address, "coinType": coin_type, "amount": str(units)}
                for address, coin_type, units in reversed(executed.changes)
            ],
            "gasEffects": {
                "gasSummary": {
                    "computationCost": COMPUTATION,
                    "storageCost": STORAGE,
                    "storageRebate": REBATE,
                }
            },
            "events": lambda _, **page: _page(events, **page),
        }


def _page(nodes: list[Any], first: int, after: str | None = None) -> dict[str, Any]:
    start = int(after or 0)
    end = min(start + first, start + PAGE_MAX)
    return {
        "nodes": nodes[start:end],
        "pageInfo": {
            "hasPreviousPage": start > 0,
            "hasNextPage": end < len(nodes),
            "endCursor": str(end),
        },
    }
