-- One row an invoice, receipts among them. A void one keeps its number. Amounts are base units of the currency.
CREATE TABLE invoices_v1 (
    invoice_id            text PRIMARY KEY,
    merchant_id           text NOT NULL,
    kind                  text NOT NULL,   -- invoice, or receipt: paid by a payment before it was written
    number                text,            -- 2026-000001; a draft has none
    status                text NOT NULL,   -- draft, open, paid, void, uncollectible
    payment_id            text,            -- that a receipt stands on
    credit_account_id     text,
    reference             text,
    memo                  text,
    subscription_id       text,
    metadata              jsonb NOT NULL,
    customer              jsonb,           -- {credit_account_id, name, address, tax_id, email}
    seller                jsonb,           -- {name, address, tax_id, email}, as it was when it became final
    currency              text NOT NULL,
    decimals              smallint NOT NULL,
    prices_include_tax    boolean NOT NULL,
    reverse_charge        boolean NOT NULL,  -- the tax is the customer's to pay
    net_units             numeric(78, 0) NOT NULL,
    tax_units             numeric(78, 0) NOT NULL,
    total_units           numeric(78, 0) NOT NULL,
    paid_units            numeric(78, 0) NOT NULL,
    credited_units        numeric(78, 0) NOT NULL,
    due_units             numeric(78, 0) NOT NULL,
    lines                 jsonb NOT NULL,  -- [{description, quantity, unit_price, amount, tax_rate, period, is_credit, net, tax}]
    taxes                 jsonb NOT NULL,  -- [{rate, net, tax}]
    settled_with          jsonb NOT NULL,  -- of a receipt: [{network, transaction_id, amount, price, price_lock_id, locked_at, sources}]
    asked                 jsonb NOT NULL,  -- payments asked for on its behalf: [{payment_id, amount, expires_at}]
    applied               jsonb NOT NULL,  -- what was paid: [{payment_id, reason, amount, settled_with, recorded_at}]
    due_days              integer,
    created_at            timestamptz NOT NULL,
    issued_at             timestamptz,     -- since when it has a number
    due_at                timestamptz,
    fell_due_at           timestamptz,     -- when it was found to be overdue
    paid_at               timestamptz,
    voided_at             timestamptz,
    void_reason           text,
    uncollectible_at      timestamptz,
    uncollectible_reason  text,
    email                 text,            -- where it goes
    message_id            text,
    delivery_attempts     integer NOT NULL,
    delivered_at          timestamptz,
    delivery_again_at     timestamptz,     -- when it is to be sent, or sent again; NULL: not any more
    delivery_failure      text,            -- of the last attempt, when it failed
    position              bigint NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX invoices_v1_by_merchant ON invoices_v1 (merchant_id, invoice_id);
CREATE INDEX invoices_v1_by_payment ON invoices_v1 (payment_id);
CREATE INDEX invoices_v1_by_account ON invoices_v1 (credit_account_id, invoice_id);
CREATE INDEX invoices_v1_unpaid ON invoices_v1 (due_at, invoice_id) WHERE status = 'open' AND fell_due_at IS NULL;
CREATE INDEX invoices_v1_unsent ON invoices_v1 (delivery_again_at, invoice_id) WHERE delivery_again_at IS NOT NULL;
