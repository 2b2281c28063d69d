"""The part of the contract that is about plans and subscriptions."""

from __future__ import annotations

from typing import Final

from flamewire_ledger.api import plans, subscriptions
from flamewire_ledger.api.fields import Fresh, NoBody
from flamewire_ledger.api.models import plans as plan_models
from flamewire_ledger.api.models import subscriptions as models
from flamewire_ledger.api.operation import Operation

_PLANS: Final = "/v1/plans"
_SUBSCRIPTIONS: Final = "/v1/subscriptions"
_ONE: Final = f"{_SUBSCRIPTIONS}/{{id}}"

# One line and what hangs from it is one operation: this is a table, and read as one.
# fmt: off
SUBSCRIPTION_OPERATIONS: Final = (
    Operation("create_plan", "POST", _PLANS, "Offer a plan", "subscriptions:write",
        build=plans.create, response=plan_models.PlanView, request=plan_models.CreatePlan,
        status=201, key="optional"),
    Operation("list_plans", "GET", _PLANS, "List plans", "subscriptions:read",
        handler=plans.list_all, response=plan_models.Plans, query=plan_models.ListPlans),
    Operation("get_plan", "GET", f"{_PLANS}/{{id}}", "Look at a plan", "subscriptions:read",
        handler=plans.get, response=plan_models.PlanView, query=Fresh),
    Operation("revise_plan", "POST", f"{_PLANS}/{{id}}/revise", "Offer it on other terms",
        "subscriptions:write", build=plans.revise, response=plan_models.PlanView,
        request=plan_models.RevisePlan, key="optional",
        description="A new version. Who has the plan keeps the terms they have until they are changed."),
    Operation("archive_plan", "POST", f"{_PLANS}/{{id}}/archive", "Offer it no more",
        "subscriptions:write", build=plans.archive, response=plan_models.PlanView, request=NoBody,
        key="optional"),
    Operation("create_subscription", "POST", _SUBSCRIPTIONS, "Subscribe a credit account to a plan",
        "subscriptions:write", build=subscriptions.create, response=models.SubscriptionView,
        request=models.CreateSubscription, status=201, key="required"),
    Operation("list_subscriptions", "GET", _SUBSCRIPTIONS, "List subscriptions, newest first",
        "subscriptions:read", handler=subscriptions.list_all, response=models.Subscriptions,
        query=models.ListSubscriptions),
    Operation("get_subscription", "GET", _ONE, "Look at a subscription", "subscriptions:read",
        handler=subscriptions.get, response=models.SubscriptionView, query=Fresh),
    Operation("get_upcoming_invoice", "GET", f"{_ONE}/upcoming_invoice",
        "The next invoice, if nothing changes", "subscriptions:read",
        handler=subscriptions.get_upcoming, response=models.UpcomingInvoice,
        query=models.GetUpcoming),
    Operation("change_plan", "POST", f"{_ONE}/change_plan",
        "Change the plan, the quantity, or both, now or at the end of the period",
        "subscriptions:write", build=subscriptions.change_plan, response=models.SubscriptionView,
        request=models.ChangePlanBody, key="required"),
    Operation("pause_subscription", "POST", f"{_ONE}/pause", "Stop it for a while",
        "subscriptions:write", build=subscriptions.pause, response=models.SubscriptionView,
        request=models.PauseBody, key="optional",
        description="What is left of the period is still to come when it is resumed."),
    Operation("resume_subscription", "POST", f"{_ONE}/resume",
        "Let it go on, or withdraw a cancellation that is scheduled", "subscriptions:write",
        build=subscriptions.resume, response=models.SubscriptionView, request=NoBody,
        key="optional"),
    Operation("cancel_subscription", "POST", f"{_ONE}/cancel", "End it",
        "subscriptions:write", build=subscriptions.cancel, response=models.SubscriptionView,
        request=models.CancelBody, key="required"),
)
# fmt: on
