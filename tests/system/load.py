"""Load on a running ledger that remembers what was acknowledged."""

from __future__ import annotations

import threading

import httpx

from tests.system.running_ledger import RunningLedger


class Load:
    """Payment intents, one after another, from a few threads; remembers what was acknowledged."""

    def __init__(self, ledger: RunningLedger, threads: int = 4) -> None:
        self.acknowledged: list[str] = []
        self._ledger = ledger
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        body = {"amount": "1.00", "currency": "USD"}
        with self._ledger.client() as client:
            count = 0
            while not self._stop.is_set():
                key = f"load-{number}-{count}"
                try:
                    headers = {"Idempotency-Key": key}
                    answer = client.post("/v1/payment_intents", json=body, headers=headers)
                except httpx.TransportError:
                    self._stop.wait(0.05)
                    continue  # the same key again: whatever became of it, it is done once
                if answer.status_code == 201:
                    self.acknowledged.append(answer.json()["id"])
                    count += 1
                else:
                    assert answer.status_code in {409, 503}, answer.text
                    self._stop.wait(0.05)
