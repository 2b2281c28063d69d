"""Reports of a running ledger: each says what happened, and says it again after every rebuild."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from flamewire_ledger.cli.session import operation
from flamewire_ledger.exports.formats import FORMATS
from flamewire_ledger.exports.report import NAMES
from flamewire_ledger.processes.reconciliation import run
from flamewire_ledger.queries import journal
from flamewire_ledger.wiring.operator import Operator
from tests.system.running_ledger import (
    RunningLedger,
    create_payment,
    eventually,
    payment_with_status,
)
from tests.system.test_several_networks import pay

TAO = [{"network": "bittensor", "asset": "TAO"}]
READS = sorted({*journal.READ_MODELS, *run.READ_MODELS, "invoices", "credit_notes"})
ADDRESS = {"line1": "Mill Lane 1", "city": "Berlin", "country": "DE"}
SELLER = {"name": "Bakery", "tax_id": "DE1", "address": ADDRESS}
DRAFT = {
    "customer": {"name": "Ada", "address": ADDRESS},
    "currency": "EUR",
    "lines": [{"description": "Bread", "quantity": "3", "unit_price": "3.50", "tax_rate": "7"}],
}
METHODS = ("fifo", "lifo", "hifo", "average", "specific")


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLedger]:
    """Two payments are paid, one in part, one never; some of it is sold; a grant lapses."""
    ledger = RunningLedger(tmp_path_factory.mktemp("traded"))
    ledger.start()
    with ledger.client() as client:
        account = client.post("/v1/credit_accounts", json={"external_id": "lapses"}).json()
        now = client.post("/v1/sandbox/clock", json={"advance_seconds": 1}).json()["now"]
        client.post(
            f"/v1/credit_accounts/{account['id']}/grants",
            json={
                "amount": "5",
                "source": "promotion",
                "expires_at": f"{int(now[:4]) + 1}{now[4:]}",
            },
            headers={"Idempotency-Key": "grant"},
        ).raise_for_status()
        for number in range(2):
            payment = create_payment(client, f"paid-{number}", pay_with=TAO)
            pay(client, payment["id"], f"pay-{number}")
            payment_with_status(client, payment["id"], "succeeded")
        part = create_payment(client, "part", pay_with=TAO)
        pay(client, part["id"], "pay-part", amount="0.01")
        eventually(lambda: is_confirmed(client, part["id"]))
        sale = {"amount": "9.00", "currency": "USD"}
        sold = {"network": "bittensor", "asset": "TAO", "amount": "0.02", "kind": "sale"}
        client.post(
            "/v1/disposals", json={**sold, "proceeds": sale}, headers={"Idempotency-Key": "sale"}
        ).raise_for_status()
        create_payment(client, "never", pay_with=TAO)
        client.post("/v1/sandbox/clock", json={"advance_seconds": 400 * 86_400})
        payment_with_status(client, part["id"], "requires_action")
        eventually(lambda: client.get("/v1/reports/breakage").json()["rows"])
    yield ledger
    ledger.stop()


def is_confirmed(client: httpx.Client, payment_id: str) -> bool:
    transfers = client.get(f"/v1/payment_intents/{payment_id}").json()["transfers"]
    return [it["status"] for it in transfers] == ["confirmed"]


def rows(ledger: RunningLedger, name: str) -> list[dict[str, Any]]:
    return list(json.loads(ledger.flamewire("report", name).stdout)["rows"])


def test_the_funnel_counts_what_happened(traded: RunningLedger) -> None:
    found = rows(traded, "funnel")
    assert sum(row["created"] for row in found) == 4
    assert sum(row["paid"] for row in found) == 2
    assert sum(row["needed_a_person"] for row in found) == 1


def test_what_came_in_is_in_the_volumes_and_what_was_earned_in_the_revenue(
    traded: RunningLedger,
) -> None:
    (came,) = rows(traded, "volumes")
    assert (came["network"], came["postings"], came["out"]) == ("bittensor", 4, "0.020000000")
    (earned,) = rows(traded, "revenue")
    assert (earned["account"], earned["value"]) == ("income:sales", "50.00")


def test_credits_that_lapse_are_breakage(traded: RunningLedger) -> None:
    (lapsed,) = rows(traded, "breakage")
    assert (lapsed["lapses"], lapsed["credits"]) == (1, "5.000000")


def test_what_is_held_waits_for_a_person(traded: RunningLedger) -> None:
    (waiting,) = rows(traded, "exceptions")
    assert (waiting["kind"], waiting["why"]) == ("requires_action", "underpaid")
    assert (waiting["asset"], waiting["amount"]) == ("bittensor:TAO", "0.010000000")


def test_what_was_sold_is_out_of_the_wallet_by_the_command_line_too(traded: RunningLedger) -> None:
    words = ("record", "fee", "0.001", "TAO", "--network", "bittensor", "--once", "fee-1")
    first = json.loads(traded.flamewire("disposals", *words).stdout)
    again = json.loads(traded.flamewire("disposals", *words).stdout)
    assert first == again
    assert (first["kind"], first["amount"]) == ("fee", "0.001000000")
    listed = json.loads(traded.flamewire("disposals", "list", "--json").stdout)
    assert [it["kind"] for it in listed] == ["fee", "sale"]


def test_every_transfer_has_a_time_to_finality(traded: RunningLedger) -> None:
    (found,) = rows(traded, "finality")
    assert (found["network"], found["transfers"]) == ("bittensor", 3)
    assert 0 < float(found["p50_seconds"]) <= float(found["max_seconds"])


def test_the_same_position_gives_the_same_bytes_after_every_rebuild(
    traded: RunningLedger, tmp_path: Path
) -> None:
    with traded.client() as client:
        ids = papers(client)
        position = client.get("/v1/reports/funnel").json()["as_of"]
        asked = [*paths(position, ids)]
        assert not [
            path for path in every_report(client) if not any(map(shape_of(path).fullmatch, asked))
        ]
        told = {path: client.get(path) for path in asked}
        assert {answer.status_code for answer in told.values()} == {200}
        assert all(answer.content for answer in told.values())
        lots = told[f"/v1/reports/tax_lots?year=2026&method=fifo&lots=true&as_of={position}"].json()
        assert [line["proceeds"] for line in lots["disposals"]] == ["9.00"]
        chart = drawn(traded, "revenue", position, tmp_path)
        operation(rebuild, data_dir=traded.data_dir)
        for path, answer in told.items():
            assert client.get(path).content == answer.content, path
        said = traded.flamewire("report", "funnel", "--as-of", str(position)).stdout
        assert json.loads(said) == told[f"/v1/reports/funnel?as_of={position}"].json()
        assert drawn(traded, "revenue", position, tmp_path) == chart
        assert client.get("/v1/reports/nothing").status_code == 404


def papers(client: httpx.Client) -> dict[str, str]:
    """What is asked for by its id: a reconciliation, an invoice, and a credit note for it."""

    def made(path: str, body: Any, key: str = "") -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        answer = client.post(path, json=body, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    run_id = made("/v1/reconciliations", {"network": "bittensor"})["id"]
    made("/v1/seller", SELLER)
    invoice_id = made("/v1/invoices", DRAFT, "draft")["id"]
    made(f"/v1/invoices/{invoice_id}/finalize", {}, "finalize")
    note = made(f"/v1/invoices/{invoice_id}/credit_notes", {"reason": "late"}, "note")
    return {"reconciliations": run_id, "invoices": invoice_id, "credit_notes": note["id"]}


def every_report(client: httpx.Client) -> Iterator[str]:
    """By the published description of the API: reports, and whatever is answered as a file."""
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        answers = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        is_file = not {"application/json", "text/event-stream"} & {*answers}
        is_report = path.startswith(("/v1/reports", "/v1/exports", "/v1/reconciliations/{"))
        is_report = is_report or path == "/v1/ledger/trial_balance"
        if path.startswith("/v1/") and answers and (is_report or is_file):
            yield path


def shape_of(path: str) -> re.Pattern[str]:
    """What an address of this path looks like."""
    literal = [re.escape(part) for part in re.split(r"{[^}]+}", path)]
    return re.compile("[a-zA-Z0-9_]+".join(literal) + r"(\?.*)?")


def paths(position: int, ids: Mapping[str, str]) -> Iterator[str]:
    """Every report in every format."""
    for name in NAMES:
        for kind in ("", ".csv", ".svg", ".png"):
            yield f"/v1/reports/{name}{kind}?as_of={position}"
    for method in METHODS:
        for kind in ("", ".csv"):
            asked = f"year=2026&method={method}&lots=true&as_of={position}"
            yield f"/v1/reports/tax_lots{kind}?{asked}"
    for name in FORMATS:
        yield f"/v1/exports/{name}?as_of={position}"
        yield f"/v1/exports/{name}?as_of={position}&from=2027-01-01T00:00:00Z"
    yield f"/v1/ledger/trial_balance?valuation=USD&as_of={position}"
    for kind in ("", ".csv", ".pdf"):
        yield f"/v1/reconciliations/{ids['reconciliations']}{kind}"
    for paper in ("invoices", "credit_notes"):
        for kind in (".pdf", ".xml"):
            yield f"/v1/{paper}/{ids[paper]}{kind}"


async def rebuild(operator: Operator) -> None:
    for name in READS:
        await operator.read_side.rebuild(name)


def drawn(ledger: RunningLedger, name: str, position: int, folder: Path) -> bytes:
    file = folder / f"{name}.svg"
    ledger.flamewire("report", name, "--as-of", str(position), "--chart", str(file))
    return file.read_bytes()
