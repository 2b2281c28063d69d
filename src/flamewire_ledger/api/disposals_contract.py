"""The contract of disposals: part of the table in contract.py."""

from __future__ import annotations

from typing import Final

from flamewire_ledger.api import disposals
from flamewire_ledger.api.fields import Fresh
from flamewire_ledger.api.models import disposals as models
from flamewire_ledger.api.operation import Operation

_DISPOSALS: Final = "/v1/disposals"

# fmt: off
DISPOSALS: Final = (
    Operation("record_disposal", "POST", _DISPOSALS,
        "Write down what left a wallet by hand", "ledger:write", build=disposals.record,
        response=models.DisposalView, request=models.RecordDisposal, status=201, key="required",
        description="A sale, a withdrawal, a fee or a refund that was made outside of the ledger. "
        "Never more than the wallet has in the books."),
    Operation("list_disposals", "GET", _DISPOSALS, "List disposals, newest first", "ledger:read",
        handler=disposals.list_all, response=models.Disposals, query=models.ListDisposals),
    Operation("get_disposal", "GET", f"{_DISPOSALS}/{{id}}", "A disposal", "ledger:read",
        handler=disposals.get, response=models.DisposalView, query=Fresh),
)
# fmt: on
