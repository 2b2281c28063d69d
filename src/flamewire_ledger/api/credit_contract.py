"""The contract of what puts credits right, moves them, makes them come again, and explains them: part of
the table in contract.py.
"""

from __future__ import annotations

from typing import Final

from flamewire_ledger.api import credit_changes, credit_explanations, recurring_grants, top_ups
from flamewire_ledger.api.fields import Fresh, NoBody
from flamewire_ledger.api.models import credit_changes as models
from flamewire_ledger.api.models import credit_explanations as explanation_models
from flamewire_ledger.api.models import top_ups as top_up_models
from flamewire_ledger.api.operation import Operation

_ACCOUNT: Final = "/v1/credit_accounts/{id}"

# One line and what hangs from it is one operation: this is a table, and read as one.
# fmt: off
CREDIT_OPERATIONS: Final = (
    Operation("explain_credit_account", "GET", f"{_ACCOUNT}/explain",
        "The events and the arithmetic behind each digit of a balance", "credits:read",
        handler=credit_explanations.get, response=explanation_models.CreditExplanation,
        query=explanation_models.ExplainAccount,
        description="Sums by digit, grant and period, and the lines of one of them, oldest first."),
    Operation("refund_credits", "POST", f"{_ACCOUNT}/refunds", "Give back what was consumed",
        "credits:write", build=credit_changes.refund, response=models.CreditRefund,
        request=models.RefundCreditsBody, status=201, key="required",
        description="To the very grants that were burnt, and never more than was."),
    Operation("refund_purchase", "POST", f"{_ACCOUNT}/grants/{{grant}}/refund",
        "Take back what is left of a purchase, and owe its price", "credits:write",
        build=credit_changes.refund_purchase, response=models.PurchaseRefundView,
        request=models.RefundPurchaseBody, status=201, key="required"),
    Operation("transfer_credits", "POST", f"{_ACCOUNT}/transfers",
        "Move credits to another account", "credits:write", build=credit_changes.transfer,
        response=models.CreditTransfer, request=models.TransferCreditsBody, status=201,
        key="required", description="They stay the grants they are. What is held stays."),
    Operation("set_overage", "POST", f"{_ACCOUNT}/overage", "How far below zero it may go",
        "credits:write", build=credit_changes.set_overage, response=models.OverageView,
        request=models.SetOverageBody, key="required"),
    Operation("create_recurring_grant", "POST", f"{_ACCOUNT}/recurring_grants",
        "Grant the same every month, week or day", "credits:write", build=recurring_grants.create,
        response=models.RecurringGrantView, request=models.SetRecurringGrantBody, status=201,
        key="required"),
    Operation("list_recurring_grants", "GET", f"{_ACCOUNT}/recurring_grants",
        "List recurring grants, newest first", "credits:read", handler=recurring_grants.list_all,
        response=models.RecurringGrants, query=models.ListRecurringGrants),
    Operation("cancel_recurring_grant", "POST", f"{_ACCOUNT}/recurring_grants/{{rule}}/cancel",
        "Grant no more by a rule", "credits:write", build=recurring_grants.cancel,
        response=models.RecurringGrantView, request=models.CancelRecurringGrantBody,
        key="required", description="What it granted stays."),
    Operation("set_top_up", "POST", f"{_ACCOUNT}/top_up",
        "Ask for a payment whenever credits run low", "credits:write", build=top_ups.put,
        response=top_up_models.TopUpRule, request=top_up_models.SetTopUpBody, key="required",
        description="An account has one such rule. Asking makes an intent and top_up.requested."),
    Operation("get_top_up", "GET", f"{_ACCOUNT}/top_up", "Look at the top-up rule", "credits:read",
        handler=top_ups.get, response=top_up_models.TopUpView, query=Fresh),
    Operation("remove_top_up", "POST", f"{_ACCOUNT}/top_up/remove", "Ask no more",
        "credits:write", build=top_ups.remove, response=top_up_models.TopUpRule, request=NoBody,
        key="required"),
)
# fmt: on
