"""The contract of reconciliations."""

from __future__ import annotations

from typing import Final

from flamewire_ledger.api import reconciliations
from flamewire_ledger.api.fields import Fresh
from flamewire_ledger.api.models import reconciliations as models
from flamewire_ledger.api.operation import PDF, Operation

_RUNS: Final = "/v1/reconciliations"
_EXCEPTIONS: Final = "/v1/reconciliation_exceptions"

# fmt: off
RECONCILIATIONS: Final = (
    Operation("create_reconciliation", "POST", _RUNS,
        "Compare the chain, the wallets and the payments", "ledger:write",
        handler=reconciliations.create, response=models.ReconciliationView,
        request=models.CreateReconciliation, status=201,
        description="Of the caller's own books, up to a final block. 10 000 blocks at most."),
    Operation("list_reconciliations", "GET", _RUNS, "List reconciliations, newest first",
        "ledger:read", handler=reconciliations.list_all, response=models.Reconciliations,
        query=models.ListReconciliations),
    Operation("get_reconciliation_csv", "GET", f"{_RUNS}/{{id}}.csv", "A reconciliation as a table",
        "ledger:read", handler=reconciliations.get_csv, query=Fresh, gives=reconciliations.CSV),
    Operation("get_reconciliation_pdf", "GET", f"{_RUNS}/{{id}}.pdf", "A reconciliation to print",
        "ledger:read", handler=reconciliations.get_pdf, query=Fresh, gives=PDF),
    Operation("get_reconciliation", "GET", f"{_RUNS}/{{id}}", "The report of a reconciliation",
        "ledger:read", handler=reconciliations.get, response=models.ReconciliationView,
        query=Fresh, description="As its run found it: the same bytes whenever it is asked for."),
    Operation("list_reconciliation_exceptions", "GET", _EXCEPTIONS,
        "List what did not agree, newest first", "ledger:read",
        handler=reconciliations.list_exceptions, response=models.ReconciliationExceptions,
        query=models.ListReconciliationExceptions),
    Operation("resolve_reconciliation_exception", "POST", f"{_EXCEPTIONS}/{{id}}/resolve",
        "Say how an exception ends", "ledger:write", build=reconciliations.resolve,
        response=models.ReconciliationException, request=models.ResolveReconciliationException,
        key="required",
        description="It moves no money: what is missing is booked by what books."),
)
# fmt: on
