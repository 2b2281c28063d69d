"""The contract: every operation, once. Routes, the OpenAPI document and the commands of a batch are
made from this table.
"""

from __future__ import annotations

from typing import Final

from flamewire_ledger.api import payment_intents
from flamewire_ledger.api.fields import Fresh, NoBody
from flamewire_ledger.api.models import payment_intents as payment_models
from flamewire_ledger.api.operation import Operation

_PAYMENT_INTENTS: Final = (
    Operation(
        "create_payment_intent",
        "POST",
        "/v1/payment_intents",
        payment_intents.create,
        "Ask for a payment",
        "payments:write",
        response=payment_models.PaymentIntent,
        request=payment_models.CreatePaymentIntent,
        status=201,
        key="required",
        command="create_payment_intent",
        description="Rates are locked for each way to pay until the intent expires.",
    ),
    Operation(
        "list_payment_intents",
        "GET",
        "/v1/payment_intents",
        payment_intents.list_all,
        "List payment intents, newest first",
        "payments:read",
        response=payment_models.PaymentIntents,
        query=payment_models.ListPaymentIntents,
    ),
    Operation(
        "get_payment_intent",
        "GET",
        "/v1/payment_intents/{id}",
        payment_intents.get,
        "Look at a payment intent",
        "payments:read",
        response=payment_models.PaymentIntent,
        query=Fresh,
    ),
    Operation(
        "cancel_payment_intent",
        "POST",
        "/v1/payment_intents/{id}/cancel",
        payment_intents.cancel,
        "Give up a payment nobody has begun to make",
        "payments:write",
        response=payment_models.PaymentIntent,
        request=NoBody,
        key="optional",
        command="cancel_payment_intent",
    ),
    Operation(
        "resolve_payment_intent",
        "POST",
        "/v1/payment_intents/{id}/resolve",
        payment_intents.resolve,
        "Say what becomes of money that is held",
        "payments:write",
        response=payment_models.PaymentIntent,
        request=payment_models.ResolvePaymentIntent,
        key="required",
        command="resolve_payment_intent",
    ),
)

OPERATIONS: Final[tuple[Operation, ...]] = (*_PAYMENT_INTENTS,)
