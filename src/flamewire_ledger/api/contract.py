"""The contract: every operation, once. Routes, the OpenAPI document and the commands of a batch are
made from this table.
"""

from __future__ import annotations

from typing import Final

from flamewire_ledger.api import (
    api_keys,
    credit_accounts,
    events,
    invoice_documents,
    invoice_payments,
    invoices,
    ownership,
    payment_intents,
    portfolio,
    price_history,
    prices,
    sandbox,
    seller,
    signatures,
    tools,
    unclaimed_transfers,
)
from flamewire_ledger.api.batch import Batch
from flamewire_ledger.api.credit_contract import CREDIT_OPERATIONS
from flamewire_ledger.api.disposals_contract import DISPOSALS
from flamewire_ledger.api.fields import AsOf, Fresh, NoBody, Page
from flamewire_ledger.api.models import api_keys as key_models
from flamewire_ledger.api.models import batch as batch_models
from flamewire_ledger.api.models import credit_accounts as credit_models
from flamewire_ledger.api.models import credit_notes as credit_note_models
from flamewire_ledger.api.models import events as event_models
from flamewire_ledger.api.models import invoices as invoice_models
from flamewire_ledger.api.models import ownership as ownership_models
from flamewire_ledger.api.models import payment_intents as payment_models
from flamewire_ledger.api.models import portfolio as portfolio_models
from flamewire_ledger.api.models import prices as price_models
from flamewire_ledger.api.models import sandbox as sandbox_models
from flamewire_ledger.api.models import signatures as signature_models
from flamewire_ledger.api.models import tools as tool_models
from flamewire_ledger.api.models import unclaimed_transfers as unclaimed_models
from flamewire_ledger.api.operation import NDJSON, PDF, XML, Operation
from flamewire_ledger.api.reconciliation_contract import RECONCILIATIONS
from flamewire_ledger.api.reports_contract import BOOKS, EXPORTS, REPORTS
from flamewire_ledger.api.subscriptions_contract import SUBSCRIPTION_OPERATIONS
from flamewire_ledger.api.usage_contract import USAGE_OPERATIONS
from flamewire_ledger.api.webhooks_contract import WEBHOOK_OPERATIONS

_INTENTS: Final = "/v1/payment_intents"
_LOCKS: Final = "/v1/price_locks"
_PRICES: Final = "/v1/prices/{base}-{quote}"
_CREDITS: Final = "/v1/credit_accounts"
_INVOICES: Final = "/v1/invoices"
_KEYS: Final = "/v1/api_keys"
_OWNERSHIP: Final = "/v1/ownership"
_UNCLAIMED: Final = "/v1/unclaimed_transfers"

# One line and what hangs from it is one operation: this is a table, and read as one.
# fmt: off
_PAYMENT_INTENTS: Final = (
    Operation("create_payment_intent", "POST", _INTENTS, "Ask for a payment", "payments:write",
        build=payment_intents.create, response=payment_models.PaymentIntent,
        request=payment_models.CreatePaymentIntent, status=201, key="required",
        description="Rates are locked for each way to pay until the intent expires."),
    Operation("list_payment_intents", "GET", _INTENTS, "List payment intents, newest first",
        "payments:read", handler=payment_intents.list_all, response=payment_models.PaymentIntents,
        query=payment_models.ListPaymentIntents),
    Operation("get_payment_intent", "GET", f"{_INTENTS}/{{id}}", "Look at a payment intent",
        "payments:read", handler=payment_intents.get, response=payment_models.PaymentIntent,
        query=Fresh),
    Operation("cancel_payment_intent", "POST", f"{_INTENTS}/{{id}}/cancel",
        "Give up a payment nobody has begun to make", "payments:write",
        build=payment_intents.cancel, response=payment_models.PaymentIntent, request=NoBody,
        key="optional"),
    Operation("resolve_payment_intent", "POST", f"{_INTENTS}/{{id}}/resolve",
        "Say what becomes of money that is held", "payments:write", build=payment_intents.resolve,
        response=payment_models.PaymentIntent, request=payment_models.ResolvePaymentIntent,
        key="required"),
)

_PRICES_AND_LOCKS: Final = (
    Operation("create_price_lock", "POST", _LOCKS, "Lock a price", "prices:write",
        build=prices.lock, response=price_models.PriceLockView,
        request=price_models.CreatePriceLock, status=201, key="optional",
        description="A promise for 900 seconds, with every quote it was made from, for one intent."),
    Operation("get_price_lock", "GET", f"{_LOCKS}/{{id}}", "Look at a price lock", "prices:read",
        handler=prices.get_lock, response=price_models.PriceLockView, query=Fresh),
    Operation("get_price_history", "GET", f"{_PRICES}/history", "Past prices, newest first",
        "prices:read", handler=price_history.get_history, response=price_models.PriceHistory,
        query=price_models.ListPrices,
        description="Samples of what enough sources agreed on, and what was filled in for before."),
    Operation("list_price_alerts", "GET", "/v1/price_alerts",
        "Prices that moved too far, sources that are apart or silent, newest first", "prices:read",
        handler=price_history.list_alerts, response=price_models.PriceAlerts,
        query=price_models.ListPriceAlerts),
    Operation("get_price", "GET", _PRICES, "The price now", "prices:read",
        handler=prices.get_price, response=price_models.PriceView, query=Fresh),
)

_CREDIT_ACCOUNTS: Final = (
    Operation("create_credit_account", "POST", _CREDITS, "Open a credit account", "credits:write",
        build=credit_accounts.create, response=credit_models.CreditAccountView,
        request=credit_models.CreateCreditAccount, status=201, key="optional"),
    Operation("list_credit_accounts", "GET", _CREDITS, "List credit accounts, newest first",
        "credits:read", handler=credit_accounts.list_all, response=credit_models.CreditAccounts,
        query=credit_models.ListCreditAccounts),
    Operation("get_credit_account", "GET", f"{_CREDITS}/{{id}}", "Look at a credit account",
        "credits:read", handler=credit_accounts.get, response=credit_models.CreditAccountView,
        query=AsOf),
    Operation("grant_credits", "POST", f"{_CREDITS}/{{id}}/grants", "Grant credits",
        "credits:write", build=credit_accounts.grant, response=credit_models.GrantMade,
        request=credit_models.GrantCreditsBody, status=201, key="required"),
    Operation("consume_credits", "POST", f"{_CREDITS}/{{id}}/consume", "Burn credits",
        "credits:write", build=credit_accounts.consume, response=credit_models.Consumption,
        request=credit_models.ConsumeCreditsBody, key="required"),
    Operation("hold_credits", "POST", f"{_CREDITS}/{{id}}/holds", "Put credits aside",
        "credits:write", build=credit_accounts.hold, response=credit_models.HoldChanged,
        request=credit_models.HoldCreditsBody, status=201, key="required"),
    Operation("list_holds", "GET", f"{_CREDITS}/{{id}}/holds", "List holds, newest first",
        "credits:read", handler=credit_accounts.list_holds, response=credit_models.Holds,
        query=credit_models.ListHolds),
    Operation("get_hold", "GET", f"{_CREDITS}/{{id}}/holds/{{hold}}", "Look at a hold",
        "credits:read", handler=credit_accounts.get_hold, response=credit_models.HoldView,
        query=Fresh),
    Operation("capture_hold", "POST", f"{_CREDITS}/{{id}}/holds/{{hold}}/capture",
        "Burn what was put aside, or part of it", "credits:write", build=credit_accounts.capture,
        response=credit_models.HoldChanged, request=credit_models.CaptureHoldBody, key="required",
        description="What is not captured is available again."),
    Operation("release_hold", "POST", f"{_CREDITS}/{{id}}/holds/{{hold}}/release",
        "Make what was put aside available again", "credits:write", build=credit_accounts.release,
        response=credit_models.HoldChanged, request=NoBody, key="required"),
    Operation("list_credit_entries", "GET", f"{_CREDITS}/{{id}}/entries",
        "Every change of a credit account, newest first", "credits:read",
        handler=credit_accounts.list_entries, response=credit_models.Entries, query=Page),
)

_INVOICES_AND_NOTES: Final = (
    Operation("create_invoice", "POST", _INVOICES, "Draft an invoice", "invoices:write",
        build=invoices.create, response=invoice_models.InvoiceView,
        request=invoice_models.CreateInvoice, status=201, key="required"),
    Operation("list_invoices", "GET", _INVOICES, "List invoices, newest first", "invoices:read",
        handler=invoices.list_all, response=invoice_models.Invoices,
        query=invoice_models.ListInvoices),
    Operation("get_invoice_pdf", "GET", f"{_INVOICES}/{{id}}.pdf", "An invoice to print",
        "invoices:read", handler=invoice_documents.get_pdf, query=Fresh, gives=PDF),
    Operation("get_invoice_xml", "GET", f"{_INVOICES}/{{id}}.xml", "An invoice for machines",
        "invoices:read", handler=invoice_documents.get_xml, query=invoice_models.GetInvoiceXml,
        gives=XML),
    Operation("get_invoice", "GET", f"{_INVOICES}/{{id}}", "Look at an invoice", "invoices:read",
        handler=invoices.get, response=invoice_models.InvoiceView, query=Fresh),
    Operation("add_invoice_lines", "POST", f"{_INVOICES}/{{id}}/lines", "Add lines to a draft",
        "invoices:write", build=invoices.add_lines, response=invoice_models.InvoiceView,
        request=invoice_models.AddInvoiceLines, key="required"),
    Operation("finalize_invoice", "POST", f"{_INVOICES}/{{id}}/finalize",
        "Give a draft its number: it is owed, and never changes again", "invoices:write",
        build=invoices.finalise, response=invoice_models.InvoiceView, request=NoBody,
        key="required", description="It is sent to the customer's e-mail address, if there is one."),
    Operation("pay_invoice", "POST", f"{_INVOICES}/{{id}}/pay",
        "Ask for its payment, or say that it was paid elsewhere", "invoices:write",
        build=invoice_payments.pay, response=invoice_models.InvoicePaid,
        request=invoice_models.PayInvoiceBody, key="required",
        description="A payment intent that waits for this amount already is found again."),
    Operation("void_invoice", "POST", f"{_INVOICES}/{{id}}/void", "It was a mistake",
        "invoices:write", build=invoices.void, response=invoice_models.InvoiceView,
        request=invoice_models.WithReason, key="required", description="It keeps its number."),
    Operation("mark_invoice_uncollectible", "POST", f"{_INVOICES}/{{id}}/mark_uncollectible",
        "Nobody expects it to be paid", "invoices:write", build=invoices.mark_uncollectible,
        response=invoice_models.InvoiceView, request=invoice_models.WithReason, key="required"),
    Operation("create_credit_note", "POST", f"{_INVOICES}/{{id}}/credit_notes",
        "Give back an invoice, or part of it", "invoices:write", build=invoices.credit,
        response=credit_note_models.CreditNoteView, request=credit_note_models.CreateCreditNote,
        status=201, key="required"),
    Operation("list_credit_notes", "GET", "/v1/credit_notes", "List credit notes, newest first",
        "invoices:read", handler=invoices.list_credit_notes, response=credit_note_models.CreditNotes,
        query=credit_note_models.ListCreditNotes),
    Operation("get_credit_note_pdf", "GET", "/v1/credit_notes/{id}.pdf", "A credit note to print",
        "invoices:read", handler=invoice_documents.get_credit_note_pdf, query=Fresh, gives=PDF),
    Operation("get_credit_note_xml", "GET", "/v1/credit_notes/{id}.xml", "A credit note for machines",
        "invoices:read", handler=invoice_documents.get_credit_note_xml,
        query=invoice_models.GetInvoiceXml, gives=XML),
    Operation("get_credit_note", "GET", "/v1/credit_notes/{id}", "Look at a credit note",
        "invoices:read", handler=invoices.get_credit_note, response=credit_note_models.CreditNoteView,
        query=Fresh),
    Operation("describe_seller", "POST", "/v1/seller", "Say who invoices are from",
        "invoices:write", build=seller.describe, response=invoice_models.SellerView,
        request=invoice_models.SellerBody, key="optional"),
    Operation("get_seller", "GET", "/v1/seller", "Who invoices are from", "invoices:read",
        handler=seller.get, response=invoice_models.SellerView, query=Fresh),
)

_BOOKS: Final = (
    Operation("get_portfolio", "GET", "/v1/portfolio", "What is in the wallets on every network",
        "ledger:read", handler=portfolio.get, response=portfolio_models.Portfolio,
        query=portfolio_models.GetPortfolio,
        description="By the books, valued at the price of now in one currency."),
    Operation("list_events", "GET", "/v1/events", "Events in their order, from a position on",
        "events:read", handler=events.list_all, response=event_models.Events,
        query=event_models.ListEvents),
)

_KEYS_AND_SANDBOX: Final = (
    Operation("create_api_key", "POST", _KEYS, "Make an API key", "keys:write",
        handler=api_keys.create, response=key_models.ApiKeyMade,
        request=key_models.CreateApiKeyBody, status=201, key="optional"),
    Operation("list_api_keys", "GET", _KEYS, "List API keys, the oldest first", "keys:read",
        handler=api_keys.list_all, response=key_models.ApiKeys, query=key_models.ListApiKeys),
    Operation("revoke_api_key", "POST", f"{_KEYS}/{{id}}/revoke", "End an API key", "keys:write",
        handler=api_keys.revoke, response=key_models.ApiKeyChanged, request=NoBody,
        key="optional"),
    Operation("delete_api_key", "DELETE", f"{_KEYS}/{{id}}", "End an API key", "keys:write",
        handler=api_keys.revoke, response=key_models.ApiKeyChanged, request=NoBody,
        key="optional", description="The same as revoke."),
    Operation("create_sandbox_transfer", "POST", "/v1/sandbox/transfers",
        "Play the payer of an intent", "sandbox:write", handler=sandbox.pay,
        response=sandbox_models.SandboxTransfer, request=sandbox_models.CreateTransfer,
        status=201, key="required"),
    Operation("advance_sandbox_clock", "POST", "/v1/sandbox/clock", "Move the sandbox clock on",
        "sandbox:write", handler=sandbox.advance, response=sandbox_models.SandboxClock,
        request=sandbox_models.AdvanceClock),
)

_OWNERSHIP_AND_ADDRESSES: Final = (
    Operation("create_ownership_challenge", "POST", f"{_OWNERSHIP}/challenges",
        "Ask a payer to prove that an address is theirs", "ownership:write",
        handler=ownership.issue, response=ownership_models.OwnershipChallengeView,
        request=ownership_models.CreateOwnershipChallenge, status=201, key="optional",
        description="The payer signs `message`. It can be signed until it expires, and proves once."),
    Operation("prove_ownership", "POST", f"{_OWNERSHIP}/challenges/{{id}}/proof",
        "Register the address of a challenge by its signature", "ownership:write",
        handler=ownership.prove, response=ownership_models.RegisteredAddress,
        request=ownership_models.ProveOwnership, key="optional",
        description="A signature that proves nothing is 422 `proof_invalid`, and its `reason` says why."),
    Operation("list_registered_addresses", "GET", f"{_OWNERSHIP}/addresses",
        "List registered addresses, newest first", "ownership:read", handler=ownership.list_all,
        response=ownership_models.RegisteredAddresses,
        query=ownership_models.ListRegisteredAddresses),
    Operation("get_registered_address", "GET", f"{_OWNERSHIP}/addresses/{{id}}",
        "Look at a registered address", "ownership:read", handler=ownership.get,
        response=ownership_models.RegisteredAddress, query=Fresh),
    Operation("revoke_registered_address", "POST", f"{_OWNERSHIP}/addresses/{{id}}/revoke",
        "Let an address count no more", "ownership:write", handler=ownership.revoke,
        response=ownership_models.RegisteredAddress, request=NoBody, key="optional"),
)

_UNCLAIMED_TRANSFERS: Final = (
    Operation("list_unclaimed_transfers", "GET", _UNCLAIMED,
        "List what came to a shared address and is no payment's, newest first", "unclaimed:read",
        handler=unclaimed_transfers.list_all, response=unclaimed_models.UnclaimedTransfers,
        query=unclaimed_models.ListUnclaimedTransfers,
        description="Of the merchant in whose books it stands: the operator's, by default."),
    Operation("get_unclaimed_transfer", "GET", f"{_UNCLAIMED}/{{id}}",
        "Look at an unclaimed transfer", "unclaimed:read", handler=unclaimed_transfers.get,
        response=unclaimed_models.UnclaimedTransferView, query=Fresh),
    Operation("assign_unclaimed_transfer", "POST", f"{_UNCLAIMED}/{{id}}/assign",
        "Say which payment intent it is for", "unclaimed:write", handler=unclaimed_transfers.assign,
        response=unclaimed_models.UnclaimedTransferView,
        request=unclaimed_models.AssignUnclaimedTransfer, key="required",
        description="Of any merchant of the same mode. It has the transfer a moment later."),
    Operation("resolve_unclaimed_transfer", "POST", f"{_UNCLAIMED}/{{id}}/resolve",
        "Send it back, or keep it", "unclaimed:write", handler=unclaimed_transfers.resolve,
        response=unclaimed_models.UnclaimedTransferView,
        request=unclaimed_models.ResolveUnclaimedTransfer, key="required"),
)

_SIGNATURES_AND_TOOLS: Final = (
    Operation("verify_signature", "POST", "/v1/signatures/verify", "Whether an address signed this",
        None, handler=signatures.verify, response=signature_models.SignatureVerdict,
        request=signature_models.VerifySignature, body_bytes_max=signatures.BODY_BYTES_MAX,
        description="A signature that is not valid is an answer, not a problem: `reason` says why."),
    Operation("detect", "POST", "/v1/tools/detect",
        "What a text can be: an address, a transaction id or a payment URI", None,
        handler=tools.detect_value, response=tool_models.DetectionView,
        request=tool_models.DetectValue),
)

# fmt: on
_SINGLE: Final = (
    *_PAYMENT_INTENTS,
    *_PRICES_AND_LOCKS,
    *_CREDIT_ACCOUNTS,
    *CREDIT_OPERATIONS,
    *_INVOICES_AND_NOTES,
    *_BOOKS,
    *BOOKS,
    *REPORTS,
    *EXPORTS,
    *DISPOSALS,
    *RECONCILIATIONS,
    *_KEYS_AND_SANDBOX,
    *_OWNERSHIP_AND_ADDRESSES,
    *_UNCLAIMED_TRANSFERS,
    *_SIGNATURES_AND_TOOLS,
    *USAGE_OPERATIONS,
    *SUBSCRIPTION_OPERATIONS,
    *WEBHOOK_OPERATIONS,
)
COMMANDS: Final = {it.name: it for it in _SINGLE if it.build is not None}
_BATCH: Final = Operation(
    "run_batch",
    "POST",
    "/v1/batch",
    "Up to 1000 commands in one request",
    None,
    handler=Batch(COMMANDS).run,
    response=batch_models.LineAnswer,
    request=batch_models.Line,
    takes=NDJSON,
    gives=NDJSON,
    description=(
        "One JSON object a line, in and out, in the same order. Each line is its own idempotent "
        "command and needs the scope of that command. Commands: "
        + ", ".join(f"`{name}`" for name in COMMANDS)
    ),
)

OPERATIONS: Final[tuple[Operation, ...]] = (*_SINGLE, _BATCH)
