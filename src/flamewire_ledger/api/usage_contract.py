"""The part of the contract that is about usage: meters, items, what they add up to, and limits."""

from __future__ import annotations

from typing import Final

from flamewire_ledger.api import cloudevents, entitlements, meters, usage, usage_reports
from flamewire_ledger.api.fields import Fresh, NoBody
from flamewire_ledger.api.models import entitlements as entitlement_models
from flamewire_ledger.api.models import usage as models
from flamewire_ledger.api.operation import JSON, NDJSON, Operation

CLOUDEVENTS_BATCH: Final = "application/cloudevents-batch+json"
CLOUDEVENT: Final = "application/cloudevents+json"
_METERS: Final = "/v1/meters"
_USAGE: Final = "/v1/usage"
_ENTITLEMENTS: Final = "/v1/credit_accounts/{id}/entitlements"
_LIMITS: Final = "/v1/credit_accounts/{id}/usage_limits"

# One line and what hangs from it is one operation: this is a table, and read as one.
# fmt: off
USAGE_OPERATIONS: Final = (
    Operation("create_meter", "POST", _METERS, "Define what counts", "usage:write",
        handler=meters.create, response=models.MeterView, request=models.CreateMeter, status=201,
        key="optional"),
    Operation("list_meters", "GET", _METERS, "List meters, newest first", "usage:read",
        handler=meters.list_all, response=models.MetersView, query=models.ListMeters),
    Operation("get_meter", "GET", f"{_METERS}/{{id}}", "Look at a meter", "usage:read",
        handler=meters.get, response=models.MeterView, query=Fresh),
    Operation("archive_meter", "POST", f"{_METERS}/{{id}}/archive", "Let a meter count no more",
        "usage:write", handler=meters.archive, response=models.MeterView, request=NoBody,
        key="optional"),
    Operation("record_usage", "POST", _USAGE, "Record usage, up to 10000 items", "usage:write",
        handler=usage.ingest, response=models.UsageTaken, request=models.UsageItem,
        takes=CLOUDEVENTS_BATCH, takes_also=(CLOUDEVENT, JSON, NDJSON),
        body_bytes_max=usage.BODY_BYTES_MAX, query=Fresh, unwrap=cloudevents.structured,
        description="CloudEvents 1.0: one object, an array, or a line each; or one in binary mode, with "
        "its attributes in headers (`ce-id`, …) and its data as the body. An item counts once by "
        "its source and id, however often it is sent; one that cannot be counted is refused for "
        "itself."),
    Operation("get_usage", "GET", _USAGE, "What an account used, by period and group",
        "usage:read", handler=usage_reports.get, response=models.UsageReport,
        query=models.GetUsage,
        description="Usage belongs to the time it happened. What was recorded after the period was "
        "closed is in it, and told apart as late."),
    Operation("get_usage_proof", "GET", f"{_USAGE}/proofs/{{source}}/{{id}}",
        "Proof that an item is in the log", "usage:read", handler=usage_reports.prove,
        response=models.UsageProof, query=Fresh,
        description="For a source with slashes in it, ask with a query."),
    Operation("find_usage_proof", "GET", f"{_USAGE}/proofs", "Proof of an item with any source",
        "usage:read", handler=usage_reports.find_proof, response=models.UsageProof,
        query=models.FindUsageProof),
    Operation("set_usage_limit", "POST", _LIMITS, "Limit what an account uses in a period",
        "usage:write", build=usage_reports.set_limit, response=models.LimitView,
        request=models.SetLimitBody, key="optional",
        description="At 50, 80 and 100 % of it `usage.threshold_reached` is recorded, once a period."),
    Operation("list_usage_limits", "GET", _LIMITS, "List limits, and what was reached of them",
        "usage:read", handler=usage_reports.list_limits, response=models.LimitsView, query=Fresh),
    Operation("remove_usage_limit", "POST", f"{_LIMITS}/remove", "Lift a limit", "usage:write",
        build=usage_reports.remove_limit, response=models.LimitView,
        request=models.RemoveLimitBody, key="optional"),
    Operation("grant_entitlement", "POST", _ENTITLEMENTS, "Let an account use a feature",
        "usage:write", build=entitlements.grant, response=entitlement_models.EntitlementChanged,
        request=entitlement_models.GrantEntitlementBody, key="optional"),
    Operation("revoke_entitlement", "POST", f"{_ENTITLEMENTS}/revoke",
        "Let an account use a feature no more", "usage:write", build=entitlements.revoke,
        response=entitlement_models.EntitlementChanged,
        request=entitlement_models.RevokeEntitlementBody, key="optional"),
    Operation("get_entitlement", "GET", "/v1/entitlements/{account}/{feature}",
        "Whether an account may use a feature now", "usage:read", handler=entitlements.get,
        response=entitlement_models.EntitlementChecked, query=entitlement_models.GetEntitlement,
        description="For the hot path of a gateway: answered from memory where nothing has changed."),
)
# fmt: on
