"""The stand-in for price sources as a command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import httpx

from flamewire_ledger.cli.commands import run


def test_a_stand_in_answers_as_the_sources_do_and_fails_as_it_is_told() -> None:
    command = [sys.executable, "-m", "flamewire_ledger", "prices", "stand-in"]
    command += ["--fault", "coinbase=zero"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with httpx.Client(base_url=url) as client:
            path = "/kraken/0/public/Ticker?pair=TAOUSD"
            assert client.get(path).json()["result"]["XTAOZUSD"]["c"][0] == "412.500000000000"
            spot = client.get("/coinbase/v2/prices/TAO-USD/spot").json()
            assert spot["data"]["amount"] == "0"
            assert client.get("/faults/kraken/tenfold").json() == {
                "coinbase": "zero", "kraken": "tenfold",
            }  # fmt: skip
            assert client.get(path).json()["result"]["XTAOZUSD"]["c"][0] == "4125.000000000000"
            assert client.get("/faults/kraken/none").json() == {"coinbase": "zero"}
            assert client.get("/faults/kraken/on-fire").status_code == 404
            assert client.get("/nobody/x").status_code == 404
            for path in ("/kraken/x", "/coinbase/x", "/cryptocompare/x", "/coingecko/x"):
                assert client.get(path).status_code in (200, 404)
            assert client.get("/binance/api/v3/ticker/price").status_code == 400
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130


def test_a_fault_that_there_is_none_of_is_said() -> None:
    assert run(["prices", "stand-in", "--fault", "kraken=on fire"]) == 2
    assert run(["prices", "stand-in", "--fault", "nobody=down"]) == 2
